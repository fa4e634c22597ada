// The only way out of the core: a bounded queue of what clients shall get, and a file descriptor
// that becomes readable when there is something in it. TakeAll() empties it under one lock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/time.h"
#include "gateway/outlet.h"
#include "store/store.h"

namespace seekroute {

using ExchangeId = uint64_t;

// What has gathered for one exchange since the last TakeAll(), in this order: the head, body bytes,
// the end. Successive pieces of body are one string: a slow reader gets fewer, larger batches.
struct Delivery {
  ExchangeId exchange = 0;
  std::unique_ptr<ResponseHead> head;  // at most once an exchange
  std::string body;
  std::unique_ptr<ExchangeRecord> end;  // once, and nothing after it
};

// Thread-safe. Bounded by its writers: an exchange pauses its upstream when more than its window is
// waiting here or at the client.
class Mailbox {
 public:
  Mailbox();
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // The request's body is in memory no more: an entry with nothing in it, where there is no other.
  void PutBodyGone(ExchangeId exchange);
  void PutHead(ExchangeId exchange, ResponseHead head);
  void PutBody(ExchangeId exchange, std::string_view bytes);
  void PutEnd(ExchangeId exchange, ExchangeRecord&& row);

  // Makes fd() readable when something is there. To be called after a batch of Puts and not after
  // each: a wake-up costs more than the rest of a request.
  void Announce();

  // Takes everything, announced or not, oldest exchange first. Never blocks; may be empty.
  std::vector<Delivery> TakeAll();

  // Waits until something is announced or `timeout` is over; true in the first case.
  bool Wait(Duration timeout);

  // Readable (poll, epoll) from an Announce() to the next TakeAll(). Owned by the mailbox.
  int fd() const { return fd_; }

 private:
  Delivery& Slot(ExchangeId exchange) SR_REQUIRES(mu_);

  const int fd_;

  Mutex mu_;
  std::vector<Delivery> pending_ SR_GUARDED_BY(mu_);
  bool announced_ SR_GUARDED_BY(mu_) = false;
  std::unordered_map<ExchangeId, size_t> index_ SR_GUARDED_BY(mu_);  // into pending_
};

}  // namespace seekroute
