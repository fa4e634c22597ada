// What limits promise, whatever is asked of them: random requests under limits of every scope.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "limits/limiter.h"

namespace seekroute {
namespace {

__extension__ using Wide = __int128;

constexpr int64_t kNoonMs = (int64_t{1'800'000'000} / 86'400 * 86'400 + 43'200) * 1000;
constexpr int64_t kMinuteNs = Duration::Seconds(60).ns;

// SEEKROUTE_SEEDS=first:count plays others.
std::pair<uint64_t, uint64_t> Seeds() {
  const char* const chosen = std::getenv("SEEKROUTE_SEEDS");
  if (chosen == nullptr) return {1, 300};
  char* rest = nullptr;
  const uint64_t first = std::strtoull(chosen, &rest, 10);
  return {first, std::min<uint64_t>(*rest == ':' ? std::strtoull(rest + 1, nullptr, 10) : 1, 2000)};
}

LimitTime Later(const LimitTime& time, Duration by) {
  return {time.now + by, {time.wall.ms + by.ns / 1'000'000}};
}

using Holder = std::pair<LimitScope, std::string>;

class LimiterSimulation {
 public:
  explicit LimiterSimulation(uint64_t seed) : random_(seed) {
    using enum LimitScope;
    overruns_ = OneIn(4);
    for (const char* const key : {"k", "l"}) keys_[key] = Draw();
    model_limits_ = Draw();
    const Holder all[] = {{kOrg, "o"},      {kApp, "a"},           {kModel, "m"},   {kGateway, ""},
                          {kProvider, "p"}, {kProviderKey, "p#1"}, {kEndpoint, "7"}};
    for (const Holder& each : all) {
      if (OneIn(2)) sets_[each] = Draw();
    }
    Set(&limiter_, time_);
  }

  // One line a broken promise.
  std::vector<std::string> Run() {
    for (int step = 0; step < 120 && broken_.empty(); ++step) {
      time_ = Later(time_, {static_cast<int64_t>(random_() % 3'000'000'000)});
      if (!live_.empty() && OneIn(2)) {
        End();
      } else if (OneIn(4)) {
        AskUpstream();
      } else {
        Ask();
      }
      Look();
    }
    while (!live_.empty()) End();
    CheckWindows();
    return broken_;
  }

  size_t refused = 0, told = 0;

 private:
  struct Live {
    std::vector<Holder> holders;
    LimitTime at;
    LimitCost cost;
    Limiter::Answer answer;
  };
  // What one holder has let pass, as it was settled.
  struct Passed {
    int64_t ns;
    int64_t requests, tokens;
  };
  struct Shown {
    LimitLeft left;
    int64_t ns = 0;
    int64_t given_back = 0;  // by then, of all
  };

  bool OneIn(uint64_t n) { return random_() % n == 0; }
  int64_t Between(int64_t least, int64_t most) {
    return least + static_cast<int64_t>(random_() % static_cast<uint64_t>(most - least + 1));
  }
  LimitSet Draw() {
    LimitSet set;
    if (OneIn(2)) set.requests_per_minute = Between(7, 60);
    if (set.requests_per_minute && OneIn(2)) set.burst_requests = Between(1, 5);
    if (OneIn(2)) set.tokens_per_minute = Between(1'000, 20'000);
    if (set.tokens_per_minute && OneIn(2)) set.burst_tokens = Between(800, 2'000);
    if (OneIn(6)) set.requests_per_day = Between(5, 40);
    if (OneIn(6)) set.tokens_per_day = Between(2'000, 20'000);
    if (OneIn(4)) set.concurrent = Between(1, 4);
    return set;
  }
  void Set(Limiter* limiter, const LimitTime& time) const {
    for (const auto& [holder, set] : sets_) {
      limiter->Set(holder.first, holder.second, std::make_shared<const LimitSet>(set), time);
    }
  }
  void Expect(bool holds, const std::string& promise) {
    if (!holds) broken_.push_back(promise);
  }

  LimitSubject Who(const std::string& key) const {
    return {.org = "o",
            .app = "a",
            .key = key,
            .model = "m",
            .key_limits = &keys_.at(key),
            .key_model_limits = &model_limits_,
            .key_version = 1};
  }
  static constexpr UpstreamSubject kWhom{.provider = "p", .key = "p#1", .endpoint = "7"};

  std::vector<int64_t> Slots() {
    using enum LimitScope;
    std::vector<int64_t> slots;
    for (const auto& [key, limits] : keys_) {
      slots.push_back(limiter_.running(kKey, "o", key));
      slots.push_back(limiter_.running(kKeyModel, "o", key + "\nm"));
    }
    slots.push_back(limiter_.running(kOrg, "o", "o"));
    for (const auto& [holder, set] : sets_) {
      slots.push_back(limiter_.running(holder.first, "", holder.second));
    }
    return slots;
  }

  // `ask` of a limiter. A refusal takes nothing, and what it tells is true.
  template <typename Reserve>
  std::optional<Limiter::Answer> Try(const Reserve& ask) {
    const LimitState before = limiter_.Keep(time_);
    const uint64_t revision = limiter_.revision();
    const std::vector<int64_t> slots = Slots();
    Limiter::Answer answer = ask(&limiter_, time_);
    if (!answer.refusal) return answer;
    ++refused;
    Expect(!answer.reservation.holds() && !answer.of_model.holds(), "a refusal reserves nothing");
    Expect(limiter_.Keep(time_) == before, "a refused request changes no cell");
    Expect(limiter_.revision() == revision, "nor says that it did");
    Expect(Slots() == slots, "nor takes a slot");
    const LimitRefusal& refusal = *answer.refusal;
    if (refusal.kind != RefusalKind::kWait || !refusal.exact) return std::nullopt;
    ++told;
    const auto passes = [&](Duration after) {
      Limiter other;
      const LimitTime then = Later(time_, after);
      Set(&other, time_);
      other.Restore(before, time_);
      return !ask(&other, then).refusal;
    };
    Expect(passes(refusal.wait), "the wait that is told admits");
    Expect(!passes(refusal.wait - Duration{1}), "a nanosecond less does not");
    return std::nullopt;
  }

  void Ask() {
    using enum LimitScope;
    const std::string key = OneIn(2) ? "k" : "l";
    const LimitCost cost{.prompt = 1, .tokens = Between(1, 700)};
    auto answer = Try([&](Limiter* limiter, const LimitTime& time) {
      // A look says the same and takes nothing.
      const auto seen = limiter->Judge(Who(key), cost, time);
      Limiter::Answer asked = limiter->Reserve(Who(key), cost, time);
      EXPECT_EQ(seen.has_value(), asked.refusal.has_value());
      if (seen && asked.refusal) {
        EXPECT_EQ(seen->scope, asked.refusal->scope);
        EXPECT_EQ(seen->wait, asked.refusal->wait);
      }
      return asked;
    });
    if (!answer) return;
    std::vector<Holder> holders = {{kKey, key}, {kKeyModel, key}};
    for (const auto& [holder, set] : sets_) {
      if (!IsUpstream(holder.first)) holders.push_back(holder);
    }
    live_.push_back({std::move(holders), time_, cost, std::move(*answer)});
  }

  void AskUpstream() {
    const LimitCost cost{.prompt = 1, .tokens = Between(1, 700)};
    auto answer = Try([&](Limiter* limiter, const LimitTime& time) {
      return limiter->ReserveUpstream(kWhom, cost, time);
    });
    if (!answer) return;
    std::vector<Holder> holders;
    for (const auto& [holder, set] : sets_) {
      if (IsUpstream(holder.first)) holders.push_back(holder);
    }
    live_.push_back({std::move(holders), time_, cost, std::move(*answer)});
  }

  // Mostly of less than it reserved.
  void End() {
    const auto which = static_cast<size_t>(Between(0, static_cast<int64_t>(live_.size()) - 1));
    Live ended = std::move(live_[which]);
    live_.erase(live_.begin() + static_cast<std::ptrdiff_t>(which));
    const bool fails = OneIn(5);
    int64_t used = fails ? 0 : Between(0, ended.cost.tokens);
    if (!fails && overruns_ && OneIn(3)) used = ended.cost.tokens + Between(1, 3'000);
    const int64_t beyond = std::max<int64_t>(0, used - ended.cost.tokens);
    if (!fails) {
      ended.answer.reservation.Settle({used}, time_);
      ended.answer.of_model.Settle({used}, time_);
    }
    ended.answer.reservation = {};
    ended.answer.of_model = {};
    given_back_ += std::max<int64_t>(0, ended.cost.tokens - used) + (fails ? 1 : 0);
    for (const Holder& each : ended.holders) {
      owed_[each] += beyond;
      passed_[each].push_back({ended.at.now.ns, fails ? 0 : 1, used});
    }
  }

  // What headers show of a limit is no more than before, but for what it refills and is given back.
  void Look() {
    for (const auto& [key, limits] : keys_) {
      const LimitsLeft left = limiter_.Look(Who(key), time_);
      for (const LimitsLeft::Kind kind : {&LimitsLeft::requests, &LimitsLeft::tokens}) {
        const auto& now = left.*kind;
        if (!now) continue;
        Expect(now->remaining >= 0 && now->remaining <= now->limit, "what is left is of the limit");
        const bool requests = kind == &LimitsLeft::requests;
        Shown& last = shown_[key][{requests, now->scope, now->window_s}];
        const int64_t rate = now->window_s == 60 ? RateOf(now->scope, key, requests) : 0;
        const Wide refilled =
            Wide{rate} * (time_.now.ns - last.ns) / kMinuteNs + (rate > 0 ? 1 : 0);
        Expect(last.left.limit == 0 ||
                   now->remaining <= last.left.remaining + refilled + given_back_ - last.given_back,
               "what is left never rises faster than its rate");
        last = {*now, time_.now.ns, given_back_};
      }
    }
  }
  const LimitSet& SetOf(LimitScope scope, const std::string& id) const {
    if (scope == LimitScope::kKey) return keys_.at(id);
    if (scope == LimitScope::kKeyModel) return model_limits_;
    return sets_.at({scope, id});
  }
  int64_t RateOf(LimitScope scope, const std::string& key, bool requests) const {
    std::string id = key;
    if (scope > LimitScope::kKeyModel) {
      const auto same = [scope](const auto& each) { return each.first.first == scope; };
      id = std::ranges::find_if(sets_, same)->first.second;
    }
    const LimitSet& set = SetOf(scope, id);
    return (requests ? set.requests_per_minute : set.tokens_per_minute).value_or(0);
  }

  // In every window the settled cost is at most the burst and what the window refills, but for what
  // requests took beyond what they had reserved.
  void CheckWindows() {
    for (auto& each_of : passed_) {
      const auto& holder = each_of.first;
      auto& all = each_of.second;
      std::ranges::stable_sort(all, {}, &Passed::ns);
      const LimitSet& set = SetOf(holder.first, holder.second);
      const auto check = [&](const std::optional<RateLimit>& rate, int64_t Passed::*cost,
                             int64_t owed) {
        if (!rate) return;
        for (size_t from = 0; from < all.size(); ++from) {
          Wide sum = 0;
          for (size_t to = from; to < all.size(); ++to) {
            sum += all[to].*cost;
            const Wide most = Wide{rate->burst + owed} * rate->period.ns +
                              Wide{rate->units} * (all[to].ns - all[from].ns);
            Expect(sum * rate->period.ns <= most,
                   "no window has more than the burst and what it refills");
          }
        }
      };
      const int64_t owed = owed_[holder];
      check(RequestRateOf(set), &Passed::requests, 0);
      check(TokenRateOf(set), &Passed::tokens, owed);
      int64_t requests = 0, tokens = 0;
      for (const Passed& each : all) {
        requests += each.requests;
        tokens += each.tokens;
      }
      Expect(requests <= set.requests_per_day.value_or(requests), "nor a day of requests");
      Expect(tokens <= set.tokens_per_day.value_or(tokens) + owed, "nor a day of tokens");
    }
  }

  std::mt19937_64 random_;
  LimitTime time_{TimePoint{1'000'000'000}, {kNoonMs}};
  std::map<std::string, LimitSet> keys_;
  LimitSet model_limits_;
  std::map<Holder, LimitSet> sets_;
  Limiter limiter_;
  std::vector<Live> live_;
  std::map<Holder, std::vector<Passed>> passed_;
  std::map<std::string, std::map<std::tuple<bool, LimitScope, int64_t>, Shown>> shown_;
  int64_t given_back_ = 0;
  bool overruns_ = false;           // some take more than they had reserved
  std::map<Holder, int64_t> owed_;  // how much more, in all
  std::vector<std::string> broken_;
};

TEST(LimiterSimulationTest, KeepsItsPromisesUnderEverySeed) {
  const auto [first, count] = Seeds();
  size_t refused = 0, told = 0;
  for (uint64_t seed = first; seed < first + count && !::testing::Test::HasFailure(); ++seed) {
    LimiterSimulation simulation(seed);
    for (const std::string& promise : simulation.Run()) {
      ADD_FAILURE() << "seed " << seed << ", " << promise;
    }
    refused += simulation.refused;
    told += simulation.told;
  }
  EXPECT_GT(refused, count * 5);
  EXPECT_GT(told, count * 3);
}

}  // namespace
}  // namespace seekroute
