#include "wire/request_fields.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "wire/chat_request.h"

namespace seekroute {
namespace {

using enum FieldKind;

// JSON numbers are exact up to here in every client and provider (reliability: 2^53).
constexpr int64_t kExact = int64_t{1} << 53;

constexpr FieldRule Plain(std::string_view name, FieldKind kind) { return {name, kind}; }
constexpr FieldRule Integer(std::string_view name, int64_t min, int64_t max = kExact,
                            FieldUse use = FieldUse::kNone) {
  return {name, kInteger, use, min, max};
}

constexpr bool Before(std::string_view a, std::string_view b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

// By length, then by name.
constexpr auto kFields = std::to_array<FieldRule>({
    Integer("n", 1, kMaxChoices, FieldUse::kChoices),
    Integer("seed", -kExact),
    Plain("stop", kStringOrArray),
    Plain("user", kUser),
    Plain("audio", kObject),
    Plain("min_p", kNumber),
    Plain("model", kModel),
    Plain("store", kBoolean),
    Plain("tools", kTools),
    Integer("top_k", -1),
    {"top_p", kNumber, FieldUse::kTopP},
    Plain("stream", kStream),
    Plain("api_key", kForeign),
    Plain("headers", kForeign),
    Plain("api_base", kForeign),
    Plain("base_url", kForeign),
    Plain("logprobs", kBoolean),
    Plain("messages", kMessages),
    Plain("functions", kTools),
    Plain("logit_bias", kObject),
    Integer("max_tokens", 1, kExact, FieldUse::kMaxTokens),
    Plain("modalities", kArray),
    Plain("prediction", kObject),
    {"temperature", kNumber, FieldUse::kTemperature},
    Plain("tool_choice", kStringOrObject),
    Plain("service_tier", kString),
    Integer("top_logprobs", 0),
    Plain("function_call", kStringOrObject),
    Plain("stream_options", kStreamOptions),
    Plain("response_format", kObject),
    Plain("presence_penalty", kNumber),
    Plain("reasoning_effort", kString),
    Plain("frequency_penalty", kNumber),
    Plain("repetition_penalty", kNumber),
    Plain("custom_llm_provider", kForeign),
    Plain("parallel_tool_calls", kBoolean),
    Integer("max_completion_tokens", 1, kExact, FieldUse::kMaxTokens),
});

constexpr bool IsSorted() {
  for (size_t i = 1; i < kFields.size(); ++i) {
    if (!Before(kFields[i - 1].name, kFields[i].name)) return false;
  }
  return true;
}
static_assert(IsSorted(), "FieldNamed() searches the table by length, then by name");

void AppendNumber(double number, std::string* out) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  out->append(text.data(), end);
}

}  // namespace

FieldRule FieldNamed(std::string_view name) {
  const auto* const found = std::lower_bound(
      kFields.begin(), kFields.end(), name,
      [](const FieldRule& rule, std::string_view key) { return Before(rule.name, key); });
  if (found == kFields.end() || found->name != name) return {};
  return *found;
}

bool MayBe(FieldKind kind, JsonType type) {
  if (kind == kAny) return true;
  if (type == JsonType::kNull) return kind != kModel && kind != kMessages;
  switch (kind) {
    case kModel:
    case kUser:
    case kString:
      return type == JsonType::kString;
    case kMessages:
    case kTools:
    case kArray:
      return type == JsonType::kArray;
    case kStream:
    case kBoolean:
      return type == JsonType::kTrue || type == JsonType::kFalse;
    case kStreamOptions:
    case kObject:
      return type == JsonType::kObject;
    case kInteger:
    case kNumber:
      return type == JsonType::kNumber;
    case kStringOrArray:
      return type == JsonType::kString || type == JsonType::kArray;
    case kStringOrObject:
      return type == JsonType::kString || type == JsonType::kObject;
    default:
      return false;
  }
}

std::string_view ExpectedBy(FieldKind kind) {
  switch (kind) {
    case kModel:
    case kUser:
    case kString:
      return "a string";
    case kMessages:
    case kTools:
    case kArray:
      return "an array";
    case kStream:
    case kBoolean:
      return "a boolean";
    case kStreamOptions:
    case kObject:
      return "an object";
    case kInteger:
      return "an integer";
    case kNumber:
      return "a number";
    case kStringOrArray:
      return "a string or an array";
    case kStringOrObject:
      return "a string or an object";
    default:
      return "nothing";
  }
}

std::string RangeText(std::optional<double> min, std::optional<double> max) {
  std::string text = min && max ? "from " : min ? "of at least " : "of at most ";
  if (min) AppendNumber(*min, &text);
  if (min && max) text += " to ";
  if (max) AppendNumber(*max, &text);
  return text;
}

}  // namespace seekroute
