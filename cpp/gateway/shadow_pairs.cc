#include "gateway/shadow_pairs.h"

#include <algorithm>

namespace seekroute {
namespace {

constexpr std::array<std::string_view, kShadowDrops> kDropNames = {
    "too_large",   "busy",    "unanswered", "same_model", "budget",
    "unavailable", "refused", "stopped",    "untaken"};

// The operator pays for what is asked of providers, whatever becomes of it. One call, told how long
// its answer may get, for a prompt that is counted by its bytes: so the bound of a day holds.
GatewayOptions OptionsOfSecond(GatewayOptions options) {
  options.credits = true;
  options.local_org = kOperatorOrg;
  options.strict_bound = true;
  const int64_t most = options.max_output_tokens;
  options.max_output_tokens =
      most > 0 ? std::min(most, ShadowPairs::kMostTokens) : ShadowPairs::kMostTokens;
  options.max_answer_bytes = std::min(options.max_answer_bytes, ShadowPairs::kMostAnswer);
  options.on_client_abort = options.on_upstream_failure = options.on_missing_usage =
      ChargePolicy::kCharge;
  options.retry.max_attempts = 1;
  options.server_timing = false;
  return options;
}

}  // namespace

ShadowPairs::ShadowPairs(const GatewayOptions& options) : options_(OptionsOfSecond(options)) {}

void ShadowPairs::SetRules(const ShadowRules& rules) {
  share_.store(std::clamp(rules.share, 0.0, ShadowRules::kMostShare), std::memory_order_relaxed);
  MutexLock lock(&mu_);
  budget_.SetMost(rules.share > 0 ? rules.per_day : Money{});
}

bool ShadowPairs::Begin(ExchangeId second) {
  MutexLock lock(&mu_);
  ++drawn_;
  const bool room = HasRoom(second);
  if (!room) ++dropped_[static_cast<size_t>(ShadowDrop::kBusy)];
  return room;
}

bool ShadowPairs::BeginVerdict(ExchangeId id) {
  MutexLock lock(&mu_);
  return HasRoom(id);
}

bool ShadowPairs::HasRoom(ExchangeId id) {
  const bool room = under_way_.size() < kMostUnderWay;
  if (room) under_way_.emplace(id, std::nullopt);
  return room;
}

bool ShadowPairs::Reserve(ExchangeId second, Money worst, UnixSeconds now) {
  MutexLock lock(&mu_);
  const auto found = under_way_.find(second);
  if (found == under_way_.end()) return false;
  found->second = budget_.Reserve(worst, now);
  return found->second.has_value();
}

void ShadowPairs::End(ExchangeId second, bool sent, Money spent) {
  MutexLock lock(&mu_);
  const auto found = under_way_.find(second);
  if (found == under_way_.end()) return;
  if (found->second) budget_.Settle(*found->second, spent);
  under_way_.erase(found);
  if (sent) ++sent_;
  spent_usd_ += static_cast<double>(spent.nano) / 1e9;
}

void ShadowPairs::CountDrop(ShadowDrop why) {
  MutexLock lock(&mu_);
  ++dropped_[static_cast<size_t>(why)];
}

void ShadowPairs::Keep(ShadowPair pair) {
  MutexLock lock(&mu_);
  untaken_bytes_ += pair.bytes();
  untaken_.push_back(std::move(pair));
  while (untaken_.size() > kMostUntaken || untaken_bytes_ > kMostBytes) {
    untaken_bytes_ -= untaken_.front().bytes();
    untaken_.pop_front();
    ++dropped_[static_cast<size_t>(ShadowDrop::kUntaken)];
  }
}

std::vector<ShadowPair> ShadowPairs::Take() {
  std::deque<ShadowPair> taken;
  {
    MutexLock lock(&mu_);
    taken.swap(untaken_);
    untaken_bytes_ = 0;
  }
  return {std::make_move_iterator(taken.begin()), std::make_move_iterator(taken.end())};
}

void ShadowPairs::KeepVerdict(ShadowVerdict verdict) {
  MutexLock lock(&mu_);
  verdicts_.push_back(std::move(verdict));
  if (verdicts_.size() > kMostVerdicts) verdicts_.pop_front();
}

std::vector<ShadowVerdict> ShadowPairs::TakeVerdicts() {
  std::deque<ShadowVerdict> taken;
  {
    MutexLock lock(&mu_);
    taken.swap(verdicts_);
  }
  return {std::make_move_iterator(taken.begin()), std::make_move_iterator(taken.end())};
}

void ShadowPairs::RaiseSpent(Money spent, UnixSeconds now) {
  MutexLock lock(&mu_);
  budget_.RaiseSpent(spent, now);
}

void ShadowPairs::AddSamples(std::vector<Sample>* samples) const {
  MutexLock lock(&mu_);
  const auto add = [samples](std::string name, auto value) {
    samples->push_back({std::move(name), {}, static_cast<double>(value)});
  };
  add("seekroute_shadow_drawn_total", drawn_);
  add("seekroute_shadow_sent_total", sent_);
  add("seekroute_shadow_cost_usd_total", spent_usd_);
  add("seekroute_shadow_under_way", under_way_.size());
  add("seekroute_shadow_untaken", untaken_.size());
  for (size_t i = 0; i < kShadowDrops; ++i) {
    if (dropped_[i] == 0) continue;
    samples->push_back({"seekroute_shadow_dropped_total",
                        {{"reason", std::string(kDropNames[i])}},
                        static_cast<double>(dropped_[i])});
  }
}

}  // namespace seekroute
