// What the choices of a stream have brought so far, as far as odd chunks need to know it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace seekroute {

// Output in a member of a delta, or a whole one of structure. Value type.
struct SentPart {
  int64_t choice = 0;
  std::string member;
  std::string text;  // empty: it is no text
};

// An entry of `tool_calls`. Value type.
struct SentCall {
  int64_t choice = 0;
  std::string id;
  std::optional<int64_t> index;
  bool is_named = false;
};

// Text is kept up to kMaxKept bytes a stream. Not thread-safe.
class SentParts {
 public:
  static constexpr size_t kMaxKept = size_t{256} << 10;

  void Add(const SentPart& part);

  // The choice has sent something.
  bool HasAny(int64_t choice) const;
  // Something of that member, or of another that says the same.
  bool Has(int64_t choice, std::string_view member) const;
  // What `text`, of a whole message, adds to what was sent of the member: all of it where nothing
  // was, or something else; what goes beyond where it begins alike; nothing where it repeats what
  // was sent, or its beginning or end. Spaces around it do not count. Of a member that has sent
  // more than is kept everything is a repetition.
  std::string_view NewText(int64_t choice, std::string_view member, std::string_view text) const;

 private:
  std::map<int64_t, std::map<std::string, std::string, std::less<>>> choices_;  // their members
  size_t kept_ = 0;
};

// The tool calls of a stream, up to kMaxCalls a choice. Not thread-safe.
class CallNumbers {
 public:
  static constexpr size_t kMaxCalls = 128;

  // The index of a call that may lack one. The same id is the same call; an id that was not seen is
  // a new one, and so is a name where the last call has one, and whatever is not `first` in its
  // list; anything else continues the last.
  int64_t Number(const SentCall& call, bool first);

 private:
  struct Call {
    std::string id;
    int64_t index = 0;
    bool is_named = false;
  };

  std::map<int64_t, std::vector<Call>> choices_;  // the call touched last is the last
};

}  // namespace seekroute
