// std::mutex with Clang's thread-safety annotations: the lock rule of a class is read in its header
// and kept by the compiler (libstdc++'s own mutex cannot be annotated).
#pragma once

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
  std::mutex mu_;
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
