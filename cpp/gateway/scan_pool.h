// Threads that read large bodies, so that an engine's turn stays short.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "gateway/exchange_world.h"

namespace seekroute {

// Keys take turns: between two bodies of one key, one of every other key that has some is read. So
// a body waits for those that are being read, those before it of its own key, and as many of each
// other. What comes in process is one key's, and what comes from strangers is another's.
//
// Thread-safe. The queues are bounded by the gateway's max_active, and their bytes by whoever takes
// bodies in.
class ScanPool {
 public:
  // Gets each submission back, with its scan, or why its key's limits do not let it be read; on one
  // of the pool's threads.
  using Done = std::function<void(Submission)>;

  // Nothing is owned; all of it outlives the pool. No thread before the first Submit().
  ScanPool(const GatewayOptions* options, const KeyRing* keys, Limiter* limiter, const Clock* clock,
           Done done);
  ~ScanPool();  // Close()
  ScanPool(const ScanPool&) = delete;
  ScanPool& operator=(const ScanPool&) = delete;

  void Submit(Submission submission);

  // From now on bodies are handed back unread.
  void Stop() { stopped_.store(true); }

  // Ends the threads, each after the body that it reads; what waits is dropped. Idempotent.
  void Close();

 private:
  std::string OwnerOf(const Submission& submission) const;
  Submission TakeNext() SR_REQUIRES(mu_);  // something waits
  void Run();
  void Scan(Submission* submission) const;

  const GatewayOptions& options_;
  const KeyRing* const keys_;
  Limiter* const limiter_;
  const Clock* const clock_;
  const Done done_;
  std::atomic<bool> stopped_{false};

  Mutex mu_;
  CondVar wake_;
  std::map<std::string, std::deque<Submission>> queues_ SR_GUARDED_BY(mu_);  // by owner, none empty
  std::deque<std::string> turns_ SR_GUARDED_BY(mu_);  // each owner of a queue once
  size_t waiting_ SR_GUARDED_BY(mu_) = 0;             // in all queues
  std::vector<std::thread> threads_ SR_GUARDED_BY(mu_);
  size_t idle_ SR_GUARDED_BY(mu_) = 0;  // awake or not
  bool closed_ SR_GUARDED_BY(mu_) = false;
};

}  // namespace seekroute
