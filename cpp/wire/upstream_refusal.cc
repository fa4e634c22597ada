#include "wire/upstream_refusal.h"

#include <algorithm>
#include <array>

#include "base/letter_case.h"
#include "wire/json/json.h"
#include "wire/sanitize.h"

namespace seekroute {
namespace {

using enum ErrorCode;

struct NameRow {
  std::string_view name;  // in lower case; what follows it behind a dot is detail
  ErrorCode code;
};

// Names that say what is the matter, in the order in which they are looked for: whoever says two
// things means the first.
constexpr auto kNames = std::to_array<NameRow>({
    // The prompt is longer than the model's context.
    {"context_length_exceeded", kContextLengthExceeded},    // OpenAI and those who speak like it
    {"exceed_context_size_error", kContextLengthExceeded},  // llama.cpp
    {"1261", kContextLengthExceeded},                       // Z.ai
    {"base_resp:1039", kContextLengthExceeded},             // MiniMax
    // A filter refused what was asked, or what was being answered.
    {"responsibleaipolicyviolation", kContentPolicyViolation},  // Azure, as innererror
    {"content_filter", kContentPolicyViolation},                // Azure, Moonshot
    {"content_policy_violation", kContentPolicyViolation},      // OpenAI's images, OpenRouter
    {"moderation_blocked", kContentPolicyViolation},            // OpenAI's images
    {"data_inspection_failed", kContentPolicyViolation},        // Alibaba
    {"datainspectionfailed", kContentPolicyViolation},
    {"sensitivecontentdetected", kContentPolicyViolation},  // ByteDance
    {"inputtextsensitivecontentdetected", kContentPolicyViolation},
    {"inputimagesensitivecontentdetected", kContentPolicyViolation},
    {"outputtextsensitivecontentdetected", kContentPolicyViolation},
    {"1301", kContentPolicyViolation},            // Z.ai
    {"base_resp:1026", kContentPolicyViolation},  // MiniMax: of the prompt
    {"base_resp:1027", kContentPolicyViolation},  // of the answer
    // The operator's account has no money, or no plan, left.
    {"insufficient_quota", kUpstreamNoCredit},  // OpenAI
    {"billing_error", kUpstreamNoCredit},       // Anthropic
    {"billing_not_active", kUpstreamNoCredit},
    {"billing_hard_limit_reached", kUpstreamNoCredit},
    {"exceeded_current_quota_error", kUpstreamNoCredit},  // Moonshot
    {"insufficient_balance", kUpstreamNoCredit},
    {"insufficient_credits", kUpstreamNoCredit},
    {"not_enough_balance", kUpstreamNoCredit},  // Novita
    {"payment_required", kUpstreamNoCredit},
    {"arrearage", kUpstreamNoCredit},            // Alibaba
    {"allocationquota", kUpstreamNoCredit},      // Alibaba: the free tier's end
    {"accountoverdueerror", kUpstreamNoCredit},  // ByteDance
    {"1113", kUpstreamNoCredit},                 // Z.ai: no balance
    {"1308", kUpstreamNoCredit},                 // Z.ai: the plan's share is used up
    {"1309", kUpstreamNoCredit},                 // or the plan is over
    {"1310", kUpstreamNoCredit},
    {"30001", kUpstreamNoCredit},           // SiliconFlow
    {"base_resp:1008", kUpstreamNoCredit},  // MiniMax
    // The operator's key is none, or its account is closed.
    {"invalid_api_key", kUpstreamAuthError},  // OpenAI
    {"incorrect_api_key_error", kUpstreamAuthError},
    {"invalid_authentication_error", kUpstreamAuthError},  // Moonshot
    {"api_key_invalid", kUpstreamAuthError},               // Gemini
    {"invalidapikey", kUpstreamAuthError},                 // Alibaba
    {"authenticationerror", kUpstreamAuthError},           // ByteDance
    {"account_deactivated", kUpstreamAuthError},
    {"1110", kUpstreamAuthError},  // Z.ai
    {"1111", kUpstreamAuthError},
    {"1112", kUpstreamAuthError},
    {"1121", kUpstreamAuthError},
    {"base_resp:1004", kUpstreamAuthError},  // MiniMax
    {"base_resp:2049", kUpstreamAuthError},
    // The operator's account may not do this, or not from where it is.
    {"unsupported_country_region_territory", kUpstreamForbidden},  // OpenAI
    {"model_terms_required", kUpstreamForbidden},                  // Groq
    {"accessdenied", kUpstreamForbidden},                          // Alibaba, ByteDance
    {"access_denied", kUpstreamForbidden},
    {"1220", kUpstreamForbidden},  // Z.ai
    {"1311", kUpstreamForbidden},
    // The catalog's name for the model is not the provider's, or not any more.
    {"model_not_found", kUpstreamModelNotFound},           // OpenAI
    {"modelnotfound", kUpstreamModelNotFound},             // Alibaba
    {"deploymentnotfound", kUpstreamModelNotFound},        // Azure
    {"resource_not_found_error", kUpstreamModelNotFound},  // Moonshot
    {"model_not_available", kUpstreamModelNotFound},       // Together
    {"model_decommissioned", kUpstreamModelNotFound},      // Groq
    {"invalid_model", kUpstreamModelNotFound},             // Mistral
    {"modelnotopen", kUpstreamModelNotFound},              // ByteDance
    {"invalidendpointormodel", kUpstreamModelNotFound},
    {"1211", kUpstreamModelNotFound},  // Z.ai
    {"1221", kUpstreamModelNotFound},
    {"1222", kUpstreamModelNotFound},
    {"20012", kUpstreamModelNotFound},  // SiliconFlow
    // Too much at once for the provider, whoever asked for it.
    {"engine_overloaded_error", kUpstreamUnavailable},  // Moonshot, with 429
    {"serveroverloaded", kUpstreamUnavailable},         // ByteDance, with 429
    {"queue_exceeded", kUpstreamUnavailable},           // Cerebras, with 429
    {"overloaded", kUpstreamUnavailable},
    {"1312", kUpstreamUnavailable},   // Z.ai
    {"50505", kUpstreamUnavailable},  // SiliconFlow
    // Too much at once from the operator.
    {"rate_limit_exceeded", kUpstreamRateLimited},       // OpenAI, Groq
    {"rate_limit_reached_error", kUpstreamRateLimited},  // Moonshot
    {"rate_limited", kUpstreamRateLimited},
    {"ratelimitexceeded", kUpstreamRateLimited},  // ByteDance
    {"throttling", kUpstreamRateLimited},         // Alibaba
    {"1302", kUpstreamRateLimited},               // Z.ai
    {"1303", kUpstreamRateLimited},
    {"1304", kUpstreamRateLimited},
    {"1305", kUpstreamRateLimited},
    {"1313", kUpstreamRateLimited},
    {"base_resp:1002", kUpstreamRateLimited},  // MiniMax
    {"base_resp:1001", kUpstreamTimeout},
    {"base_resp:2013", kUpstreamInvalidRequest},
});

struct ClassRow {
  std::string_view name;
  int status;
};

// Names of classes of errors: they say what a status says.
constexpr auto kClasses = std::to_array<ClassRow>({
    {"authentication_error", 401},  // Anthropic
    {"unauthenticated", 401},       // Google
    {"unauthorized", 401},
    {"permission_error", 403},   // Anthropic
    {"permission_denied", 403},  // Google
    {"permission_denied_error", 403},
    {"request_forbidden", 403},
    {"not_found_error", 404},     // Anthropic
    {"not_found", 404},           // Google
    {"notfounderror", 404},       // vLLM
    {"request_too_large", 413},   // Anthropic
    {"rate_limit_error", 429},    // Anthropic
    {"resource_exhausted", 429},  // Google
    {"too_many_requests_error", 429},
    {"overloaded_error", 529},   // Anthropic
    {"unavailable", 503},        // Google
    {"unavailable_error", 503},  // llama.cpp
    {"service_unavailable", 503},
    {"deadline_exceeded", 504},  // Google
    {"timeout_error", 504},      // Anthropic
    {"api_error", 500},          // Anthropic
    {"server_error", 500},       // OpenAI, llama.cpp
    {"internal", 500},           // Google
    {"internal_server_error", 500},
    {"internalservererror", 500},  // vLLM
    {"invalid_request_error", 400},
    {"invalid_argument", 400},     // Google
    {"failed_precondition", 400},  // Google
    {"badrequesterror", 400},      // vLLM
});

// Where a phrase counts. A sentence may quote the request; what is the operator's trouble must not
// be found in there.
enum class Within : uint8_t {
  kRequest,  // anywhere in a sentence about a request (400, 403, 413, 422, 500, no status)
  kAccount,  // anywhere in one about the account (401, 402, 403, 429); else only as its beginning
  kLoad,     // anywhere with 429, 5xx or no status
};

struct PhraseRow {
  std::string_view phrase;  // in lower case
  ErrorCode code;
  Within within;
};

constexpr auto kPhrases = std::to_array<PhraseRow>({
    // OpenAI, vLLM, DeepSeek, Mistral, Fireworks
    {"maximum context length", kContextLengthExceeded, Within::kRequest},
    {"maximum prompt length", kContextLengthExceeded, Within::kRequest},               // xAI
    {"maximum model length", kContextLengthExceeded, Within::kRequest},                // vLLM
    {"prompt is too long", kContextLengthExceeded, Within::kRequest},                  // Anthropic
    {"exceed context limit", kContextLengthExceeded, Within::kRequest},                // Anthropic
    {"input is too long", kContextLengthExceeded, Within::kRequest},                   // Bedrock
    {"exceeds the available context size", kContextLengthExceeded, Within::kRequest},  // llama.cpp
    {"exceeds the maximum number of tokens", kContextLengthExceeded, Within::kRequest},  // Gemini
    {"exceeded model token limit", kContextLengthExceeded, Within::kRequest},            // Moonshot
    {"range of input length should be", kContextLengthExceeded, Within::kRequest},       // Alibaba
    {"exceeds the context length", kContextLengthExceeded, Within::kRequest},            // Ollama
    {"greater than the context length", kContextLengthExceeded, Within::kRequest},  // LM Studio
    {"exceeds the context window", kContextLengthExceeded, Within::kRequest},
    {"context window exceeds limit", kContextLengthExceeded, Within::kRequest},  // MiniMax
    {"context length exceeded", kContextLengthExceeded, Within::kRequest},
    {"tokens in the prompt cannot exceed", kContextLengthExceeded, Within::kRequest},  // Cohere

    {"content management policy", kContentPolicyViolation, Within::kRequest},          // Azure
    {"content violates usage guidelines", kContentPolicyViolation, Within::kRequest},  // xAI
    {"content exists risk", kContentPolicyViolation, Within::kRequest},                // DeepSeek
    {"violating our usage policy", kContentPolicyViolation, Within::kRequest},         // OpenAI
    {"rejected by our safety system", kContentPolicyViolation, Within::kRequest},      // OpenAI
    {"flagged", kContentPolicyViolation, Within::kRequest},                            // OpenRouter

    {"credit balance is too low", kUpstreamNoCredit, Within::kAccount},  // Anthropic
    {"your credit balance is too low", kUpstreamNoCredit, Within::kAccount},
    {"insufficient balance", kUpstreamNoCredit, Within::kAccount},  // DeepSeek
    {"insufficient credit", kUpstreamNoCredit, Within::kAccount},
    {"insufficient funds", kUpstreamNoCredit, Within::kAccount},
    {"balance is insufficient", kUpstreamNoCredit, Within::kAccount},      // SiliconFlow
    {"exceeded your current quota", kUpstreamNoCredit, Within::kAccount},  // OpenAI
    {"used all available credits", kUpstreamNoCredit, Within::kAccount},   // xAI
    {"doesn't have any credits", kUpstreamNoCredit, Within::kAccount},     // xAI
    {"monthly spending limit", kUpstreamNoCredit, Within::kAccount},
    {"in arrears", kUpstreamNoCredit, Within::kAccount},
    {"overdue", kUpstreamNoCredit, Within::kAccount},

    {"api key not valid", kUpstreamAuthError, Within::kAccount},  // Gemini, with 400
    {"api key expired", kUpstreamAuthError, Within::kAccount},
    {"incorrect api key", kUpstreamAuthError, Within::kAccount},  // xAI, with 400
    {"invalid api key", kUpstreamAuthError, Within::kAccount},

    {"user location is not supported", kUpstreamForbidden, Within::kAccount},  // Gemini, with 400
    {"country, region, or territory", kUpstreamForbidden, Within::kAccount},

    {"model not exist", kUpstreamModelNotFound, Within::kAccount},  // DeepSeek, with 400
    {"invalid model:", kUpstreamModelNotFound, Within::kAccount},   // Mistral, with 400

    {"is currently overloaded", kUpstreamUnavailable, Within::kLoad},
    {"model is overloaded", kUpstreamUnavailable, Within::kLoad},
    {"model service overloaded", kUpstreamUnavailable, Within::kLoad},
});

// Refusals with a status of the account's, or of the model's, that are of this one request: the
// next may be served. A sentence may quote the request: taken for one of these it costs one more
// attempt.
struct RequestRow {
  int status;
  std::string_view phrase;  // in lower case
};

constexpr auto kOfRequest = std::to_array<RequestRow>({
    {402, "fewer max_tokens"},  // OpenRouter: the rest of the credit pays for less
    {402, "can only afford"},
    {402, "max_tokens of at most"},     // seekroute: likewise
    {404, "can serve this request"},    // seekroute: no endpoint of its model
    {404, "no endpoints found"},        // OpenRouter: none with what is asked for
    {404, "no allowed providers"},      // OpenRouter: none that this request's wishes allow
    {404, "does not support"},          // a feature
    {429, "request too large"},         // OpenAI, Groq: more than a minute's tokens at once
    {429, "reduce your message size"},  // Groq
    {429, "reduce the length"},         // Azure
    {403, "requires moderation"},       // OpenRouter
});

// Says that the provider could not do what the request needed: a fault, and no refusal.
constexpr int kFailedDependency = 424;

bool IsOfRequest(int status, const std::string& sentence) {
  return std::any_of(kOfRequest.begin(), kOfRequest.end(), [&](const RequestRow& row) {
    return row.status == status && sentence.find(row.phrase) != std::string::npos;
  });
}

// Alibaba calls its limit of tokens a minute a quota, as OpenAI does money. The page that it names
// tells them apart.
constexpr auto kAlibabaPages =
    std::to_array<std::string_view>({"aliyun.com/", "alibabacloud.com/"});

bool Counts(const PhraseRow& row, int status, size_t at) {
  switch (row.within) {
    case Within::kRequest:
      return status == 0 || status == 400 || status == 403 || status == 413 || status == 422 ||
             status == 500;
    case Within::kAccount:
      return at == 0 || status == 401 || status == 402 || status == 403 || status == 429;
    case Within::kLoad:
      return status == 0 || status == 429 || status >= 500;
  }
  return false;
}

bool IsNamed(std::string_view name, std::string_view row) {
  return name.starts_with(row) && (name.size() == row.size() || name[row.size()] == '.');
}

std::optional<ErrorCode> CodeByName(int status, const ProviderError& said) {
  for (const NameRow& row : kNames) {
    // More than the limit by itself: it is refused for its size (Groq).
    if (row.code == kUpstreamRateLimited && status == 413) continue;
    for (const std::string& name : said.names) {
      if (IsNamed(name, row.name)) return row.code;
    }
  }
  return std::nullopt;
}

std::optional<ErrorCode> CodeByPhrase(int status, const std::string& sentence) {
  for (const PhraseRow& row : kPhrases) {
    const size_t at = sentence.find(row.phrase);
    if (at == std::string::npos || !Counts(row, status, at)) continue;
    // An account that is flagged is not the content.
    const bool account = sentence.find("account") != std::string::npos ||
                         sentence.find("organization") != std::string::npos;
    if (row.phrase == "flagged" && account) continue;
    return row.code;
  }
  return std::nullopt;
}

// The status that the words amount to, where HTTP's says nothing or puts on the caller what is not
// the caller's.
int StatusOf(int status, const ProviderError& said) {
  const bool unsaid = status < 300;
  if (unsaid) status = said.status;
  const bool vague = status == 0 || status == 400 || status == 422 || status == 500;
  if (!vague) return status;
  for (const ClassRow& row : kClasses) {
    const bool fits = status == 0 || row.status != 400;
    if (fits && std::find(said.names.begin(), said.names.end(), row.name) != said.names.end()) {
      return row.status;
    }
  }
  return status;
}

constexpr size_t kMaxPlain = 64;

bool IsPathChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_.-[]").find(c) != std::string_view::npos;
}

// What is a plain word, or a path of such, and nothing that has to be hidden.
bool IsPlain(std::string_view text) {
  return !text.empty() && text.size() <= kMaxPlain &&
         std::all_of(text.begin(), text.end(), IsPathChar) &&
         SanitizeUpstreamText(text, {}) == text;
}

// The provider's own code for a trouble of the caller's. A name of ours for something else stays
// ours.
std::string ShownCode(const ProviderError& said) {
  const auto is_word_char = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
  };
  const std::string& code = said.code;
  const bool letter = std::any_of(code.begin(), code.end(), [](char c) { return c >= 'a'; });
  if (!letter || !std::all_of(code.begin(), code.end(), is_word_char) || !IsPlain(code)) return {};
  const bool is_class = std::any_of(kClasses.begin(), kClasses.end(),
                                    [&](const ClassRow& row) { return row.name == code; });
  if (is_class) return {};
  const std::optional<ErrorCode> ours = ErrorCodeNamed(code);
  if (ours && TraitsOf(*ours).status != 400) return {};
  return code;
}

