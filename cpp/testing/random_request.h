// Chat requests of every shape that an upstream may read something into, and, counted beside the
// bytes and not from them, what it may bill for each at most.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "wire/token_estimate.h"

namespace seekroute::testing {

// One request, and the oracle's count of it. Whatever it is built from says what it costs.
class RandomRequest {
 public:
  explicit RandomRequest(Rng* rng);

  const std::string& body() const { return body_; }
  int64_t choices() const { return choices_; }
  // Tokens of the prompt: a token a byte of text, what a template adds, and media. Where something
  // has no size it may be any context as well.
  int64_t by_bytes() const { return bytes_ + Templates() + media_; }
  bool has_unsized() const { return unsized_; }
  // The same with the plain text counted as the estimate expects it, and definitions of tools and
  // schemas as it expects them indented.
  int64_t by_estimate() const {
    return other_bytes_ + definitions_ + text_.Estimate().tokens + Templates() + media_;
  }
  int64_t heard() const { return heard_; }          // of media: it may be sound
  int64_t predicted() const { return predicted_; }  // tokens of each choice beside its answer
  std::optional<int64_t> thinking() const { return thinking_; }  // the budget, where there is one
  bool only_text() const { return asks_text_ && !asks_others_ && !asks_unknown_; }

 private:
  uint64_t Below(uint64_t bound) { return rng_->Next() % bound; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  int64_t Templates() const { return 16 + 8 * messages_ + 12 * calls_ + 2 * parts_; }

  std::string Noise();

  // What a template writes out as it is.
  std::string Plain(std::string text);
  std::string Text() { return "\"" + Plain(Noise()) + "\""; }

  // JSON that an upstream may write into the prompt, or parse: a token a byte.
  std::string Read(std::string json);

  // A definition of a tool or a schema: a template writes it in a form of its own.
  std::string Defined(std::string json);

  std::string Value(int depth);

  std::string Media(bool heard, std::string json);
  std::string Picture(std::string json);

  // A member of a message or of a part that nobody knows.
  std::string Unknown(std::string_view name);

  std::string Citations();  // a member
  std::string Part();

  std::string Message();

  void AddField();

  Rng* const rng_;
  std::vector<std::string> fields_;
  std::string body_;
  uint64_t used_ = 0;
  int64_t choices_ = 1;
  int64_t messages_ = 0;
  int64_t calls_ = 0;  // of tools
  int64_t parts_ = 0;
  int64_t bytes_ = 0;        // of everything that may be read
  int64_t other_bytes_ = 0;  // of it what is not plain text
  TokenEstimator text_;
  int64_t definitions_ = 0;
  int64_t media_ = 0;
  bool unsized_ = false;
  int64_t heard_ = 0;
  int64_t predicted_ = 0;
  std::optional<int64_t> thinking_;
  bool asks_text_ = false;
  bool asks_others_ = false;
  bool asks_unknown_ = false;  // in a field that nobody knows
};

}  // namespace seekroute::testing
