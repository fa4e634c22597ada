#include "gateway/engine_thread.h"

#include <pthread.h>

#include <algorithm>

namespace seekroute {
namespace {

// Longest sleep of an idle engine: a bound on how late a mistake in a timer could be noticed.
constexpr Duration kLongestSleep = Duration::Seconds(10);

// Longest time that what was asked of the store, and what was answered, stays in a turn.
constexpr Duration kLongestTurn = Duration::Milliseconds(2);

}  // namespace

EngineThread::EngineThread(ExchangeWorld shared, LedgerKeeper* ledger, Mailbox* mailbox)
    : clock_(*shared.clock),
      mailbox_(mailbox),
      store_(ledger != nullptr ? ledger->PortFor(this) : std::make_unique<NullStore>()),
      engine_(WithOwn(shared)),
      thread_([this] { Run(); }) {}

ExchangeWorld EngineThread::WithOwn(ExchangeWorld shared) {
  shared.rng = &rng_;
  shared.waker = this;
  shared.store = store_.get();
  shared.transport = &transport_;
  return shared;
}

EngineThread::~EngineThread() { Stop(); }

void EngineThread::Post(Command command) {
  MutexLock lock(&mu_);
  commands_.push_back(std::move(command));
}

void EngineThread::Flush() {
  {
    MutexLock lock(&mu_);
    if (commands_.empty() || woken_) return;
    woken_ = true;
  }
  transport_.Wake();
}

void EngineThread::Stop() {
  if (stopping_.exchange(true)) return;
  transport_.Wake();
  thread_.join();
  engine_.reset();
  store_.reset();
}

void EngineThread::Run() {
  pthread_setname_np(pthread_self(), "sr-engine");  // for whoever looks with top or perf
  std::vector<Command> batch;
  while (!stopping_.load()) {
    const TimePoint looked = clock_.Now();
    {
      MutexLock lock(&mu_);
      batch.swap(commands_);
      woken_ = false;
    }
    TimePoint handed = looked;
    for (Command& command : batch) {
      Execute(std::move(command));
      if (clock_.Now() < handed + kLongestTurn) continue;
      // What the first of many have asked and answered does not wait for the last.
      store_->Flush();
      mailbox_->Announce();
      handed = clock_.Now();
    }
    batch.clear();
    engine_->Advance(looked);
    store_->Flush();
    mailbox_->Announce();
    const TimePoint next = engine_->NextTimer();
    const TimePoint now = clock_.Now();
    const Duration sleep =
        next <= now ? Duration{} : std::min(Duration{next.ns - now.ns}, kLongestSleep);
    transport_.Poll(sleep);
  }
}

void EngineThread::Execute(Command command) {
  if (auto* submission = std::get_if<Submission>(&command)) {
    engine_->Submit(std::move(*submission));
  } else if (auto* cancel = std::get_if<CancelCommand>(&command)) {
    engine_->Cancel(cancel->id);
  } else if (auto* resume = std::get_if<ResumeCommand>(&command)) {
    engine_->Resume(resume->id);
  } else if (auto* stop = std::get_if<StopCommand>(&command)) {
    stop->id ? engine_->Stop(*stop->id) : engine_->Stop();
  } else if (std::holds_alternative<StopWaitingCommand>(command)) {
    engine_->StopWaiting();
  } else if (auto* wake = std::get_if<WakeCommand>(&command)) {
    engine_->PassGate(wake->id);
  } else if (auto* task = std::get_if<Task>(&command)) {
    (*task)();
  }
}

}  // namespace seekroute
