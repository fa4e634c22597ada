// What `auto` chose for requests that have ended, kept until whoever learns from it takes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/auto_strategy.h"
#include "base/mutex.h"
#include "base/time.h"
#include "gateway/admission.h"
#include "store/store.h"

namespace seekroute {

// One choice, and how its request ended. Owns all of it. Holds a prompt: in memory alone.
struct AutoDecision {
  struct Offer {
    std::string model;
    double quality = 0;  // that was expected, 0 to 1
    uint64_t cost_pico = 0;
    uint32_t latency_ms = 0;  // 0: unknown
    bool last_resort = false;
    double chance = 0;  // that it came to be the first
  };

  std::string generation_id, key_id, org_id;
  UnixSeconds created;
  AutoStrategy strategy = AutoStrategy::kBalanced;
  std::string revision;       // of the weights; empty: nothing was learned
  std::vector<Offer> offers;  // of the pool, who could serve it: the chosen one first
  std::string served;         // id of the model that answered
  std::string finish_reason;
  bool empty = false;   // the answer had no content
  std::string excerpt;  // of the prompt, kMostExcerptBytes at most; empty: it had no text
};

// Thread-safe.
class DecisionLog {
 public:
  // More that wait are not kept: some 32 MiB at worst.
  static constexpr size_t kMost = 4096;

  // Takes the place of the oldest where there are kMost.
  void Put(AutoDecision decision);

  // In the order in which they were put; none is left.
  std::deque<AutoDecision> TakeAll();

  uint64_t dropped() const;

 private:
  mutable Mutex mu_;
  std::deque<AutoDecision> waiting_ SR_GUARDED_BY(mu_);
  uint64_t dropped_ SR_GUARDED_BY(mu_) = 0;
};

// Whether anything is to be learned of a request: a model was chosen for it, the router learns, and
// nothing in it asks that its prompt be kept by nobody.
bool IsToBeLearned(const Admission& admission, const Snapshot& snapshot);

// What was decided of a request that has ended with an answer. Requires IsToBeLearned().
AutoDecision DecisionOf(const Admission& admission, const ExchangeRecord& record, bool empty);

}  // namespace seekroute
