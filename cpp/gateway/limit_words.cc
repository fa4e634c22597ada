// What clients read of limits: sentences, facts and headers.
#include <algorithm>
#include <string>

#include "base/counted.h"
#include "gateway/gate.h"
#include "wire/json/json_writer.h"

namespace seekroute {
namespace {

constexpr int64_t kMs = 1'000'000;

// Rounded up, of no negative.
int64_t MillisecondsUp(Duration d) { return (d.ns + kMs - 1) / kMs; }

// In Go's grammar, as OpenAI writes it: "12ms", "1.5s", "6m0s".
std::string GoDuration(Duration d) {
  int64_t ms = MillisecondsUp(d);
  if (ms == 0) return "0s";
  if (ms < 1000) return std::to_string(ms) + "ms";
  std::string text;
  const int64_t hours = ms / 3'600'000, minutes = ms / 60'000 % 60;
  if (hours > 0) text += std::to_string(hours) + "h";
  if (hours > 0 || minutes > 0) text += std::to_string(minutes) + "m";
  text += std::to_string(ms / 1000 % 60);
  if (const int64_t part = ms % 1000; part > 0) {
    std::string digits = std::to_string(1000 + part).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    text += "." + digits;
  }
  return text + "s";
}

std::string WhoseLimit(LimitScope scope, std::string_view model) {
  switch (scope) {
    case LimitScope::kKey:
      return "this API key";
    case LimitScope::kKeyModel:
      return "this API key, for '" + std::string(model) + "',";
    case LimitScope::kApp:
      return "the app of this API key";
    case LimitScope::kOrg:
      return "the organization of this API key";
    case LimitScope::kGateway:
      return "this gateway";
    case LimitScope::kModel:
      return "the model '" + std::string(model) + "'";
    case LimitScope::kProvider:
    case LimitScope::kProviderKey:
    case LimitScope::kEndpoint:
      break;
  }
  return "whoever answers this";
}

// "60 requests a minute", or "2 requests at once, 60 a minute" where fewer may come in an instant.
std::string OfAMinute(const LimitRefusal& refusal, std::string_view unit) {
  const bool bursts =
      refusal.kind == RefusalKind::kWait && refusal.burst > 0 && refusal.burst != refusal.limit;
  if (!bursts) return Counted(refusal.limit, unit) + " a minute";
  return Counted(refusal.burst, unit) + " at once, " + std::to_string(refusal.limit) + " a minute";
}

std::string LimitInWords(const LimitRefusal& refusal) {
  switch (refusal.dimension) {
    case LimitDimension::kRequestsPerMinute:
      return OfAMinute(refusal, "request");
    case LimitDimension::kTokensPerMinute:
      return OfAMinute(refusal, "token");
    case LimitDimension::kRequestsPerDay:
      return Counted(refusal.limit, "request") + " a day (UTC)";
    case LimitDimension::kTokensPerDay:
      return Counted(refusal.limit, "token") + " a day (UTC)";
    case LimitDimension::kConcurrent:
      break;
  }
  return Counted(refusal.limit, "request") + " at once";
}

std::string Sentence(const LimitRefusal& refusal, std::string_view model) {
  const std::string whose = WhoseLimit(refusal.scope, model);
  const std::string limit = LimitInWords(refusal);
  switch (refusal.kind) {
    case RefusalKind::kBusy:
      return whose + " may run " + limit +
             (refusal.limit == 1 ? ", and it runs: wait until it has ended"
                                 : ", and they run: wait until one has ended");
    case RefusalKind::kWait:
      return whose + " may use " + limit + ": send the request again in " +
             GoDuration(refusal.wait);
    case RefusalKind::kNever:
      return whose + " is limited to " + limit +
             ": nothing is served until whoever runs the "
             "gateway raises that";
    case RefusalKind::kTooLarge:
      break;
  }
  return "the prompt takes about " + Counted(refusal.needed, "token") + ", and " + whose +
         " may use " + std::to_string(refusal.burst) + " at once, of " + limit +
         ": shorten the prompt";
}

std::string Fact(const LimitRefusal& refusal) {
  const auto quoted = [](std::string_view text) { return "\"" + std::string(text) + "\""; };
  const std::string window =
      refusal.window_s > 0 ? std::to_string(refusal.window_s) : std::string("null");
  std::string fact = "{\"scope\":" + quoted(NameOf(refusal.scope)) +
                     ",\"dimension\":" + quoted(NameOf(refusal.dimension)) +
                     ",\"limit\":" + std::to_string(refusal.limit);
  if (refusal.kind == RefusalKind::kTooLarge) {
    fact += ",\"burst\":" + std::to_string(refusal.burst) +
            ",\"needed\":" + std::to_string(refusal.needed);
  } else {
    fact += ",\"remaining\":" + std::to_string(refusal.remaining);
  }
  return fact + ",\"window\":" + window + ",\"exact\":" + (refusal.exact ? "true" : "false") + "}";
}

// "key-requests", "org-tokens-day".
std::string PolicyName(const LimitLeft& left, std::string_view family) {
  std::string name = std::string(NameOf(left.scope)) + "-" + std::string(family);
  if (left.window_s > 60) name += "-day";
  return "\"" + name + "\"";
}

// A quota and the seconds in which it comes back: what may come at once, where its time is whole
// seconds, which is all that the field has; else what comes in a window.
std::string Quota(const LimitLeft& left) {
  int64_t quota = left.rate, window_s = left.window_s;
  if (left.limit > 0 && left.rate > 0) {
    __extension__ using Wide = __int128;
    const Wide seconds = Wide{left.limit} * left.window_s;
    if (seconds % left.rate == 0) {
      quota = left.limit;
      window_s = static_cast<int64_t>(seconds / left.rate);
    }
  }
  return ";q=" + std::to_string(quota) + ";w=" + std::to_string(window_s);
}

}  // namespace

Error RefusedByLimit(const LimitRefusal& refusal, std::string_view model,
                     std::optional<Duration> queued) {
  using enum RefusalKind;
  ErrorCode code = ErrorCode::kRateLimitExceeded;
  if (refusal.kind == kNever) code = ErrorCode::kRateLimitClosed;
  if (refusal.kind == kTooLarge) code = ErrorCode::kRequestTooLargeForLimit;
  Error error = MakeError(code, Sentence(refusal, model));
  if (refusal.kind == kWait) error.retry_after_ms = MillisecondsUp(refusal.wait);
  error.facts.push_back({"limit", Fact(refusal)});
  if (queued) error.facts.push_back({"queued_ms", std::to_string(queued->ns / kMs)});
  return error;
}

std::string WriteLimits(const LimitsLeft& left, Duration queued) {
  std::string out;
  JsonWriter json(&out);
  json.Object();
  const auto write = [&json](const std::optional<LimitLeft>& shown) {
    if (!shown) return (void)json.Null();
    json.Object();
    json.Key("scope").String(NameOf(shown->scope));
    json.Key("limit").Integer(shown->limit);
    json.Key("remaining").Integer(shown->remaining);
    json.Key("reset_ms").Integer(MillisecondsUp(shown->reset));
    json.End();
  };
  json.Key("requests");
  write(left.requests);
  json.Key("tokens");
  write(left.tokens);
  json.Key("concurrent");
  write(left.concurrent);
  json.Key("queued_ms").Integer(queued.ns / kMs);
  json.End();
  return out;
}

void AddLimitHeaders(const LimitsLeft& left, bool ietf, ResponseHead* head) {
  std::string policies, rates;
  const auto add = [&](const std::optional<LimitLeft>& shown, const std::string& family) {
    if (!shown) return;
    head->Add("x-ratelimit-limit-" + family, std::to_string(shown->limit));
    head->Add("x-ratelimit-remaining-" + family, std::to_string(shown->remaining));
    head->Add("x-ratelimit-reset-" + family, GoDuration(shown->reset));
    if (!ietf) return;
    const std::string name = PolicyName(*shown, family);
    const std::string_view comma = policies.empty() ? "" : ", ";
    policies += comma;
    policies += name + Quota(*shown);
    rates += comma;
    rates += name + ";r=" + std::to_string(shown->remaining) +
             ";t=" + std::to_string((MillisecondsUp(shown->reset) + 999) / 1000);
  };
  add(left.requests, "requests");
  add(left.tokens, "tokens");
  if (left.concurrent) {
    head->Add("x-ratelimit-limit-concurrent", std::to_string(left.concurrent->limit));
    head->Add("x-ratelimit-remaining-concurrent", std::to_string(left.concurrent->remaining));
  }
  if (policies.empty()) return;
  head->Add("ratelimit-policy", policies);
  head->Add("ratelimit", rates);
}

}  // namespace seekroute
