// What the client and the operator are told of a refusal.
#include <algorithm>
#include <array>

#include "base/letter_case.h"
#include "wire/sanitize.h"
#include "wire/upstream_refusal.h"

namespace seekroute {
namespace {

using enum ErrorCode;

std::string_view SentenceOf(ErrorCode code) {
  switch (code) {
    case kContextLengthExceeded:
      return "the prompt is too long for the model";
    case kContentPolicyViolation:
      return "the provider's content filter refused the request";
    case kUpstreamInvalidRequest:
    case kUpstreamRequestTooLarge:
      return "the provider refused the request";
    case kUpstreamAuthError:
      return "the provider refused the gateway's credentials, or their rights; the operator must "
             "look at them";
    case kUpstreamNoCredit:
      return "the gateway's account at the provider is used up; the operator must look at it";
    case kUpstreamForbidden:
      return "the provider does not let the gateway's account do this; the operator must look at "
             "it";
    case kUpstreamModelNotFound:
      return "the provider does not serve this model at present";
    case kUpstreamRateLimited:
      return "the provider's rate limit is reached";
    case kUpstreamUnavailable:
      return "the provider is overloaded or down";
    case kUpstreamTimeout:
      return "the provider timed out";
    default:
      return "the provider failed";
  }
}

Error ErrorFrom(int status, const ProviderError& said, std::string_view sentence,
                const std::vector<const Secret*>& secrets) {
  Refusal refusal = ClassifyRefusal(status, said);
  const std::string clean = SanitizeUpstreamText(sentence, secrets);
  Error error = MakeError(refusal.code, std::string(SentenceOf(refusal.code)));
  // What the provider says of the operator's account is the operator's business, and so is a pace
  // that is the account's.
  const bool tell = refusal.trouble != Trouble::kOperator && refusal.code != kUpstreamRateLimited;
  if (tell && !clean.empty()) error.message += ": " + clean;
  const auto is_secret = [&](const std::string& word) {
    return SanitizeUpstreamText(word, secrets) != word;
  };
  if (!is_secret(refusal.param)) error.param = std::move(refusal.param);
  if (!is_secret(refusal.shown_code)) error.shown_code = std::move(refusal.shown_code);
  error.upstream_status = status >= 300 ? status : said.status;
  error.said_by_upstream = status < 300 || status >= 400;
  error.of_request = refusal.of_request;
  if (refusal.code == kUpstreamRateLimited || refusal.code == kUpstreamUnavailable) {
    error.retry_after_ms = std::max<int64_t>(refusal.retry_after_ms, 0);
  }
  const std::string& name = !said.code.empty() || said.names.empty() ? said.code : said.names[0];
  error.words = SanitizeUpstreamText(name, secrets);
  if (!error.words.empty() && !clean.empty()) error.words += ": ";
  error.words += WithoutQuotations(clean);
  return error;
}

}  // namespace

Error ReadRefusal(int status, std::string_view body, const std::vector<const Secret*>& secrets) {
  const ProviderError said = ReadProviderError(body);
  Error error = ErrorFrom(status, said, said.message, secrets);
  // A page: of a firewall in front of the provider, which looks at the content.
  const size_t begins = body.find_first_not_of(" \t\r\n");
  if (status == 403 && begins != std::string_view::npos && body[begins] == '<') {
    error.of_request = true;
  }
  return error;
}

Error ReadErrorInAnswer(std::string_view text, int status) {
  ProviderError said = ReadProviderError(text);
  if (said.status == 0 && status >= 400 && status <= 599) said.status = status;
  // A sentence without JSON around it.
  if (!said.readable) said.message = text.substr(0, 1000);
  return ErrorFrom(0, said, said.message, {});
}

bool RefusesStreamOptions(std::string_view param, std::string_view words) {
  constexpr auto kFields = std::to_array<std::string_view>({"stream_options", "include_usage"});
  const auto is_field = [param](std::string_view field) { return param.starts_with(field); };
  if (!param.empty()) return std::any_of(kFields.begin(), kFields.end(), is_field);
  constexpr auto kVerdicts = std::to_array<std::string_view>(
      {"unknown", "unsupported", "unrecogni", "unexpected", "not support", "not permitted",
       "not allowed", "additional propert", "extra ", "invalid param", "invalid arg",
       "invalid field", "no such"});
  const std::string sentence = Lower(words);
  const auto says = [&sentence](std::string_view word) {
    return sentence.find(word) != std::string::npos;
  };
  return std::any_of(kFields.begin(), kFields.end(), says) &&
         std::any_of(kVerdicts.begin(), kVerdicts.end(), says);
}

std::optional<Error> FindErrorInAnswer(std::string_view text) {
  const ProviderError said = ReadProviderError(text);
  if (!said.readable || !said.says_error) return std::nullopt;
  return ErrorFrom(0, said, said.message, {});
}

}  // namespace seekroute
