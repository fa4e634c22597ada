// What a request is charged, given how it ended. Pure: docs/credits.md "After the answer" says the
// same in a table.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/money.h"
#include "base/settlement.h"
#include "base/time.h"
#include "billing/cost.h"
#include "catalog/price.h"
#include "wire/delivered_media.h"
#include "wire/token_estimate.h"
#include "wire/usage.h"

namespace seekroute {

// How a request ends, as far as money goes.
enum class Ending : uint8_t {
  kAnswered,    // the answer is complete
  kReadOut,     // its client had left, and it was read to its end all the same
  kClientLeft,  // its client leaves now
  kFailed,      // a provider failed, or the gateway did
  kStopped,     // the gateway stops, which is nobody's fault but the operator's
};

// Who pays for what is not a whole answer with a count of its provider's: the operator's choice.
enum class ChargePolicy : uint8_t { kCharge, kFree };

struct BillPolicy {
  ChargePolicy on_client_abort = ChargePolicy::kCharge;
  ChargePolicy on_upstream_failure = ChargePolicy::kFree;
  ChargePolicy on_missing_usage = ChargePolicy::kCharge;
  std::optional<Money> held;  // nothing: no money is held, and what is not whole is not charged
};

// What is known of an answer, as far as it has come.
struct Used {
  Usage told;               // the provider's count
  bool odd = false;         // it contradicts itself
  bool told_whole = false;  // it is the whole answer's: nothing but the mark of the end is missing
  bool streamed = false;    // what has come so far can be counted: it came as a stream
  bool any_output = true;   // the answer has output of any kind
  bool delivered = false;   // content of it has reached the client
  std::string finish_reason;
  std::string service_tier;

  // The gateway's own counts, asked for only where the provider's is not taken: they walk through
  // the prompt, and through the answer. Null: there is nothing to count.
  std::function<TokenEstimate()> prompt;
  std::function<TokenEstimate()> content;
  DeliveredMedia media;  // of the answer, beside its text

  // What a count is judged by. 0: unknown.
  int64_t context = 0;       // of the endpoint, in tokens
  int64_t bound_prompt = 0;  // tokens of the prompt that were held for
  int64_t choices = 1;
  std::optional<int64_t> most_output;  // tokens that the gateway's own count of media stays within
};

struct Bill {
  Settlement settlement = Settlement::kFailed;
  Usage usage;                    // what is charged for; parts of it may be absent
  std::optional<Usage> reported;  // what the provider counted, where `usage` had to be cut
  bool estimated = false;         // `usage` is the gateway's own count
  bool whole = false;             // the client left, and the answer had or has come whole
  bool beyond = false;            // the provider counts more than its endpoint can hold
  bool priced = false;            // `charge` is that of `usage`; false: it is zero
  Charge charge;
  std::string finish_reason;
  std::string service_tier;
};

// The bill of a request that ends so, at the prices of the moment of its admission, `created`.
// It may be above what is held: whoever settles it cuts it. Of kReadOut a bill that is not `whole`
// counts nothing: the one of kClientLeft stands.
Bill BillFor(Ending ending, const Used& used, const BillPolicy& policy, const PriceTable& price,
             UnixSeconds created);

}  // namespace seekroute
