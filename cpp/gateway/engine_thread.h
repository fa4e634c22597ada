// One engine in the real world: its thread, its libcurl transport, its queue of commands.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <variant>
#include <vector>

#include "base/mutex.h"
#include "gateway/engine.h"
#include "gateway/system.h"
#include "store/ledger.h"
#include "transport/curl/curl_transport.h"

namespace seekroute {

// Thread-safe: every method may be called from any thread.
class EngineThread : private EngineInbox, private LimitWaker {
 public:
  // Starts it. `shared` is what all engines share: its random numbers, store, transport and waker
  // are the thread's own, whatever is passed. Nothing is owned; everything outlives the thread.
  // `ledger` may be null.
  EngineThread(ExchangeWorld shared, LedgerKeeper* ledger, Mailbox* mailbox);
  ~EngineThread() override;  // Stop()
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  // Queued until Flush(), or until the thread wakes for another reason.
  void Submit(Submission submission) { Post(Command(std::move(submission))); }
  void Flush();

  void Cancel(ExchangeId id) { Post(Command(CancelCommand{id})), Flush(); }
  void Resume(ExchangeId id) { Post(Command(ResumeCommand{id})), Flush(); }

  // Ends one exchange, or all and those still to come, with kShuttingDown. Their ends come by the
  // mailbox.
  void StopExchange(ExchangeId id) { Post(Command(StopCommand{id})), Flush(); }
  void StopExchanges() { Post(Command(StopCommand{})), Flush(); }

  // Ends those that wait for room in their limits with kShuttingDown; nobody waits from now on.
  void StopWaiting() { Post(Command(StopWaitingCommand{})), Flush(); }

  // Ends the thread and stops the exchanges that still run: what they hold is settled, and their
  // ends may be lost. Nothing is done, or asked of the ledger, after it. Idempotent.
  void Stop();

 private:
  struct CancelCommand {
    ExchangeId id;
  };
  struct ResumeCommand {
    ExchangeId id;
  };
  struct StopCommand {
    std::optional<ExchangeId> id;  // none: all
  };
  struct StopWaitingCommand {};
  struct WakeCommand {
    ExchangeId id;
  };
  // What the ledger has answered.
  using Task = std::function<void()>;
  using Command = std::variant<Submission, CancelCommand, ResumeCommand, StopCommand,
                               StopWaitingCommand, WakeCommand, Task>;

  void Post(Command command);
  void Post(Task task) override { Post(Command(std::move(task))), Flush(); }
  void Wake(ExchangeId id) override { Post(Command(WakeCommand{id})), Flush(); }
  void Run();
  void Execute(Command command);

  ExchangeWorld WithOwn(ExchangeWorld shared);

  const Clock& clock_;
  Mailbox* const mailbox_;
  CurlTransport transport_;
  SystemRng rng_;
  std::unique_ptr<Store> store_;
  std::optional<Engine> engine_;
  std::atomic<bool> stopping_{false};

  Mutex mu_;
  std::vector<Command> commands_ SR_GUARDED_BY(mu_);  // bounded by the gateway's max_active
  bool woken_ SR_GUARDED_BY(mu_) = false;             // for what is in commands_

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace seekroute
