// Bounds and deadlines of a gateway. Every one can be set by the operator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/secret.h"
#include "base/time.h"
#include "billing/bill.h"
#include "gateway/hedge_budget.h"
#include "gateway/sticky_table.h"
#include "limits/limit_waiter.h"
#include "routing/endpoint_health.h"
#include "routing/retry_table.h"
#include "wire/sse/sse_parser.h"

namespace seekroute {

// How much of a provider's work may be done again at once.
struct RetryBudget {
  int percent = 20;  // of its attempts that run
  int least = 3;     // whatever runs
};

// Fixed for the life of a gateway.
struct GatewayOptions {
  int engine_threads = 1;
  int scan_threads = 1;     // that read large bodies beside them; see body_scan.h
  Secret pepper;            // of the key MACs
  bool require_key = true;  // false: a request without a key is taken as the operator's own

  size_t max_active = 10'000;           // exchanges at once; more get 503 overloaded
  size_t max_answer_bytes = 32u << 20;  // an answer that is not streamed is held whole
  size_t max_upstream_error_bytes = 64u << 10;
  size_t window_bytes = 64u << 10;  // sent to, and not yet taken by, one client
  SseParser::Limits sse;
  // Both limits, of a model whose answers hold pictures or sound, as base64 in one line. While it
  // is relayed an event takes about five times its size: as lines, as data, read, rewritten,
  // waiting.
  size_t max_media_event_bytes = 32u << 20;

  Duration connect_timeout = Duration::Seconds(5);
  // Those of a call; an endpoint may have its own. A call that is not streamed has the total alone:
  // its head may come with its body.
  Duration first_byte_timeout = Duration::Seconds(600);  // until a stream's head
  // Until content, and between two pieces of it while comments come.
  Duration first_content_timeout = Duration::Seconds(600);
  Duration idle_timeout = Duration::Seconds(300);  // without any byte once content has begun
  Duration total_timeout = Duration::Seconds(1800);
  Duration keep_alive = Duration::Seconds(15);  // silence after which a stream gets a comment

  RetryPolicy retry;
  RetryBudget retry_budget;
  HedgeRules hedge;  // where health is kept
  // Whether endpoints and keys are left out while they fail; else they are only measured, and each
  // request asks as if nobody ever had failed, with the first key of a provider.
  bool leave_out_failing = true;
  HealthRules health;
  StickyRules sticky;

  // Credits: money is held before a request of an organization is sent, and settled after it.
  bool credits = false;
  bool strict_bound = false;  // a hold counts a prompt by its bytes, not by its estimate
  // Of a prompt, each part that is no picture and cannot be sized; 0: the whole context.
  int64_t max_media_tokens = 0;
  int64_t max_output_tokens = 0;  // of one choice, whatever the client asks for; 0: the model's own
  // Who pays for requests that came without a key, in process or with require_key off: with a line
  // that never ends. Empty: nobody; they are not booked.
  std::string local_org;
  ChargePolicy on_client_abort = ChargePolicy::kCharge;  // of what a client that left was sent
  // Of what was sent before a provider failed. Nothing was, nothing is charged.
  ChargePolicy on_upstream_failure = ChargePolicy::kFree;
  ChargePolicy on_missing_usage = ChargePolicy::kCharge;  // of a complete answer: our own count
  int max_read_outs = 100;  // at once; more clients that leave have their upstreams cancelled
  Duration hold_timeout = Duration::Seconds(10);  // of the store; then 503
  // How long a finished answer waits for its settlement. Then the client gets its end, and the
  // store goes on behind.
  Duration settle_patience = Duration::Milliseconds(250);

  // How often a stream writes down what it has delivered, for the next start should this process
  // be killed; 0: never.
  Duration note_interval;

  // Tokens of an answer whose client named no length, for limits that count tokens: reserved until
  // the usage is known.
  int64_t expected_output = 1024;
  bool ietf_ratelimit_headers = false;  // beside those that OpenAI has
  // How long a request waits for room in its limits where nobody says otherwise; 0: it does not.
  Duration queue_wait;
  QueueBounds queue;
  // Whether each answer tells how long its steps took; else only to who asks for a report.
  bool server_timing = false;

  size_t max_idempotency_keys = 100'000;  // of the last 24 hours
  // Answers kept for who repeats them, of keys that ask for it. The oldest go first.
  size_t max_stored_answers_bytes = size_t{64} << 20;
};

}  // namespace seekroute
