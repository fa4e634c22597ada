// All that one client gets: a head at most once, bytes, signs of life, exactly one end.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/time.h"
#include "gateway/outlet.h"
#include "gateway/stored_answers.h"

namespace seekroute {

// Knows neither money nor providers. Engine thread only.
class Outbox {
 public:
  // `clock` and `alive` are not owned and outlive it. `keep_alive`: of silence, after which a
  // stream says `alive`, bytes that mean nothing to its client.
  Outbox(std::unique_ptr<Outlet> outlet, const Clock* clock, Duration keep_alive,
         std::string_view alive)
      : outlet_(std::move(outlet)), clock_(*clock), keep_alive_(keep_alive), alive_(alive) {}

  // From now on the answer is kept as well, also for a client that leaves: it may be asked for
  // again.
  void Record(std::unique_ptr<AnswerRecorder> recorder) { recorder_ = std::move(recorder); }
  bool records() const { return recorder_ != nullptr; }

  void BodyGone() { outlet_->BodyGone(); }
  void Head(ResponseHead head);
  // Says whether more may come. Never kPause for a client that is gone.
  Flow Body(std::string_view bytes);
  // What comes last: there is nobody left to be paused.
  void Rest(std::string_view bytes);
  // What is told of this moment alone, beside the answer: it is not kept.
  void Comment(std::string_view bytes);

  // Content of the answer, not only its frame, is among what went out or waits for the end. The
  // first time counts.
  void NoteContent() {
    if (!has_content()) first_content_ = clock_.Now();
  }
  bool has_content() const { return first_content_ != TimePoint::Never(); }
  TimePoint first_content() const { return first_content_; }  // Never(): there was none

  // Says that the stream lives, if it has been silent for so long. Not counted against what may
  // wait for the client, as one in a quarter of a minute is a bound.
  void KeepAlive(TimePoint now);
  TimePoint NextKeepAlive() const { return last_sent_ + keep_alive_; }
  TimePoint last_sent() const { return last_sent_; }

  // From now on what goes out passes through what `wrap` makes of the outlet.
  template <typename Wrap>
  void Through(const Wrap& wrap) {
    outlet_ = wrap(std::move(outlet_));
  }

  // The client is gone: only End() still goes out.
  void Leave() { gone_ = true; }
  bool gone() const { return gone_; }
  bool head_sent() const { return head_sent_; }

  // What was kept; null: nothing was, or not all of it. Once.
  std::shared_ptr<const StoredAnswer> TakeRecorded(const std::string& generation_id);

  // Once, and nothing after it.
  void End(ExchangeRecord&& record) { outlet_->End(std::move(record)); }

 private:
  std::unique_ptr<Outlet> outlet_;
  const Clock& clock_;
  const Duration keep_alive_;
  const std::string_view alive_;
  std::unique_ptr<AnswerRecorder> recorder_;
  TimePoint last_sent_;
  TimePoint first_content_ = TimePoint::Never();
  bool head_sent_ = false;
  bool gone_ = false;
};

}  // namespace seekroute
