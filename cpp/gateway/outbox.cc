#include "gateway/outbox.h"

#include <utility>

namespace seekroute {

void Outbox::Head(ResponseHead head) {
  head_sent_ = true;
  if (recorder_) recorder_->Head(head);
  if (!gone_) outlet_->Head(std::move(head));
}

Flow Outbox::Body(std::string_view bytes) {
  if (recorder_) recorder_->Body(bytes);
  last_sent_ = clock_.Now();
  return gone_ ? Flow::kContinue : outlet_->Body(bytes, true);
}

void Outbox::Rest(std::string_view bytes) {
  if (recorder_) recorder_->Body(bytes);
  if (!gone_) outlet_->Body(bytes, false);
}

void Outbox::Comment(std::string_view bytes) {
  if (!gone_) outlet_->Body(bytes, false);
}

void Outbox::KeepAlive(TimePoint now) {
  if (now < NextKeepAlive()) return;
  last_sent_ = now;
  Rest(alive_);
}

std::shared_ptr<const StoredAnswer> Outbox::TakeRecorded(const std::string& generation_id) {
  const std::unique_ptr<AnswerRecorder> recorder = std::move(recorder_);
  return recorder ? recorder->Finish(generation_id) : nullptr;
}

}  // namespace seekroute
