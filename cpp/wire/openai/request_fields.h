// Internal to wire/: the fields of a chat request that are checked, as a table. What is not in it
// passes as it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/money.h"
#include "base/result.h"
#include "wire/json/json_scan.h"

namespace seekroute {

// What a field may hold. null means "not given" for all but model and messages, as with OpenAI.
enum class FieldKind : uint8_t {
  kAny,
  kModel,
  kMessages,
  kStream,
  kStreamOptions,
  kTools,
  kUser,
  kMaxCost,  // a decimal number of USD, or a string that holds one
  kInteger,
  kNumber,
  kBoolean,
  kString,
  kObject,
  kArray,
  kStringOrArray,
  kStringOrObject,
  kForeign,        // would change where the request goes, or with whose key: refused
  kOtherLength,    // how long the answer may get, in a name of one server's own: refused
  kOtherChoices,   // how many answers are made, likewise: refused
  kAnyPrompt,      // makes a prompt of any length: refused
  kOtherSpelling,  // a name of the table in other letter case: refused
  kElsewhere,      // would choose among models, providers or prices behind the upstream: never sent
  kRouting,        // says where the request may go: for the gateway, never sent
  kGiven,          // OpenRouter's, asks for what every answer has here: never sent
  kReasoning,      // OpenRouter's object
  kIncludeReasoning,  // OpenRouter's older word
};

// So many names are never sent; each that a request has is one edit of its body, of which a Splice
// holds a bounded number.
inline constexpr size_t kMostUnsent = 52;

// Fields that the gateway acts on or whose range the profile knows.
enum class FieldUse : uint8_t {
  kNone,
  kChoices,
  kMaxTokens,
  kMaxCompletionTokens,
  kReasoningBudget,
  kTemperature,
  kTopP,
  kServiceTier,
  kSpeech,      // asks for an answer that is heard
  kModalities,  // says what the answer may be
  kSchema,      // the model reads it
  kRead,        // the model may read it: an upstream knows, we do not
  kPrediction,  // likewise; what the answer does not take of it is billed as if it were in it
  kFetches,     // has the provider put something into the prompt that is not in the request
  kUnknown,     // likewise, for all that is known: read, and in the place of anything
  kProgress,    // asks to be told how far the prompt was read
  kEffort,      // how much the model shall think
  kReasoning,   // may ask for thinking
  kTemplate,    // likewise, and the model may read it
  kCacheKey,    // names what requests with a common beginning share
  kPlugins,     // may say how a model is chosen
};

struct FieldRule {
  std::string_view name;
  FieldKind kind = FieldKind::kAny;
  FieldUse use = FieldUse::kNone;
  int64_t min = 0;  // of integers
  int64_t max = 0;
  int parameter = -1;  // its place in kParameterNames; -1: it has none there

  // Whether what is in it may stand for more than its bytes.
  bool may_hold_media() const { return use == FieldUse::kFetches || use == FieldUse::kUnknown; }
};

// The rule for a top-level field; kAny and kUnknown for one that is not in the table.
FieldRule FieldNamed(std::string_view name);

// Why a field of that kind is refused; empty: it is not.
std::string_view RefusalOf(FieldKind kind);

// Whether a field that is refused was not given after all: SDKs send null for what is not set. It
// is not sent on, as a server may refuse its name.
bool IsAbsent(FieldKind kind, JsonType type);

// Whether a field of kOtherChoices asks for what there is without it: SDKs of other servers send
// their defaults. `number` as written.
bool AsksForOneAnswer(FieldKind kind, JsonType type, std::string_view number);

// The integer that a JSON number is, in whatever form: "100", "100.0", "1e2". Nothing: it has a
// fraction. Beyond 64 bits, the least or the largest of its type: a range refuses both.
std::optional<int64_t> WholeNumber(std::string_view text);

bool MayBe(FieldKind kind, JsonType type);

// "a string or an array": what MayBe() accepts, null left out.
std::string_view ExpectedBy(FieldKind kind);

// Reads USD as JSON numbers are written ("0.02", "1e-3", "2.5E+1"): exactly, what is below a
// nano-USD cut off, which no cost can tell apart. Fails with kInvalidValue, without a param, when
// negative, out of Money's range, or no number.
Result<Money> ParseUsdLimit(std::string_view text);

// "from 0 to 2", "of at least 0", "of at most 2".
std::string RangeText(std::optional<double> min, std::optional<double> max);

}  // namespace seekroute
