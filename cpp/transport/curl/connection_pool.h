// Idle connections, kept for the next request to the same origin.
#pragma once

#include <list>
#include <memory>

#include "base/time.h"
#include "transport/curl/connection.h"

namespace seekroute {

// Engine thread only. An idle connection is watched for reading: a peer that closes it, or says
// something unasked, ends it (OnReadable).
class ConnectionPool {
 public:
  using Clock = Connection::Clock;
  struct Limits {
    size_t max_idle = 0;
    Duration max_life;
  };

  explicit ConnectionPool(Limits limits) : limits_(limits) {}

  // The one used last; null when there is none. With `look`, asks its socket first.
  std::unique_ptr<Connection> Take(Origin* origin, Clock::time_point now, bool look);
  // Keeps it for `keep`; not at all where that is nothing. Beyond the limit the longest idle
  // connection of all is closed.
  void Put(std::unique_ptr<Connection> connection, Clock::time_point now, Duration keep);
  // The socket of a connection in here is ready: closes it, unless TLS had something to say to
  // itself.
  void OnReadable(Connection* connection);
  // Closes what was idle too long.
  void Expire(Clock::time_point now);

 private:
  static bool Quiet(Connection* connection);
  bool TooOld(const Connection& connection, Clock::time_point now) const;
  void Drop(Connection* connection);

  const Limits limits_;
  std::list<std::unique_ptr<Connection>> idle_;             // the longest idle first
  Clock::time_point expire_at_ = Clock::time_point::max();  // none is too old before
};

}  // namespace seekroute
