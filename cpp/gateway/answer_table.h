// How long answers are, of all engines: asked at admission, told when an answer is whole.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/mutex.h"
#include "routing/answer_lengths.h"
#include "routing/planner.h"

namespace seekroute {

// Lives over snapshots. Thread-safe: one leaf lock.
class AnswerTable {
 public:
  // Fills what each model's answer to a prompt of that difficulty is expected to have.
  void Expect(float difficulty, std::span<PlannedModel> models) const {
    MutexLock lock(&mu_);
    for (PlannedModel& each : models) each.answer = lengths_.Expect(each.model->id, difficulty);
  }

  // As AnswerLengths::Learn().
  void Learn(std::string_view model, float difficulty, int64_t tokens, bool cut) {
    MutexLock lock(&mu_);
    lengths_.Learn(model, difficulty, tokens, cut);
    revision_.fetch_add(1, std::memory_order_relaxed);
  }

  AnswerLengths::Kept Keep() const {
    MutexLock lock(&mu_);
    return lengths_.Keep();
  }
  void Restore(const AnswerLengths::Kept& kept) {
    MutexLock lock(&mu_);
    lengths_.Restore(kept);
  }
  // Changes whenever Keep() would tell anything new.
  uint64_t revision() const { return revision_.load(std::memory_order_relaxed); }

 private:
  mutable Mutex mu_;
  AnswerLengths lengths_ SR_GUARDED_BY(mu_);
  std::atomic<uint64_t> revision_{0};
};

}  // namespace seekroute
