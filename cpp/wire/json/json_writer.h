// Writes JSON, piece by piece, at the end of a string.
#pragma once

#include <array>
#include <bitset>
#include <charconv>
#include <concepts>
#include <limits>
#include <string>
#include <string_view>

#include "base/money.h"
#include "wire/json/json.h"

namespace seekroute {

// The name of a member, as a literal: it is written without a look, since nothing in it needs an
// escape, which is known when this is compiled.
class JsonName {
 public:
  consteval JsonName(const char* literal) : text_(literal) {  // NOLINT(google-explicit-constructor)
    for (const char c : text_) {
      if (c < ' ' || c > '~' || c == '"' || c == '\\') NeedsAnEscape();
    }
  }
  std::string_view text() const { return text_; }

 private:
  static void NeedsAnEscape() {}  // no constant

  std::string_view text_;
};

// One value, or the members of an object whose braces somebody else writes. Sets the commas and
// escapes what is text.
//
// A call that does not fit writes nothing: a value without a key in an object, a key anywhere else
// or behind a key, a second value where one is written, an End() of nothing. Of a container that
// does not fit, or that is nested deeper than kMaxJsonDepth, nothing is written up to its End(). So
// what stands in the string once all is ended is JSON, whatever was called.
//
// Owns nothing: the string outlives it, and nobody else appends meanwhile. Allocates nothing but
// what the string takes. Not thread-safe.
class JsonWriter {
 public:
  explicit JsonWriter(std::string* out) : out_(out) {}

  // The members alone: "a":1,"b":2. Around them are at most kMaxJsonDepth - 1 containers, of which
  // one counts here.
  static JsonWriter Members(std::string* out);

  JsonWriter& Object() { return Open('{'); }
  JsonWriter& Array() { return Open('['); }
  // Of the innermost that is open. A key that still waits for its value gets null.
  JsonWriter& End();

  JsonWriter& Key(JsonName name);
  // Of any name, in UTF-8 as for String().
  JsonWriter& KeyOf(std::string_view name);

  // In UTF-8; what is not is written as U+FFFD.
  JsonWriter& String(std::string_view text);
  JsonWriter& Bool(std::same_as<bool> auto value) { return Raw(value ? "true" : "false"); }
  JsonWriter& Null() { return Raw("null"); }
  template <std::integral Integral>
  requires(!std::same_as<Integral, bool>) JsonWriter& Integer(Integral value) {
    std::array<char, std::numeric_limits<Integral>::digits10 + 2> digits;  // and a sign
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    return Raw({digits.data(), end});
  }
  // A number of USD, exact. Who wants it as a string writes String(FormatUsd(amount)).
  JsonWriter& Usd(Money amount) { return Raw(FormatUsd(amount)); }

  // `json` must be one JSON value: somebody's bytes, as they are.
  JsonWriter& Raw(std::string_view json);
  // `members` must be members of an object, with commas between them; empty: none.
  JsonWriter& RawMembers(std::string_view members);

 private:
  JsonWriter& Open(char bracket);
  bool in_object() const { return depth_ > 0 && is_object_[static_cast<size_t>(depth_ - 1)]; }
  // Whether a value fits, and with its comma then.
  bool BeginValue();
  bool BeginKey();
  void Separate();

  std::string* out_;
  std::bitset<kMaxJsonDepth> is_object_;  // of the open containers, the outermost first
  int depth_ = 0;
  int base_depth_ = 0;       // of containers that somebody else ends
  int dropped_ = 0;          // open containers of which nothing is written
  bool has_before_ = false;  // something stands before, at this depth
  bool has_key_ = false;     // which waits for its value
};

}  // namespace seekroute
