#include "gateway/scan_pool.h"

#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>

#include "gateway/gate.h"
#include "wire/protocols/protocols.h"

namespace seekroute {
namespace {

// Answers go first: a large body may take longer where the processors are busy.
constexpr int kNice = 10;

}  // namespace

ScanPool::ScanPool(const GatewayOptions* options, const KeyRing* keys, Limiter* limiter,
                   const Clock* clock, Done done)
    : options_(*options), keys_(keys), limiter_(limiter), clock_(clock), done_(std::move(done)) {}

ScanPool::~ScanPool() { Close(); }

// A header may be spelled in several ways; a key is one.
std::string ScanPool::OwnerOf(const Submission& submission) const {
  if (submission.origin == Origin::kInProcess) return "local";
  const auto key = keys_->Find(submission.authorization, clock_->WallTime().seconds());
  return key ? "key " + (*key)->key_id : "stranger";
}

void ScanPool::Submit(Submission submission) {
  std::string owner = OwnerOf(submission);
  const MutexLock lock(&mu_);
  if (closed_) return;
  std::deque<Submission>& queue = queues_[owner];
  if (queue.empty()) turns_.push_back(std::move(owner));
  queue.push_back(std::move(submission));
  ++waiting_;
  // An idle thread is one until it wakes, and takes one body then.
  const auto most = static_cast<size_t>(std::max(1, options_.scan_threads));
  if (waiting_ > idle_ && threads_.size() < most) {
    threads_.emplace_back([this] { Run(); });
  }
  wake_.NotifyOne();
}

void ScanPool::Close() {
  std::vector<std::thread> threads;
  {
    const MutexLock lock(&mu_);
    closed_ = true;
    queues_.clear();
    turns_.clear();
    waiting_ = 0;
    threads.swap(threads_);
  }
  wake_.NotifyAll();
  for (std::thread& thread : threads) thread.join();
}

Submission ScanPool::TakeNext() {
  std::string owner = std::move(turns_.front());
  turns_.pop_front();
  const auto queue = queues_.find(owner);
  Submission submission = std::move(queue->second.front());
  queue->second.pop_front();
  --waiting_;
  if (queue->second.empty()) {
    queues_.erase(queue);
  } else {
    turns_.push_back(std::move(owner));
  }
  return submission;
}

void ScanPool::Run() {
  pthread_setname_np(pthread_self(), "sr-scan");
  setpriority(PRIO_PROCESS, 0, kNice);  // Linux: of the calling thread alone
  for (;;) {
    Submission submission;
    {
      const MutexLock lock(&mu_);
      ++idle_;
      while (!closed_ && waiting_ == 0) wake_.Wait(&mu_);
      --idle_;
      if (closed_) return;
      submission = TakeNext();
    }
    if (!stopped_.load()) Scan(&submission);
    done_(std::move(submission));
  }
}

// Only for a key that may be used, and has not sent too much already: another's body is not worth
// the time.
void ScanPool::Scan(Submission* submission) const {
  const Profile* profile =
      &submission->snapshot->ProfileNamed(submission->snapshot->default_profile);
  if (submission->origin != Origin::kInProcess) {
    const auto key = keys_->Find(submission->authorization, clock_->WallTime().seconds());
    if (key ? !KeyRing::CheckUsable(**key).ok() : options_.require_key) return;
    if (key) {
      const LimitTime now{clock_->Now(), clock_->WallTime()};
      submission->unread = PeekLimits(**key, *submission, options_, now, limiter_);
      if (submission->unread) return;
      profile = &submission->snapshot->ProfileNamed((*key)->profile);
    }
  }
  const Surface& surface = SurfaceOf(submission->surface);
  submission->scan.emplace(
      ScanBody(submission->body, surface, *profile, submission->snapshot->excerpt_for()));
}

}  // namespace seekroute
