// An exchange's way into the mailbox, and the window that bounds what waits for its client.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "gateway/mailbox.h"
#include "gateway/outlet.h"

namespace seekroute {

// How many bytes one client has been sent and has not taken. Shared by the engine thread, which
// adds, and the client's side, which takes away. Thread-safe.
class FlowWindow {
 public:
  explicit FlowWindow(size_t limit) : limit_(static_cast<int64_t>(limit)) {}

  // After sending `size` bytes. True: over the limit, pause the upstream; exactly one later Take()
  // will say that it must be resumed.
  bool Add(size_t size) {
    const int64_t now =
        outstanding_.fetch_add(static_cast<int64_t>(size)) + static_cast<int64_t>(size);
    if (now <= limit_) return false;
    paused_.store(true);
    // A Take() between the two lines has seen paused_ == false and will not resume: look again.
    if (outstanding_.load() <= limit_ / 2 && paused_.exchange(false)) return false;
    return true;
  }

  // After the client took `size` bytes. True: the caller must resume the upstream.
  bool Take(size_t size) {
    const int64_t left =
        outstanding_.fetch_sub(static_cast<int64_t>(size)) - static_cast<int64_t>(size);
    return left <= limit_ / 2 && paused_.load() && paused_.exchange(false);
  }

 private:
  const int64_t limit_;
  std::atomic<int64_t> outstanding_{0};
  std::atomic<bool> paused_{false};
};

class MailboxOutlet final : public Outlet {
 public:
  // `mailbox` is not owned and outlives it.
  MailboxOutlet(Mailbox* mailbox, ExchangeId id, std::shared_ptr<FlowWindow> window)
      : mailbox_(mailbox), id_(id), window_(std::move(window)) {}

  void BodyGone() override { mailbox_->PutBodyGone(id_); }
  void Head(ResponseHead head) override { mailbox_->PutHead(id_, std::move(head)); }
  Flow Body(std::string_view bytes, bool counted) override {
    mailbox_->PutBody(id_, bytes);
    return counted && window_->Add(bytes.size()) ? Flow::kPause : Flow::kContinue;
  }
  void End(ExchangeRecord&& record) override { mailbox_->PutEnd(id_, std::move(record)); }

 private:
  Mailbox* const mailbox_;
  const ExchangeId id_;
  const std::shared_ptr<FlowWindow> window_;
};

}  // namespace seekroute
