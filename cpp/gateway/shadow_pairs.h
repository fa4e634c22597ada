// Shadow pairs: of requests whose model was chosen, a share is also sent to a second model, so that
// both answers can be graded. What all engines share of them.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/money.h"
#include "base/mutex.h"
#include "base/time.h"
#include "gateway/day_budget.h"
#include "gateway/mailbox.h"
#include "gateway/options.h"
#include "gateway/shadow_rules.h"
#include "gateway/stats.h"

namespace seekroute {

// Whose the requests to second models are: an organization of the operator's, no customer's.
inline constexpr std::string_view kOperatorOrg = "operator";

// Two answers to one request. In memory alone: it is written nowhere.
struct ShadowPair {
  std::string generation_id;  // of the first
  std::string first, second;  // ids of the models
  std::string body;           // as its client has sent it
  std::string first_answer;   // as its client got it: JSON or a stream
  std::string second_answer;  // JSON
  double propensity = 0;      // the chance of the second model, given the first
  int status = 0;             // of the second answer: 200, or it is an error

  size_t bytes() const { return body.size() + first_answer.size() + second_answer.size(); }
};

// What a model has said of a pair that it was asked to grade. In memory alone, too.
struct ShadowVerdict {
  std::string tag;     // as it was asked with
  std::string answer;  // JSON
  int status = 0;      // 200, or it is an error; 0: it was not asked
};

// Why there is no pair of a request that was drawn.
enum class ShadowDrop : uint8_t {
  kTooLarge,     // the body, or one of the answers
  kBusy,         // as many are under way as may be
  kUnanswered,   // the first answer did not come whole
  kSameModel,    // the second model was asked in the place of the first
  kBudget,       // it might cost more than is left of the day
  kUnavailable,  // the second model is unwell, or at a limit of its providers
  kRefused,      // it cannot be asked for another reason
  kStopped,      // the gateway stops
  kUntaken,      // nobody has taken the pair
};
inline constexpr size_t kShadowDrops = 9;

// The second request of a pair, by the first.
constexpr ExchangeId ShadowOf(ExchangeId first) { return first | ExchangeId{1} << 63; }

// Thread-safe.
class ShadowPairs {
 public:
  static constexpr size_t kMostBody = size_t{64} << 10;
  static constexpr size_t kMostAnswer = size_t{256} << 10;
  // From the draw to the end of the second answer. What each takes: its body, that of the second
  // request, and both answers.
  static constexpr size_t kMostUnderWay = 24;
  static constexpr size_t kMostBytes = size_t{16} << 20;
  static_assert(kMostUnderWay * 2 * (kMostBody + kMostAnswer) <= kMostBytes);
  // Of those that nobody has taken: as many, and as many bytes. The oldest go first.
  static constexpr size_t kMostUntaken = 256;
  // Likewise, of verdicts.
  static constexpr size_t kMostVerdicts = 64;
  // Tokens of the second answer, of a choice.
  static constexpr int64_t kMostTokens = 8192;

  // `options` are those of the gateway.
  explicit ShadowPairs(const GatewayOptions& options);

  // From now on, also of those that are under way.
  void SetRules(const ShadowRules& rules);
  double share() const { return share_.load(std::memory_order_relaxed); }

  // What second requests are answered by, in the place of the gateway's own.
  const GatewayOptions& options() const { return options_; }

  // One that was drawn is under way, until End(). False: too many are, and it is counted.
  bool Begin(ExchangeId second);
  // Likewise of a request to a model that grades, which counts for no figure but what it costs.
  bool BeginVerdict(ExchangeId id);
  // Sets aside what it may cost at most. False: it is not to be sent.
  bool Reserve(ExchangeId second, Money worst, UnixSeconds now);
  // `spent`: what it may have cost.
  void End(ExchangeId second, bool sent, Money spent);

  void CountDrop(ShadowDrop why);
  void Keep(ShadowPair pair);

  // All that are finished, the oldest first.
  std::vector<ShadowPair> Take();

  // The oldest go where too many wait.
  void KeepVerdict(ShadowVerdict verdict);
  std::vector<ShadowVerdict> TakeVerdicts();

  // At least so much was spent on the day of `now`, by the ledger: before a restart, say.
  void RaiseSpent(Money spent, UnixSeconds now);

  void AddSamples(std::vector<Sample>* samples) const;

 private:
  // Takes a place for it. False: there is none.
  bool HasRoom(ExchangeId id) SR_REQUIRES(mu_);

  const GatewayOptions options_;
  std::atomic<double> share_{0};

  mutable Mutex mu_;
  DayBudget budget_ SR_GUARDED_BY(mu_);
  std::map<ExchangeId, std::optional<DayBudget::Share>> under_way_ SR_GUARDED_BY(mu_);
  std::deque<ShadowPair> untaken_ SR_GUARDED_BY(mu_);
  size_t untaken_bytes_ SR_GUARDED_BY(mu_) = 0;
  std::deque<ShadowVerdict> verdicts_ SR_GUARDED_BY(mu_);
  uint64_t drawn_ SR_GUARDED_BY(mu_) = 0;
  uint64_t sent_ SR_GUARDED_BY(mu_) = 0;
  double spent_usd_ SR_GUARDED_BY(mu_) = 0;  // for a metric alone
  std::array<uint64_t, kShadowDrops> dropped_ SR_GUARDED_BY(mu_){};
};

}  // namespace seekroute