Trouble TroubleOf(ErrorCode code) {
  switch (code) {
    case kContextLengthExceeded:
    case kContentPolicyViolation:
    case kUpstreamInvalidRequest:
    case kUpstreamRequestTooLarge:
      return Trouble::kCaller;
    case kUpstreamAuthError:
    case kUpstreamNoCredit:
    case kUpstreamForbidden:
    case kUpstreamModelNotFound:
      return Trouble::kOperator;
    default:
      return Trouble::kProvider;
  }
}

}  // namespace

Refusal ClassifyRefusal(int status, const ProviderError& said) {
  const int meant = StatusOf(status, said);
  const std::string sentence = Lower(said.message);
  Refusal refusal;
  refusal.code = CodeOfUpstreamStatus(meant);
  const bool alibaba =
      meant == 429 && std::any_of(kAlibabaPages.begin(), kAlibabaPages.end(), [&](auto page) {
        return sentence.find(page) != std::string::npos;
      });
  const bool google =
      std::find(said.names.begin(), said.names.end(), "resource_exhausted") != said.names.end();
  if (const auto named = CodeByName(meant, said); named && !alibaba) {
    refusal.code = *named;
  } else if (said.flagged && (meant == 0 || meant == 400 || meant == 403)) {
    refusal.code = kContentPolicyViolation;
  } else if (!alibaba && !google) {  // both call a pace a quota
    refusal.code = CodeByPhrase(meant, sentence).value_or(refusal.code);
  }
  refusal.trouble = TroubleOf(refusal.code);
  refusal.of_request =
      IsOfRequest(status >= 300 ? status : said.status, sentence) ||
      (refusal.code == kUpstreamError && meant >= 400 && meant < 500 && meant != kFailedDependency);
  refusal.retry_after_ms = said.retry_after_ms;
  if (refusal.trouble != Trouble::kCaller) return refusal;
  if (refusal.code == kUpstreamInvalidRequest) refusal.shown_code = ShownCode(said);
  if (IsPlain(said.param)) refusal.param = said.param;
  return refusal;
}

ErrorCode CodeOfUpstreamStatus(int status) {
  switch (status) {
    case 400:
    case 422:
      return kUpstreamInvalidRequest;
    case 413:
      return kUpstreamRequestTooLarge;
    case 402:
      return kUpstreamNoCredit;
    case 401:
    case 403:
      return kUpstreamAuthError;
    case 404:
      return kUpstreamModelNotFound;
    case 408:
    case 504:
      return kUpstreamTimeout;
    case 429:
      return kUpstreamRateLimited;
    case 503:
    case 529:
      return kUpstreamUnavailable;
    default:
      return kUpstreamError;
  }
}

}  // namespace seekroute
