#include "gateway/mailbox.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace seekroute {

Mailbox::Mailbox() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Mailbox::~Mailbox() { close(fd_); }

void Mailbox::Announce() {
  MutexLock lock(&mu_);
  if (pending_.empty() || announced_) return;
  announced_ = true;
  const uint64_t one = 1;
  // Fails only when the counter is full, and then it is readable anyway.
  [[maybe_unused]] const ssize_t written = write(fd_, &one, sizeof one);
}

Delivery& Mailbox::Slot(ExchangeId exchange) {
  const auto [found, added] = index_.try_emplace(exchange, pending_.size());
  if (added) {
    pending_.emplace_back();
    pending_.back().exchange = exchange;
  }
  return pending_[found->second];
}

void Mailbox::PutBodyGone(ExchangeId exchange) {
  MutexLock lock(&mu_);
  Slot(exchange);
}

void Mailbox::PutHead(ExchangeId exchange, ResponseHead head) {
  auto owned = std::make_unique<ResponseHead>(std::move(head));
  MutexLock lock(&mu_);
  Slot(exchange).head = std::move(owned);
}

void Mailbox::PutBody(ExchangeId exchange, std::string_view bytes) {
  if (bytes.empty()) return;
  MutexLock lock(&mu_);
  Slot(exchange).body.append(bytes);
}

void Mailbox::PutEnd(ExchangeId exchange, ExchangeRecord&& row) {
  auto owned = std::make_unique<ExchangeRecord>(std::move(row));
  MutexLock lock(&mu_);
  Slot(exchange).end = std::move(owned);
}

std::vector<Delivery> Mailbox::TakeAll() {
  std::vector<Delivery> taken;
  MutexLock lock(&mu_);
  if (announced_) {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(fd_, &count, sizeof count);
    announced_ = false;
  }
  taken.swap(pending_);
  index_.clear();
  return taken;
}

bool Mailbox::Wait(Duration timeout) {
  pollfd entry{fd_, POLLIN, 0};
  const int64_t ms = timeout.ns / 1'000'000;
  return poll(&entry, 1, static_cast<int>(ms < 0 ? 0 : ms)) > 0;
}

}  // namespace seekroute
