// The limits of a simulated run, and what they promise.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "testing/simulation.h"

namespace seekroute::testing {

// From numbers of their own: what else a seed plays is the same with and without limits.
void Simulation::DrawLimits(uint64_t seed) {
  SeededRng rng(seed * 7919 + 1);
  const auto draw = [&rng](uint64_t least, uint64_t most) {
    return static_cast<int64_t>(least + rng.Below(most - least));
  };
  if (rng.OneIn(4)) {
    provider_slots_ = draw(1, 3);
    for (const Provider& provider : snapshot_->providers) {
      upstream_limiter_.Set(LimitScope::kProvider, provider.id,
                            std::make_shared<const LimitSet>(LimitSet{
                                .tokens_per_minute = 100'000, .concurrent = provider_slots_}),
                            {clock_.Now(), clock_.WallTime()});
    }
  }
  if (!rng.OneIn(2)) return;
  if (rng.OneIn(2)) {
    limits_.requests_per_minute = draw(6, 60);
    limits_.burst_requests = draw(4, 10);
  }
  if (rng.OneIn(3)) limits_.tokens_per_minute = draw(1'000, 100'000);
  if (rng.OneIn(6)) limits_.requests_per_day = draw(5, 12);
  if (rng.OneIn(6)) limits_.tokens_per_day = draw(5'000, 200'000);
  if (rng.OneIn(2)) limits_.concurrent = draw(2, 6);
  if (!rng.OneIn(4)) return;
  model_slots_ = draw(1, 4);
  for (const char* const model : {"a/m1", "a/m2", "a/m3", "a/m4", "a/m5"}) {
    limiter_.Set(LimitScope::kModel, model,
                 std::make_shared<const LimitSet>(LimitSet{.concurrent = model_slots_}),
                 {clock_.Now(), clock_.WallTime()});
  }
}

// Likewise. Some wait, some do not.
void Simulation::DrawPatience(uint64_t seed) {
  SeededRng rng(seed * 7919 + 2);
  queues_ = rng.OneIn(2);
  if (!queues_) return;
  for (auto& [id, client] : clients_) {
    if (!rng.OneIn(4)) client.queue = rng.UpTo(Duration::Seconds(60));
  }
}

// Whose request `body` is, by the tag in its prompt.
ExchangeId Simulation::ClientOf(const std::string& body) const {
  return std::strtoull(body.c_str() + body.find("tag") + 3, nullptr, 10);
}

// At every instant: no more run upstream than there are slots, and none of them holds none.
void Simulation::CheckSlots() {
  CheckProviders();
  if (limits_.empty()) return;
  int64_t upstream = 0;
  std::vector<ExchangeId> clients;
  for (const size_t seen : transport_.running()) {
    const ExchangeId id = ClientOf(transport_.seen()[seen].body);
    if (clients_[id].local || seconds_.contains(seen)) continue;
    ++upstream;
    if (std::find(clients.begin(), clients.end(), id) == clients.end()) clients.push_back(id);
  }
  const int64_t running = limiter_.running(LimitScope::kKey, "o", "k");
  const auto expect = [&](bool holds, const std::string& promise) {
    if (!holds) early_.push_back("limits: " + promise);
  };
  if (limits_.concurrent) {
    expect(running <= *limits_.concurrent, "no more slots than there are");
    expect(upstream <= *limits_.concurrent, "no more run upstream than may at once");
  }
  expect(running >= static_cast<int64_t>(clients.size()), "what runs upstream has a slot");
  const int64_t waiting = limiter_.figures().waiting;
  expect(running + waiting <= static_cast<int64_t>(engine_.size()),
         "only what runs has a slot, and none that waits");
}

// At every instant: no provider is asked more than may run there.
void Simulation::CheckProviders() {
  if (!provider_slots_) return;
  std::map<std::string, int64_t> running;
  for (const size_t seen : transport_.running()) {
    const std::string& url = transport_.seen()[seen].url;
    ++running[url.substr(0, url.find('/', 8))];
  }
  for (const Provider& provider : snapshot_->providers) {
    const int64_t there = running[provider.upstream.base_url];
    const int64_t slots = upstream_limiter_.running(LimitScope::kProvider, "", provider.id);
    if (there > *provider_slots_ || slots > *provider_slots_) {
      early_.push_back("limits: no more are asked of " + provider.id + " than may be at once");
    }
    if (slots < there) early_.push_back("limits: who is asked has a slot at " + provider.id);
  }
}

// Of the whole run.
void Simulation::CheckLimits(std::vector<std::string>* broken) {
  const auto expect = [&](bool holds, const std::string& promise) {
    if (!holds) broken->push_back("limits: " + promise);
  };
  expect(limiter_.running(LimitScope::kKey, "o", "k") == 0, "every slot is free again");
  for (const char* const model : {"a/m1", "a/m2", "a/m3", "a/m4", "a/m5"}) {
    expect(limiter_.running(LimitScope::kModel, "", model) == 0, "every slot of a model too");
  }
  for (const Provider& provider : snapshot_->providers) {
    expect(upstream_limiter_.running(LimitScope::kProvider, "", provider.id) == 0,
           "every slot of a provider too");
  }
  upstream_limiter_.Census();
  expect(upstream_limiter_.figures().leaks == 0, "a census finds nothing of those who are asked");
  expect(limiter_.figures().waiting == 0, "nobody waits any more");
  limiter_.Census();
  expect(limiter_.figures().leaks == 0, "a census finds nothing");

  std::vector<int64_t> passed;  // when
  for (const auto& [id, client] : clients_) {
    const bool limited = client.row.error == "rate_limit_exceeded" && client.row.attempts == 0;
    if (limited) ++limited_;
    expect(!limited || AttemptsOf(id).empty(), "what a limit refuses is not sent");
    expect(!limited || store_.Find(id) == nullptr, "nor held for");
    expect(!limited || !limits_.empty() || model_slots_, "nobody is limited without a limit");
    const bool sent = client.row.attempts > 0 || store_.Find(id) != nullptr;
    const Duration patience = client.queue.value_or(Duration{});
    expect(!limited || client.ended <= client.submitted + patience,
           "nobody waits for a limit longer than it would");
    const auto attempts = AttemptsOf(id);
    if (client.queue && !options_.credits && !attempts.empty()) {
      const Duration waited = attempts.front()->started - client.submitted;
      if (waited.ns > 0) ++queued_;
      expect(waited <= patience, "who has waited is sent in time");
    }
    if (!client.local && sent) passed.push_back(client.submitted.ns);
  }
  std::sort(passed.begin(), passed.end());
  expect(
      !limits_.requests_per_day || static_cast<int64_t>(passed.size()) <= *limits_.requests_per_day,
      "no more in a day than may");
  if (!limits_.requests_per_minute || queues_) return;  // who waits passes at another time
  const int64_t least_ns = Duration::Seconds(60).ns / *limits_.requests_per_minute;
  for (size_t from = 0; from < passed.size(); ++from) {
    for (size_t to = from; to < passed.size(); ++to) {
      const int64_t refilled = (passed[to] - passed[from]) / least_ns;
      expect(static_cast<int64_t>(to - from + 1) <= *limits_.burst_requests + refilled,
             "in every window no more than the burst and what it refills");
    }
  }
}

}  // namespace seekroute::testing
