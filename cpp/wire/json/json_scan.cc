#include "wire/json/json_scan.h"

#include <rapidjson/error/error.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>
#include <vector>

#include "base/ascii.h"

namespace seekroute {
namespace {

// RapidJSON reads a stream until a NUL, and the word-wise scan below reads whole words.
constexpr size_t kPadding = 16;
// Texts up to this size (almost every stream chunk) are copied to the stack, not to the heap.
constexpr size_t kStackCopy = 2048;
// Objects with more keys than this are checked for duplicates by sorting when they close.
constexpr size_t kFewKeys = 12;
constexpr std::string_view kReplacementEscape = "\\ufffd";

// RapidJSON's in-situ stream over a NUL-padded copy, with a position.
struct ScanStream {
  using Ch = char;

  char Peek() const { return *src; }
  char Take() { return *src++; }
  size_t Tell() const { return static_cast<size_t>(src - head); }

  char* PutBegin() { return dst = src; }
  void Put(char c) { *dst++ = c; }
  size_t PutEnd(char* begin) { return static_cast<size_t>(dst - begin); }
  void Flush() {}

  char* src;
  char* dst;
  char* head;
};

constexpr uint64_t Repeat(unsigned char byte) { return 0x0101010101010101u * byte; }

// The high bit of some byte of the result is set exactly when some byte of `word` is zero.
constexpr uint64_t ZeroBytes(uint64_t word) { return (word - Repeat(1)) & ~word & Repeat(0x80); }

// True when one of the eight bytes ends a run of plain string characters.
constexpr bool EndsRun(uint64_t word) {
  const uint64_t control = (word - Repeat(0x20)) & ~word & Repeat(0x80);
  return (ZeroBytes(word ^ Repeat('"')) | ZeroBytes(word ^ Repeat('\\')) | control) != 0;
}

bool EndsRun(char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20; }

// Moves over plain characters, eight at a time. The padding stops it at the end of the text.
void CopyRun(ScanStream* s) {
  uint64_t word;
  if (s->dst == s->src) {  // no escape yet in this string: nothing moves
    char* p = s->src;
    for (std::memcpy(&word, p, 8); !EndsRun(word); std::memcpy(&word, p, 8)) p += 8;
    while (!EndsRun(*p)) ++p;
    s->src = s->dst = p;
    return;
  }
  for (std::memcpy(&word, s->src, 8); !EndsRun(word); std::memcpy(&word, s->src, 8)) {
    std::memcpy(s->dst, &word, 8);
    s->src += 8;
    s->dst += 8;
  }
  while (!EndsRun(*s->src)) *s->dst++ = *s->src++;
}

}  // namespace
}  // namespace seekroute

// RapidJSON's hook for skipping plain characters in bulk; its own versions need SSE or NEON.
template <>
template <>
inline void rapidjson::GenericReader<rapidjson::UTF8<>, rapidjson::UTF8<>>::ScanCopyUnescapedString<
    seekroute::ScanStream, seekroute::ScanStream>(seekroute::ScanStream& is,
                                                  seekroute::ScanStream&) {
  seekroute::CopyRun(&is);
}

