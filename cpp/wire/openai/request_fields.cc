#include "wire/openai/request_fields.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "base/letter_case.h"
#include "wire/openai/chat_request.h"
#include "wire/traits.h"

namespace seekroute {
namespace {

using enum FieldKind;

// JSON numbers are exact up to here in every client and provider.
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
    Plain("zdr", kRouting),
    // Of any size: its bytes pass, and 64 bits of them mean something to OpenAI.
    Integer("seed", std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()),
    Plain("stop", kStringOrArray),
    Plain("user", kUser),
    {"audio", kObject, FieldUse::kSpeech},
    Plain("min_p", kNumber),
    Plain("model", kModel),
    Plain("route", kRouting),
    Plain("store", kBoolean),
    {"think", kAny, FieldUse::kReasoning},
    Plain("tools", kTools),
    Plain("top_a", kAny),
    Integer("top_k", -1),
    {"top_p", kNumber, FieldUse::kTopP},
    Plain("usage", kGiven),
    {"images", kAny, FieldUse::kFetches},
    Plain("models", kRouting),
    Plain("preset", kElsewhere),
    {"prompt", kAny, FieldUse::kFetches},
    Plain("stream", kStream),
    Plain("api_key", kForeign),
    Plain("best_of", kOtherChoices),
    {"grammar", kAny, FieldUse::kRead},
    Plain("headers", kForeign),
    {"plugins", kElsewhere, FieldUse::kPlugins},
    Plain("routing", kElsewhere),
    Plain("user_id", kAny),
    Plain("api_base", kForeign),
    Plain("base_url", kForeign),
    {"file_ids", kAny, FieldUse::kFetches},
    Plain("logprobs", kBoolean),
    Plain("max_cost", kMaxCost),
    Plain("messages", kMessages),
    Plain("metadata", kAny),
    Plain("provider", kRouting),
    {"thinking", kAny, FieldUse::kReasoning},
    Plain("do_sample", kAny),
    {"documents", kAny, FieldUse::kSchema},
    Plain("fallbacks", kElsewhere),
    Plain("functions", kTools),
    Plain("maxTokens", kOtherLength),
    Plain("n_predict", kOtherLength),
    Plain("num_beams", kOtherChoices),
    Plain("reasoning", kReasoning),
    Plain("verbosity", kAny),
    {"context_id", kAny, FieldUse::kFetches},
    Plain("extra_body", kElsewhere),
    Plain("ignore_eos", kAny),
    Plain("keep_alive", kAny),
    Plain("logit_bias", kObject),
    Plain("max_length", kOtherLength),
    Integer("max_tokens", 1, kExact, FieldUse::kMaxTokens),
    {"modalities", kArray, FieldUse::kModalities},
    Plain("model_list", kElsewhere),
    {"prediction", kObject, FieldUse::kPrediction},
    Plain("request_id", kAny),
    Plain("session_id", kRouting),
    Plain("transforms", kElsewhere),
    {"web_search", kAny, FieldUse::kFetches},
    Plain("extra_query", kElsewhere),
    {"guided_json", kAny, FieldUse::kRead},
    {"json_schema", kAny, FieldUse::kRead},
    Plain("max_gen_len", kOtherLength),
    Plain("num_predict", kOtherLength),
    {"safe_prompt", kAny, FieldUse::kRead},
    {"search_mode", kAny, FieldUse::kRead},
    {"temperature", kNumber, FieldUse::kTemperature},
    {"tool_choice", kStringOrObject, FieldUse::kRead},
    Plain("tool_stream", kAny),
    Plain("user_config", kElsewhere),
    Plain("cache_prompt", kAny),
    {"conversation", kAny, FieldUse::kFetches},
    {"data_sources", kAny, FieldUse::kFetches},
    {"guided_regex", kAny, FieldUse::kRead},
    {"image_config", kAny, FieldUse::kSpeech},
    Plain("maxNewTokens", kOtherLength),
    {"service_tier", kString, FieldUse::kServiceTier},
    Integer("top_logprobs", 0),
    Plain("chat_template", kAnyPrompt),
    {"enable_search", kAny, FieldUse::kFetches},
    Plain("extra_headers", kElsewhere),
    {"function_call", kStringOrObject, FieldUse::kRead},
    {"guided_choice", kAny, FieldUse::kRead},
    {"return_images", kAny, FieldUse::kRead},
    {"cached_content", kAny, FieldUse::kFetches},
    Plain("candidateCount", kOtherChoices),
    {"disable_search", kAny, FieldUse::kRead},
    {"guided_grammar", kAny, FieldUse::kRead},
    Plain("max_gen_tokens", kOtherLength),
    Plain("max_new_tokens", kOtherLength),
    {"search_options", kAny, FieldUse::kFetches},
    Plain("stop_sequences", kAny),
    Plain("stop_token_ids", kAny),
    Plain("stream_options", kStreamOptions),
    Plain("candidate_count", kOtherChoices),
    {"compound_custom", kAny, FieldUse::kFetches},
    Plain("data_collection", kRouting),
    {"enable_thinking", kAny, FieldUse::kReasoning},
    Plain("fallback_models", kElsewhere),
    Plain("maxOutputTokens", kOtherLength),
    Plain("num_generations", kOtherChoices),
    Plain("providerOptions", kElsewhere),
    Plain("reasoning_split", kAny),
    {"response_format", kObject, FieldUse::kSchema},
    {"return_progress", kAny, FieldUse::kProgress},
    Integer("thinking_budget", -1, kExact, FieldUse::kReasoningBudget),
    Plain("use_beam_search", kOtherChoices),
    Plain("presence_penalty", kNumber),
    {"prompt_cache_key", kAny, FieldUse::kCacheKey},
    Plain("provider_options", kElsewhere),
    {"reasoning_effort", kString, FieldUse::kEffort},
    Plain("reasoning_format", kAny),
    Plain("return_token_ids", kAny),
    Plain("stream_reasoning", kAny),
    {"vector_store_ids", kAny, FieldUse::kFetches},
    {"enable_web_search", kAny, FieldUse::kFetches},
    Plain("frequency_penalty", kNumber),
    Plain("include_reasoning", kIncludeReasoning),
    Plain("max_output_tokens", kOtherLength),
    {"output_modalities", kAny, FieldUse::kSpeech},
    Plain("safety_identifier", kAny),
    {"search_parameters", kAny, FieldUse::kFetches},
    Plain("add_special_tokens", kAny),
    Plain("repetition_penalty", kNumber),
    {"responseModalities", kAny, FieldUse::kSpeech},
    Plain("separate_reasoning", kAny),
    {"structured_outputs", kAny, FieldUse::kRead},
    {"web_search_options", kAny, FieldUse::kFetches},
    Plain("custom_llm_provider", kForeign),
    Plain("maxCompletionTokens", kOtherLength),
    Plain("parallel_tool_calls", kBoolean),
    {"response_modalities", kAny, FieldUse::kSpeech},
    {"search_context_size", kAny, FieldUse::kRead},
    Plain("skip_special_tokens", kAny),
    {"chat_template_kwargs", kAny, FieldUse::kTemplate},
    Plain("max_tokens_to_sample", kOtherLength),
    Plain("num_return_sequences", kOtherChoices),
    {"previous_response_id", kAny, FieldUse::kFetches},
    {"search_domain_filter", kAny, FieldUse::kRead},
    Plain("add_generation_prompt", kAny),
    Plain("max_completion_length", kOtherLength),
    Integer("max_completion_tokens", 1, kExact, FieldUse::kMaxCompletionTokens),
    {"search_recency_filter", kAny, FieldUse::kRead},
    Plain("continue_final_message", kAny),
    Plain("prompt_cache_retention", kAny),
    {"search_language_filter", kAny, FieldUse::kRead},
    Plain("guided_decoding_backend", kAny),
    Plain("content_policy_fallbacks", kElsewhere),
    Plain("context_window_fallbacks", kElsewhere),
    {"return_related_questions", kAny, FieldUse::kRead},
    {"search_after_date_filter", kAny, FieldUse::kRead},
    {"search_before_date_filter", kAny, FieldUse::kRead},
    Plain("include_stop_str_in_output", kAny),
    Plain("spaces_between_special_tokens", kAny),
});

