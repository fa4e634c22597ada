#include "gateway/scan_pool.h"

#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>

namespace seekroute {
namespace {

// Answers go first: a large body may take longer where the processors are busy.
constexpr int kNice = 10;

}  // namespace

ScanPool::ScanPool(const KeyRing* keys, bool require_key, const Clock* clock, int threads,
                   Done done)
    : keys_(keys),
      require_key_(require_key),
      clock_(clock),
      most_threads_(std::max(1, threads)),
      done_(std::move(done)) {}

ScanPool::~ScanPool() { Close(); }

void ScanPool::Submit(Submission submission) {
  const std::lock_guard<std::mutex> lock(mu_);
  if (closed_) return;
  queue_.push_back(std::move(submission));
  if (idle_ == 0 && threads_.size() < static_cast<size_t>(most_threads_)) {
    threads_.emplace_back([this] { Run(); });
  }
  wake_.notify_one();
}

void ScanPool::Close() {
  std::vector<std::thread> threads;
  {
    const std::lock_guard<std::mutex> lock(mu_);
    closed_ = true;
    queue_.clear();
    threads.swap(threads_);
  }
  wake_.notify_all();
  for (std::thread& thread : threads) thread.join();
}

void ScanPool::Run() {
  pthread_setname_np(pthread_self(), "sr-scan");
  setpriority(PRIO_PROCESS, 0, kNice);  // Linux: of the calling thread alone
  for (;;) {
    Submission submission;
    {
      std::unique_lock<std::mutex> lock(mu_);
      ++idle_;
      wake_.wait(lock, [this] { return closed_ || !queue_.empty(); });
      --idle_;
      if (closed_) return;
      submission = std::move(queue_.front());
      queue_.pop_front();
    }
    if (!stopped_.load()) Scan(&submission);
    done_(std::move(submission));
  }
}

// Only for a key that may be used: a stranger's body is not worth the time.
void ScanPool::Scan(Submission* submission) const {
  const Profile* profile =
      &submission->snapshot->ProfileNamed(submission->snapshot->default_profile);
  if (!submission->local) {
    const auto key = keys_->Find(submission->authorization, clock_->WallTime().seconds());
    if (key ? !KeyRing::CheckUsable(**key).ok() : require_key_) return;
    if (key) profile = &submission->snapshot->ProfileNamed((*key)->profile);
  }
  submission->scan.emplace(ScanBody(submission->body, *profile));
}

}  // namespace seekroute
