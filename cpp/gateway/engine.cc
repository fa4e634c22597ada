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
  if (world_.waker == nullptr) world_.waker = this;
  if (world_.shadows != nullptr) shadow_world_.emplace(world_);
}

Engine::~Engine() { Stop(); }

void Engine::Submit(Submission submission) {
  const ExchangeId id = submission.id;
  const ExchangeWorld& world =
      submission.origin == Origin::kShadow ? shadow_world_->world() : world_;
  auto exchange = std::make_unique<Exchange>(std::move(submission), world);
  stopped_ ? exchange->Stop() : exchange->Start();
  if (exchange->finished()) return;  // refused: it never needs a timer
  const TimePoint now = world_.clock->Now();
  const TimePoint next = exchange->NextDeadline();
  exchanges_.emplace(id, Running{std::move(exchange)});
  OnDeadline(id, std::min(next, now + nearest_deadline_));
}

void Engine::Cancel(ExchangeId id) {
  const auto found = exchanges_.find(id);
  if (found != exchanges_.end()) found->second.exchange->ClientLeft();
}

void Engine::Stop(ExchangeId id) {
  const auto found = exchanges_.find(id);
  if (found != exchanges_.end()) found->second.exchange->Stop();
}

void Engine::Stop() {
  stopped_ = true;
  for (const auto& [id, running] : exchanges_) running.exchange->Stop();
}

void Engine::StopWaiting() {
  world_.waker = nullptr;  // of those that come
  world_.shadows = nullptr;
  for (const auto& [id, running] : exchanges_) {
    if (running.exchange->queued() || running.exchange->shadow()) running.exchange->Stop();
  }
}

void Engine::Resume(ExchangeId id) {
  const auto found = exchanges_.find(id);
  if (found != exchanges_.end()) found->second.exchange->Resume();
}

void Engine::PassGate(ExchangeId id) {
  const auto found = exchanges_.find(id);
  if (found != exchanges_.end()) found->second.exchange->PassGate();
}

// Whoever passes may wake the next one.
void Engine::PassGates() {
  while (!woken_.empty()) {
    std::vector<ExchangeId> woken;
    woken.swap(woken_);
    for (const ExchangeId id : woken) PassGate(id);
  }
}

// Those of the turn before: what that has written is with its clients.
void Engine::StartSeconds() {
  const bool any = world_.shadows != nullptr && !stopped_;
  std::vector<Submission> seconds;
  seconds.swap(seconds_);
  seconds_.swap(following_);
  for (Submission& second : seconds) {
    if (any) Submit(std::move(second));
  }
  if (!any) seconds_.clear();
}

void Engine::OnDeadline(ExchangeId id, TimePoint at) {
  const auto found = exchanges_.find(id);
  if (found == exchanges_.end() || at >= found->second.armed) return;
  found->second.armed = at;
  timers_.push({at, id});
}

void Engine::Advance(TimePoint now) {
  Bury();
  StartSeconds();
  PassGates();
  while (!timers_.empty() && timers_.top().at <= now) {
    const Timer timer = timers_.top();
    timers_.pop();
    const auto found = exchanges_.find(timer.exchange);
    if (found == exchanges_.end() || found->second.armed != timer.at) continue;
    Exchange& exchange = *found->second.exchange;
    found->second.armed = TimePoint::Never();
    if (exchange.NextDeadline() <= now) exchange.OnTimer(now);
    PassGates();
    if (exchange.finished()) continue;
    OnDeadline(timer.exchange, std::min(exchange.NextDeadline(), now + nearest_deadline_));
  }
  Bury();
}

void Engine::Bury() {
  for (const ExchangeId id : finished_) {
    const auto found = exchanges_.find(id);
    if (found != exchanges_.end() && found->second.exchange->finished()) exchanges_.erase(found);
  }
  finished_.clear();
}

TimePoint Engine::NextTimer() const {
  if (!woken_.empty() || !following_.empty() || !seconds_.empty()) return world_.clock->Now();
  return timers_.empty() ? TimePoint::Never() : timers_.top().at;
}

}  // namespace seekroute