constexpr bool IsSorted() {
  for (size_t i = 1; i < kFields.size(); ++i) {
    if (!Before(kFields[i - 1].name, kFields[i].name)) return false;
  }
  return true;
}
static_assert(IsSorted(), "a name stands where it is looked for, and once");

constexpr size_t kLongestField = kFields.back().name.size();

constexpr bool BeforeFolded(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  if (a.size() != b.size()) return a.size() < b.size();
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [lower](char x, char y) { return lower(x) < lower(y); });
}

// The table by length, then by the names in small letters. A request may have a million fields that
// nobody knows: looking up one of them takes a few comparisons, not one with each name.
constexpr auto kByFolded = [] {
  std::array<uint8_t, kFields.size()> order{};
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint8_t>(i);
  std::sort(order.begin(), order.end(),
            [](uint8_t a, uint8_t b) { return BeforeFolded(kFields[a].name, kFields[b].name); });
  return order;
}();
static_assert(kFields.size() < 256);
static_assert(std::adjacent_find(kByFolded.begin(), kByFolded.end(), [](uint8_t a, uint8_t b) {
                return !BeforeFolded(kFields[a].name, kFields[b].name);
              }) == kByFolded.end());

constexpr auto kParameterOf = [] {
  std::array<int, kFields.size()> places{};
  for (size_t i = 0; i < places.size(); ++i) {
    const auto at = PlaceIn(kParameterNames, kFields[i].name);
    places[i] = at ? static_cast<int>(*at) : -1;
  }
  return places;
}();

constexpr bool IsRefused(FieldKind kind) {
  return kind == kForeign || kind == kOtherLength || kind == kOtherChoices || kind == kAnyPrompt;
}

