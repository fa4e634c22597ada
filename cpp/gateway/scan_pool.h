// Threads that read large bodies, so that an engine's turn stays short.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "gateway/exchange_world.h"

namespace seekroute {

// Thread-safe. The queue is bounded by the gateway's max_active, and its bytes by whoever takes
// bodies in.
class ScanPool {
 public:
  // Gets each submission back, with its scan; on one of the pool's threads.
  using Done = std::function<void(Submission)>;

  // `keys` and `clock` are not owned and outlive the pool. No thread before the first Submit().
  ScanPool(const KeyRing* keys, bool require_key, const Clock* clock, int threads, Done done);
  ~ScanPool();  // Close()
  ScanPool(const ScanPool&) = delete;
  ScanPool& operator=(const ScanPool&) = delete;

  void Submit(Submission submission);

  // From now on bodies are handed back unread.
  void Stop() { stopped_.store(true); }

  // Ends the threads, each after the body that it reads; what waits is dropped. Idempotent.
  void Close();

 private:
  void Run();
  void Scan(Submission* submission) const;

  const KeyRing* const keys_;
  const bool require_key_;
  const Clock* const clock_;
  const int most_threads_;
  const Done done_;
  std::atomic<bool> stopped_{false};

  std::mutex mu_;
  std::condition_variable wake_;
  std::deque<Submission> queue_;      // mu_
  std::vector<std::thread> threads_;  // mu_
  int idle_ = 0;                      // mu_
  bool closed_ = false;               // mu_
};

}  // namespace seekroute
