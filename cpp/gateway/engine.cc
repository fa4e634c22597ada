#include "gateway/engine.h"

#include <algorithm>

namespace seekroute {

Engine::Engine(ExchangeWorld world)
    : world_(world),
      nearest_deadline_(
          std::min({world.options->idle_timeout, world.options->keep_alive,
                    world.options->first_byte_timeout, world.options->first_content_timeout,
                    world.options->hold_timeout, Attempt::kLinger,
                    world.options->note_interval.ns > 0 ? world.options->note_interval
                                                        : Attempt::kLinger})) {
  world_.host = this;
  world_.quirks = &quirks_;
}

Engine::~Engine() { Stop(); }

void Engine::Submit(Submission submission) {
  const ExchangeId id = submission.id;
  auto exchange = std::make_unique<Exchange>(std::move(submission), world_);
  stopped_ ? exchange->Stop() : exchange->Start();
  if (exchange->finished()) return;  // refused: it never needs a timer
  Arm(*exchange, world_.clock->Now());
  exchanges_.emplace(id, std::move(exchange));
}

void Engine::Cancel(ExchangeId id) {
  const auto found = exchanges_.find(id);
  if (found != exchanges_.end()) found->second->ClientLeft();
}

void Engine::Stop(ExchangeId id) {
  const auto found = exchanges_.find(id);
  if (found != exchanges_.end()) found->second->Stop();
}

void Engine::Stop() {
  stopped_ = true;
  for (const auto& [id, exchange] : exchanges_) exchange->Stop();
}

void Engine::Resume(ExchangeId id) {
  const auto found = exchanges_.find(id);
  if (found != exchanges_.end()) found->second->Resume();
}

void Engine::Arm(const Exchange& exchange, TimePoint now) {
  timers_.push({std::min(exchange.NextDeadline(), now + nearest_deadline_), exchange.id()});
}

void Engine::Advance(TimePoint now) {
  Bury();
  while (!timers_.empty() && timers_.top().at <= now) {
    const ExchangeId id = timers_.top().exchange;
    timers_.pop();
    const auto found = exchanges_.find(id);
    if (found == exchanges_.end()) continue;
    Exchange& exchange = *found->second;
    if (exchange.NextDeadline() <= now) exchange.OnTimer(now);
    if (!exchange.finished()) Arm(exchange, now);
  }
  Bury();
}

void Engine::Bury() {
  for (const ExchangeId id : finished_) {
    const auto found = exchanges_.find(id);
    if (found != exchanges_.end() && found->second->finished()) exchanges_.erase(found);
  }
  finished_.clear();
}

TimePoint Engine::NextTimer() const {
  return timers_.empty() ? TimePoint::Never() : timers_.top().at;
}

}  // namespace seekroute