constexpr size_t CountUnsent() {
  return static_cast<size_t>(std::count_if(kFields.begin(), kFields.end(), [](const FieldRule& f) {
    return f.kind == kElsewhere || f.kind == kRouting || f.kind == kMaxCost || f.kind == kGiven ||
           f.kind == kReasoning || f.kind == kIncludeReasoning || IsRefused(f.kind);
  }));
}
static_assert(CountUnsent() <= kMostUnsent, "a body has edits for so many");

// Digits, a point between two of them, an exponent: as JSON writes numbers, but for zeros before.
bool IsDecimal(std::string_view text) {
  const auto take_digits = [&text] {
    const size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(count);
    return count > 0;
  };
  if (!take_digits()) return false;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (!take_digits()) return false;
  }
  if (!text.starts_with('e') && !text.starts_with('E')) return text.empty();
  text.remove_prefix(1);
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  return take_digits() && text.empty();
}

void AppendNumber(double number, std::string* out) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  out->append(text.data(), end);
}

}  // namespace

std::string_view RefusalOf(FieldKind kind) {
  switch (kind) {
    case kForeign:
      return "this field would change the route and is not accepted";
    case kOtherLength:
      return "the length of an answer is given as 'max_tokens' or 'max_completion_tokens': this "
             "field is not accepted";
    case kOtherChoices:
      return "the number of answers is given as 'n': this field is not accepted";
    case kAnyPrompt:
      return "with this field a prompt may get any length: it is not accepted";
    case kOtherSpelling:
      return "this field is known in another letter case, in which some providers would read it: "
             "send it as it is documented";
    default:
      return {};
  }
}

FieldRule FieldNamed(std::string_view name) {
  std::array<char, kLongestField> buffer;
  const std::optional<std::string_view> folded = Folded(name, buffer);
  if (!folded) return {.use = FieldUse::kUnknown};
  const auto* const found = std::lower_bound(
      kByFolded.begin(), kByFolded.end(), *folded,
      [](uint8_t at, std::string_view key) { return BeforeFolded(kFields[at].name, key); });
  if (found == kByFolded.end() || BeforeFolded(*folded, kFields[*found].name)) {
    return {.use = FieldUse::kUnknown};
  }
  FieldRule rule = kFields[*found];
  // Servers in Go take names in any letter case, and the last one wins: a second `Model` would
  // choose past what was admitted and priced.
  if (rule.name != name) return Plain(rule.name, kOtherSpelling);
  rule.parameter = kParameterOf[*found];
  return rule;
}

bool IsAbsent(FieldKind kind, JsonType type) { return type == JsonType::kNull && IsRefused(kind); }

bool AsksForOneAnswer(FieldKind kind, JsonType type, std::string_view number) {
  if (kind != kOtherChoices) return false;
  return type == JsonType::kFalse || (type == JsonType::kNumber && WholeNumber(number) == 1);
}

std::optional<int64_t> WholeNumber(std::string_view text) {
  const Decimal number = ReadDecimal(text);
  if (number.power < 0) return std::nullopt;
  using Limits = std::numeric_limits<int64_t>;
  return number.Integer().value_or(number.is_negative ? Limits::min() : Limits::max());
}

bool MayBe(FieldKind kind, JsonType type) {
  if (kind == kAny || kind == kElsewhere || kind == kRouting || kind == kGiven) return true;
  if (kind == kReasoning || kind == kIncludeReasoning) return true;
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
    case kMaxCost:
      return type == JsonType::kNumber || type == JsonType::kString;
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
    case kMaxCost:
      return "a number or a string of USD";
    case kStringOrArray:
      return "a string or an array";
    case kStringOrObject:
      return "a string or an object";
    default:
      return "nothing";
  }
}

Result<Money> ParseUsdLimit(std::string_view text) {
  constexpr int64_t kNanoDigits = 9;
  const auto fail = [text](std::string_view why) {
    return MakeError(ErrorCode::kInvalidValue,
                     "expected an amount of USD such as 0.02 or \"0.02\", " + std::string(why) +
                         ", got " + std::string(text.substr(0, 32)));
  };
  if (text.starts_with('-')) return fail("not negative");
  if (!IsDecimal(text)) return fail("in digits");
  Decimal nano = ReadDecimal(text);
  nano.power += kNanoDigits;
  if (nano.power < 0) {
    const auto below = static_cast<size_t>(std::min(-nano.power, std::ssize(nano.digits)));
    nano.digits.resize(nano.digits.size() - below);
    nano.power = 0;
  }
  const std::optional<int64_t> amount = nano.Integer();
  if (!amount) return fail("at most 9e9");
  return Money{*amount};
}

std::string RangeText(std::optional<double> min, std::optional<double> max) {
  std::string text = min && max ? "from " : min ? "of at least " : "of at most ";
  if (min) AppendNumber(*min, &text);
  if (min && max) text += " to ";
  if (max) AppendNumber(*max, &text);
  return text;
}

}  // namespace seekroute
