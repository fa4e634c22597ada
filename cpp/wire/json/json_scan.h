// Internal to wire/: one pass over JSON text that tells a sink what stands where. RapidJSON does
// the parsing, in json_scan.cc and nowhere else.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/json/json.h"

namespace seekroute {

enum class JsonType : uint8_t { kNull, kFalse, kTrue, kNumber, kString, kObject, kArray };

// "a string", "an object": for error messages.
std::string_view NameOf(JsonType type);

// A value as the scan meets it. `text` points into the scan's own copy: valid during the call.
struct JsonValue {
  JsonType type = JsonType::kNull;
  ByteRange range;              // in the scanned text, quotes and brackets included
  std::string_view text;        // a string decoded, a number as written; else empty
  bool lone_surrogate = false;  // the string has an escape that is half of a surrogate pair
};

// Where a value stands: the chain of open containers around it. Level 1 is the outermost.
class JsonPlace {
 public:
  // Left uninitialised on purpose: a scan of a short chunk must not clear 129 of them.
  struct Frame {
    bool is_object;
    bool skipped;          // the sink asked not to hear of what is inside
    bool sort_keys;        // too many keys to compare each with each
    int64_t index;         // of the element being read; -1 before the first
    const char* key_text;  // of the member being read, decoded, in the scan's copy
    size_t key_size;
    size_t key_begin;  // the same in the text, quotes included
    size_t key_end;
    size_t begin;      // of the container itself
    size_t first_key;  // where its keys start in the scan's list
  };

  int depth() const { return depth_; }
  // Empty in an array.
  std::string_view key(int level) const { return {frame(level).key_text, frame(level).key_size}; }
  int64_t index(int level) const { return frame(level).index; }
  bool in_object() const { return depth_ > 0 && frame(depth_).is_object; }
  // Of the member whose value is being read. Empty in an array, as is its range.
  std::string_view key() const { return key(depth_); }
  ByteRange key_range() const { return {frame(depth_).key_begin, frame(depth_).key_end}; }

  // "messages[0].role". At most kMaxPath bytes: the rest is cut and marked with "...".
  std::string Path() const;
  static constexpr size_t kMaxPath = 64;

 private:
  friend class JsonHandler;
  JsonPlace() { frames_[0] = {}; }
  const Frame& frame(int level) const { return frames_[static_cast<size_t>(level)]; }

  std::array<Frame, kMaxJsonDepth + 1> frames_;  // [0] stands for the text itself
  int depth_ = 0;
};

// What reads a scan. Not thread-safe.
class JsonSink {
 public:
  enum class Step : uint8_t { kEnter, kSkip, kStop };

  virtual ~JsonSink() = default;

  // A container opens. kSkip: its inside is checked but not told; OnClose still comes.
  virtual Step OnOpen(const JsonPlace& place, JsonType type) = 0;
  // Returns false, after Fail(), to end the scan.
  virtual bool OnClose(const JsonPlace& place, const JsonValue& value) = 0;
  virtual bool OnScalar(const JsonPlace& place, const JsonValue& value) = 0;

  const Error& failure() const { return failure_; }

 protected:
  // Keeps the error that ScanJson() returns. Always false, so that it can be returned.
  bool Fail(ErrorCode code, std::string message, std::string param = {}) {
    return Fail(MakeError(code, std::move(message), std::move(param)));
  }
  bool Fail(Error error) {
    failure_ = std::move(error);
    return false;
  }

 private:
  Error failure_;
};

// How strict a scan is about object keys.
enum class JsonKeys : uint8_t {
  kUnique,  // a duplicate fails with kDuplicateKey, a lone surrogate with kInvalidUnicode
  kAny,     // what providers send is not ours to teach
};

// Scans `text`, which must be one JSON value in UTF-8, nested at most kMaxJsonDepth deep. Fails
// with kInvalidJson, kJsonTooDeep, the errors of `keys`, or the sink's own. Copies `text` once;
// linear but for objects with very many keys (n log n). No recursion deeper than kMaxJsonDepth.
Status ScanJson(std::string_view text, JsonKeys keys, JsonSink* sink);

}  // namespace seekroute
