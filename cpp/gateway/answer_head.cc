#include "gateway/answer_head.h"

#include "gateway/laps.h"

namespace seekroute {
namespace {

// Of the built-in mock provider; no configuration can give it to another one.
constexpr std::string_view kMockProvider = "mock";

void AddExchangeHeaders(const ExchangeRecord& row, const Profile& profile, std::string_view ignored,
                        ResponseHead* head) {
  head->Add("x-request-id", row.request_id);
  head->Add("x-generation-id", row.generation_id);
  const bool asked = !row.provider.empty();  // not while it waits for its limits
  if (asked && (profile.upstream_cost || row.provider == kMockProvider)) {
    head->Add("x-seekroute-provider", row.provider);
  }
  head->Add("x-seekroute-model", row.model);
  if (asked || !row.streamed) head->Add("x-seekroute-attempts", std::to_string(row.attempts));
  head->Add("x-seekroute-overhead-ms", FormatMilliseconds(row.overhead));
  if (!ignored.empty()) head->Add("x-seekroute-ignored", ignored);
}

}  // namespace

ResponseHead StreamHead(const ExchangeRecord& row, const Profile& profile,
                        std::string_view ignored) {
  ResponseHead head;
  head.headers.reserve(10);
  head.Add("content-type", "text/event-stream");
  head.Add("cache-control", "no-cache");
  head.Add("x-accel-buffering", "no");
  AddExchangeHeaders(row, profile, ignored, &head);
  return head;
}

ResponseHead AnswerHead(const ExchangeRecord& row, const Profile& profile, size_t body_size,
                        std::string_view ignored) {
  ResponseHead head;
  head.headers.reserve(10);
  head.Add("content-type", "application/json");
  head.Add("content-length", std::to_string(body_size));
  AddExchangeHeaders(row, profile, ignored, &head);
  if (profile.usage_cost) head.Add("x-seekroute-cost", FormatUsd(row.cost));
  return head;
}

ResponseHead QuoteHead(std::string_view request_id, size_t body_size) {
  ResponseHead head;
  head.Add("content-type", "application/json");
  head.Add("content-length", std::to_string(body_size));
  head.Add("x-request-id", request_id);
  return head;
}

ResponseHead ErrorHead(const Error& error, std::string_view request_id, size_t body_size) {
  ResponseHead head;
  head.status = error.status();
  head.Add("content-type", "application/json");
  head.Add("content-length", std::to_string(body_size));
  head.Add("x-request-id", request_id);
  if (error.retry_after_ms > 0) {
    head.Add("retry-after", std::to_string((error.retry_after_ms + 999) / 1000));
    head.Add("retry-after-ms", std::to_string(error.retry_after_ms));
  }
  const ClientRetry retry = TraitsOf(error.code).client_retry;
  if (retry != ClientRetry::kUnsaid) {
    head.Add("x-should-retry", retry == ClientRetry::kYes ? "true" : "false");
  }
  if (head.status == 401) head.Add("www-authenticate", "Bearer");
  return head;
}

}  // namespace seekroute
