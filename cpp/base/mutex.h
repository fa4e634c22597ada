// std::mutex with Clang's thread-safety annotations: the lock rule of a class is read in its header
// and kept by the compiler (libstdc++'s own mutex cannot be annotated).
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define SR_ANNOTATE(x) __attribute__((x))
#else
#define SR_ANNOTATE(x)
#endif
#define SR_CAPABILITY(x) SR_ANNOTATE(capability(x))
#define SR_SCOPED_CAPABILITY SR_ANNOTATE(scoped_lockable)
#define SR_GUARDED_BY(x) SR_ANNOTATE(guarded_by(x))
#define SR_REQUIRES(...) SR_ANNOTATE(requires_capability(__VA_ARGS__))
#define SR_ACQUIRE(...) SR_ANNOTATE(acquire_capability(__VA_ARGS__))
#define SR_RELEASE(...) SR_ANNOTATE(release_capability(__VA_ARGS__))

namespace seekroute {

class SR_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() SR_ACQUIRE() { mu_.lock(); }
  void Unlock() SR_RELEASE() { mu_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mu_;
};

// Waits for what a Mutex guards to change. Wait in a loop around the condition: a wake-up may come
// for no reason, and the analysis does not see which locks a lambda has.
class CondVar {
 public:
  CondVar() = default;
  CondVar(const CondVar&) = delete;
  CondVar& operator=(const CondVar&) = delete;

  // Releases `mu` while it waits.
  void Wait(Mutex* mu) SR_REQUIRES(mu) {
    std::unique_lock<std::mutex> lock(mu->mu_, std::adopt_lock);
    woken_.wait(lock);
    lock.release();
  }

  // The same, until `end` at most.
  void WaitUntil(Mutex* mu, std::chrono::steady_clock::time_point end) SR_REQUIRES(mu) {
    std::unique_lock<std::mutex> lock(mu->mu_, std::adopt_lock);
    woken_.wait_until(lock, end);
    lock.release();
  }

  void NotifyOne() { woken_.notify_one(); }
  void NotifyAll() { woken_.notify_all(); }

 private:
  std::condition_variable woken_;
};

// Holds a Mutex for a scope.
class SR_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex* mu) SR_ACQUIRE(mu) : mu_(mu) { mu_->Lock(); }
  ~MutexLock() SR_RELEASE() { mu_->Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* const mu_;
};

}  // namespace seekroute
