// How an upstream wants to be asked, and answers, where its dialect leaves it open: facts of one
// endpoint, which the catalog knows.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace seekroute {

inline constexpr std::string_view kMaxTokensField = "max_tokens";
inline constexpr std::string_view kMaxCompletionTokensField = "max_completion_tokens";
inline constexpr std::string_view kReasoningBudgetField = "thinking_budget";

// How long an upstream is told that an answer may get.
struct AnswerCap {
  int64_t tokens = 0;                        // of one choice, > 0
  std::string_view field = kMaxTokensField;  // the provider's name for it: one of the two
  // Tokens of thinking, in kReasoningBudgetField, where those are not among `tokens` and bounded.
  std::optional<int64_t> reasoning = std::nullopt;
};

// How an upstream is told what the thinking of an answer shall be.
enum class ReasoningForm : uint8_t {
  kEffort,  // in `reasoning_effort`, OpenAI's field
  kObject,  // in `reasoning`, OpenRouter's: it came so
  kNone,    // in neither
};

// Fields that some models refuse, whatever stands in them: how to draw and weigh the words.
inline constexpr std::array<std::string_view, 7> kRefusable = {
    "temperature", "top_p",        "presence_penalty", "frequency_penalty",
    "logprobs",    "top_logprobs", "logit_bias"};

// The place of a name in kRefusable; nothing: it is none of them.
constexpr std::optional<size_t> RefusableNamed(std::string_view name) {
  for (size_t i = 0; i < kRefusable.size(); ++i) {
    if (kRefusable[i] == name) return i;
  }
  return std::nullopt;
}

// Which of kRefusable an upstream is not sent, because it would refuse the request for them.
using DroppedFields = std::bitset<kRefusable.size()>;

// Value type.
struct RequestForm {
  std::string cap_field = std::string(kMaxTokensField);  // what it calls the longest answer wanted
  std::string reasoning_budget_field;  // what bounds thinking beside that; empty: nothing does
  ReasoningForm reasoning = ReasoningForm::kEffort;
  DroppedFields dropped;   // what it refuses and, as the operator wants, is not sent
  int64_t dimensions = 0;  // numbers of a vector, where the request names none; 0: unknown
};

}  // namespace seekroute