namespace seekroute {
namespace {

// The code unit of a \uXXXX escape at `at`, or -1.
int CodeUnitAt(std::string_view text, size_t at) {
  if (text.size() - at < 6 || text[at] != '\\' || text[at + 1] != 'u') return -1;
  int unit = 0;
  for (size_t i = at + 2; i < at + 6; ++i) {
    const int digit = HexValue(text[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

// Calls found(position) for each \uXXXX that is half of a surrogate pair without its other half.
template <typename Found>
void ForEachLoneSurrogate(std::string_view text, Found found) {
  // A backslash outside a string is an error anyway, so strings need not be told apart.
  size_t at = text.find('\\');
  while (at != std::string_view::npos && at + 1 < text.size()) {
    const int unit = text[at + 1] == 'u' ? CodeUnitAt(text, at) : -1;
    if (unit >= 0xD800 && unit <= 0xDFFF) {
      const int next = at + 6 <= text.size() ? CodeUnitAt(text, at + 6) : -1;
      if (unit <= 0xDBFF && next >= 0xDC00 && next <= 0xDFFF) {
        at += 12;
      } else {
        found(at);
        at += 6;
      }
    } else {
      at += 2;
    }
    if (at >= text.size()) return;
    if (text[at] != '\\') at = text.find('\\', at);
  }
}

bool HasLoneSurrogate(std::string_view text) {
  bool lone = false;
  ForEachLoneSurrogate(text, [&lone](size_t) { lone = true; });
  return lone;
}

// RapidJSON lets some numbers pass whose value is beyond a double.
bool IsBeyondDouble(std::string_view number) {
  // Not find_first_of(): it takes a call a digit, of which an embedding has thousands.
  const auto* const e = std::ranges::find_if(number, [](char c) { return c == 'e' || c == 'E'; });
  if (e == number.end() || e[1] == '-') return false;
  double value = 0;
  return std::from_chars(number.data(), number.data() + number.size(), value).ec ==
         std::errc::result_out_of_range;
}

std::string_view Describe(rapidjson::ParseErrorCode code) {
  switch (code) {
    case rapidjson::kParseErrorDocumentEmpty:
      return "the text is empty";
    case rapidjson::kParseErrorDocumentRootNotSingular:
      return "something follows the value";
    case rapidjson::kParseErrorObjectMissName:
      return "expected a member name in double quotes";
    case rapidjson::kParseErrorObjectMissColon:
      return "expected ':' after a member name";
    case rapidjson::kParseErrorObjectMissCommaOrCurlyBracket:
      return "expected ',' or '}' after a member";
    case rapidjson::kParseErrorArrayMissCommaOrSquareBracket:
      return "expected ',' or ']' after an element";
    case rapidjson::kParseErrorStringUnicodeEscapeInvalidHex:
      return "expected four hex digits after \\u";
    case rapidjson::kParseErrorStringEscapeInvalid:
      return "a string has an unknown escape or a raw control character";
    case rapidjson::kParseErrorStringMissQuotationMark:
      return "a string is not closed";
    case rapidjson::kParseErrorNumberTooBig:
      return "a number is beyond the range of a double";
    case rapidjson::kParseErrorNumberMissFraction:
      return "expected digits after the decimal point";
    case rapidjson::kParseErrorNumberMissExponent:
      return "expected digits in the exponent";
    default:
      return "expected a JSON value";
  }
}

Error InvalidJson(std::string_view why, size_t offset) {
  return MakeError(ErrorCode::kInvalidJson,
                   "invalid JSON at byte " + std::to_string(offset) + ": " + std::string(why));
}

}  // namespace

// Translates RapidJSON's events into places and ranges.
class JsonHandler {
 public:
  JsonHandler(std::string_view text, const ScanStream* stream, JsonKeys keys, bool lone_surrogates,
              JsonSink* sink)
      : text_(text),
        stream_(stream),
        sink_(sink),
        unique_keys_(keys == JsonKeys::kUnique),
        lone_surrogates_(lone_surrogates) {}

  bool Null() { return Literal(JsonType::kNull, 4); }
  bool Bool(bool value) {
    return value ? Literal(JsonType::kTrue, 4) : Literal(JsonType::kFalse, 5);
  }
  // Numbers arrive by RawNumber alone (kParseNumbersAsStringsFlag).
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(int64_t) { return false; }
  bool Uint64(uint64_t) { return false; }
  bool Double(double) { return false; }

  // RapidJSON 1.1.0 passes a pointer behind the number here; the position is right.
  bool RawNumber(const char*, rapidjson::SizeType length, bool) {
    NextElement();
    const size_t end = stream_->Tell();
    const ByteRange range{end - length, end};
    const std::string_view number = range.In(text_);
    if (IsBeyondDouble(number)) {
      error_ = InvalidJson(Describe(rapidjson::kParseErrorNumberTooBig), range.begin);
      return false;
    }
    return Skipped() || Tell({JsonType::kNumber, range, number, false});
  }

  bool String(const char* text, rapidjson::SizeType length, bool) {
    NextElement();
    if (Skipped()) return true;
    const ByteRange range{static_cast<size_t>(text - stream_->head) - 1, stream_->Tell()};
    const bool lone = lone_surrogates_ && HasLoneSurrogate(range.In(text_));
    return Tell({JsonType::kString, range, {text, length}, lone});
  }

  bool StartObject() { return Open(JsonType::kObject); }
  bool StartArray() { return Open(JsonType::kArray); }
  bool EndObject(rapidjson::SizeType) { return Close(JsonType::kObject); }
  bool EndArray(rapidjson::SizeType) { return Close(JsonType::kArray); }

  bool Key(const char* text, rapidjson::SizeType length, bool) {
    JsonPlace::Frame& frame = Top();
    frame.key_text = text;
    frame.key_size = length;
    frame.key_begin = static_cast<size_t>(text - stream_->head) - 1;
    frame.key_end = stream_->Tell();
    if (!unique_keys_) return true;
    if (lone_surrogates_ && HasLoneSurrogate(place_.key_range().In(text_))) {
      error_ = MakeError(ErrorCode::kInvalidUnicode, "expected key names without lone surrogates",
                         place_.Path());
      return false;
    }
    return AddKey(&frame);
  }

  // Why the parse was ended by this handler.
  const Error& error() const { return error_; }

 private:
  JsonPlace::Frame& Top() { return place_.frames_[static_cast<size_t>(place_.depth_)]; }
  bool Skipped() { return place_.depth_ > 0 && Top().skipped; }
  void NextElement() {
    JsonPlace::Frame& frame = Top();
    frame.index += frame.is_object ? 0 : 1;
  }

  bool Tell(const JsonValue& value) {
    if (sink_->OnScalar(place_, value)) return true;
    error_ = sink_->failure();
    return false;
  }

  bool Literal(JsonType type, size_t length) {
    NextElement();
    const size_t end = stream_->Tell();
    return Skipped() || Tell({type, {end - length, end}, {}, false});
  }

  bool Open(JsonType type) {
    NextElement();
    if (place_.depth_ == kMaxJsonDepth) {
      error_ =
          MakeError(ErrorCode::kJsonTooDeep, "expected JSON nested at most " +
                                                 std::to_string(kMaxJsonDepth) + " levels deep");
      return false;
    }
    bool skipped = Skipped();
    if (!skipped) {
      const JsonSink::Step step = sink_->OnOpen(place_, type);
      if (step == JsonSink::Step::kStop) {
        error_ = sink_->failure();
        return false;
      }
      skipped = step == JsonSink::Step::kSkip;
    }
    ++place_.depth_;
    JsonPlace::Frame& frame = Top();
    frame.is_object = type == JsonType::kObject;
    frame.skipped = skipped;
    frame.key_text = nullptr;
    frame.key_size = 0;
    frame.key_begin = frame.key_end = stream_->Tell();
    frame.index = -1;
    frame.begin = stream_->Tell() - 1;
    frame.first_key = keys_.size();
    frame.sort_keys = false;
    return true;
  }

  bool Close(JsonType type) {
    JsonPlace::Frame& frame = Top();
    if (unique_keys_ && frame.is_object) {
      if (frame.sort_keys && !SortedKeysDiffer(&frame)) return false;
      keys_.resize(frame.first_key);
    }
    const ByteRange range{frame.begin, stream_->Tell()};
    --place_.depth_;
    if (Skipped()) return true;
    if (sink_->OnClose(place_, {type, range, {}, false})) return true;
    error_ = sink_->failure();
    return false;
  }

  bool AddKey(JsonPlace::Frame* frame) {
    const size_t count = keys_.size() - frame->first_key;
    const std::string_view key = place_.key();
    if (count >= kFewKeys) {
      frame->sort_keys = true;
    } else {
      for (size_t i = frame->first_key; i < keys_.size(); ++i) {
        if (keys_[i] == key) return Duplicate();
      }
    }
    keys_.push_back(key);
    return true;
  }

  // No hashing: a client could choose keys that collide.
  bool SortedKeysDiffer(JsonPlace::Frame* frame) {
    const auto begin = keys_.begin() + static_cast<std::ptrdiff_t>(frame->first_key);
    std::sort(begin, keys_.end(), [](std::string_view a, std::string_view b) {
      return a.size() != b.size() ? a.size() < b.size() : a < b;
    });
    const auto twin = std::adjacent_find(begin, keys_.end());
    if (twin == keys_.end()) return true;
    frame->key_text = twin->data();
    frame->key_size = twin->size();
    return Duplicate();
  }

  bool Duplicate() {
    error_ = MakeError(ErrorCode::kDuplicateKey, "expected every key of an object only once",
                       place_.Path());
    return false;
  }

  const std::string_view text_;
  const ScanStream* const stream_;
  JsonSink* const sink_;
  const bool unique_keys_;
  const bool lone_surrogates_;
  JsonPlace place_;
  std::vector<std::string_view> keys_;  // of all open objects, decoded, in the scan's copy
  Error error_;
};

namespace {

Status ScanCopy(std::string_view text, char* copy, JsonKeys keys, JsonSink* sink) {
  std::memcpy(copy, text.data(), text.size());
  std::memset(copy + text.size(), 0, kPadding);
  bool lone_surrogates = false;
  ForEachLoneSurrogate(text, [&](size_t at) {
    // RapidJSON refuses these; an escape of the same length keeps every position.
    kReplacementEscape.copy(copy + at, kReplacementEscape.size());
    lone_surrogates = true;
  });

  ScanStream stream{copy, copy, copy};
  JsonHandler handler(text, &stream, keys, lone_surrogates, sink);
  rapidjson::Reader reader;
  constexpr unsigned kFlags = rapidjson::kParseInsituFlag | rapidjson::kParseNumbersAsStringsFlag;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, handler);
  if (result.Code() == rapidjson::kParseErrorTermination) return handler.error();
  if (result.IsError()) {
    const std::string_view at = text.substr(std::min(result.Offset(), text.size()));
    // What Python's encoder writes all the same.
    const bool not_finite = at.starts_with("NaN") || at.starts_with("Infinity");
    return InvalidJson(not_finite ? "JSON has no NaN and no Infinity" : Describe(result.Code()),
                       result.Offset());
  }
  // A NUL byte looks like the end to RapidJSON.
  if (stream.Tell() != text.size())
    return InvalidJson("something follows the value", stream.Tell());
  return {};
}

}  // namespace

Status ScanJson(std::string_view text, JsonKeys keys, JsonSink* sink) {
  if (!IsValidUtf8(text)) return MakeError(ErrorCode::kInvalidJson, "expected JSON in valid UTF-8");
  if (text.empty()) return InvalidJson(Describe(rapidjson::kParseErrorDocumentEmpty), 0);
  if (text.size() <= kStackCopy) {
    char copy[kStackCopy + kPadding];
    return ScanCopy(text, copy, keys, sink);
  }
  const auto copy = std::make_unique_for_overwrite<char[]>(text.size() + kPadding);
  return ScanCopy(text, copy.get(), keys, sink);
}

std::string_view NameOf(JsonType type) {
  switch (type) {
    case JsonType::kNull:
      return "null";
    case JsonType::kFalse:
    case JsonType::kTrue:
      return "a boolean";
    case JsonType::kNumber:
      return "a number";
    case JsonType::kString:
      return "a string";
    case JsonType::kObject:
      return "an object";
    case JsonType::kArray:
      return "an array";
  }
  return "a value";
}

std::string JsonPlace::Path() const {
  std::string path;
  for (int level = 1; level <= depth_ && path.size() <= kMaxPath; ++level) {
    const Frame& at = frame(level);
    if (at.is_object) {
      if (!path.empty()) path += '.';
      path += key(level).substr(0, kMaxPath + 1);
    } else if (at.index >= 0) {
      path += '[' + std::to_string(at.index) + ']';
    }
  }
  if (path.size() <= kMaxPath) return path;
  size_t cut = kMaxPath - 3;
  while (cut > 0 && (static_cast<unsigned char>(path[cut]) & 0xC0) == 0x80) --cut;
  return path.substr(0, cut) + "...";
}

}  // namespace seekroute
