// One request: what is written of it, and how its answer is read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "transport/curl/connection.h"
#include "transport/curl/connector.h"
#include "transport/curl/origin.h"
#include "transport/curl/response_reader.h"
#include "transport/transport.h"

namespace seekroute {

// Engine thread only.
class Transfer {
 public:
  enum class Phase : uint8_t { kQueued, kConnecting, kHandshaking, kExchanging };
  enum class Sent : uint8_t { kAll, kAwaitWrite, kAwaitRead, kFailed };

  // `observer` and `origin` are not owned.
  Transfer(TransferId id, TransportRequest request, TransportObserver* observer, Origin* origin,
           size_t max_head_bytes);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Says why `request` must not be sent, if so.
  static std::optional<Error> Refusal(const TransportRequest& request, const Origin& origin);

  // Gets a connection, ready for a request. From now on the request can go nowhere else, unless not
  // a byte of it was taken.
  void Attach(std::unique_ptr<Connection> connection, bool reused);
  std::unique_ptr<Connection> Detach();

  // Writes on; what is written once is not written again.
  Sent Send();
  bool all_sent() const { return head_sent_ == head_.size() && body_sent_ == request_.body.size(); }

  // How long its connection may be idle when it is over.
  Duration KeepIdle() const;

  // False: it is certain that no byte of the request was sent.
  bool dispatched() const;

  TransferId id() const { return id_; }
  Origin& origin() const { return *origin_; }
  Connection* connection() const { return connection_.get(); }
  bool reused() const { return reused_; }
  Duration connect_timeout() const { return request_.connect_timeout; }

  TransportObserver* observer;  // not owned; null once cancelled
  ResponseReader reader;
  Phase phase = Phase::kQueued;
  Connector::Dial* connecting = nullptr;     // the connector's
  Connection::Clock::time_point connect_by;  // the connection must stand, TLS included
  bool waited = false;                       // for its turn to connect
  bool send_failed = false;  // the rest of the request is not sent; an answer may come
  bool paused = false;
  bool resuming = false;    // waits for its Resume()
  bool in_backlog = false;  // waits for its turn: TLS holds bytes the socket does not show
  std::string unread;       // what came and was not read when it was paused: one buffer at most

 private:
  void Compose();

  const TransferId id_;
  Origin* const origin_;
  TransportRequest request_;
  std::string head_;  // and a small body
  size_t head_sent_ = 0;
  size_t body_sent_ = 0;
  bool reused_ = false;
  bool written_ = false;         // bytes were taken, though the strings are gone
  uint64_t written_before_ = 0;  // by earlier requests of the connection, and the handshake
  std::unique_ptr<Connection> connection_;
};

}  // namespace seekroute
