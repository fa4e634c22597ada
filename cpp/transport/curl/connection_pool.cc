#include "transport/curl/connection_pool.h"

#include <algorithm>
#include <utility>

#include "transport/curl/origin.h"

namespace seekroute {

// Nothing to read, and not closed. TLS may get a session's ticket while idle.
bool ConnectionPool::Quiet(Connection* connection) {
  char byte;
  return connection->Receive(&byte, 1).kind == IoResult::Kind::kAwaitRead;
}

bool ConnectionPool::TooOld(const Connection& connection, Clock::time_point now) const {
  return now >= connection.idle_until ||
         now - connection.created() >= std::chrono::nanoseconds(limits_.max_life.ns);
}

std::unique_ptr<Connection> ConnectionPool::Take(Origin* origin, Clock::time_point now, bool look) {
  while (!origin->idle.empty()) {
    const auto last = origin->idle.back();
    origin->idle.pop_back();
    std::unique_ptr<Connection> connection = std::move(*last);
    idle_.erase(last);
    if (TooOld(*connection, now) || (look && !Quiet(connection.get()))) continue;
    return connection;
  }
  return nullptr;
}

void ConnectionPool::Put(std::unique_ptr<Connection> connection, Clock::time_point now,
                         Duration keep) {
  connection->idle_until = now + std::chrono::nanoseconds(keep.ns);
  if (TooOld(*connection, now) || limits_.max_idle == 0) return;
  if (connection->pending() && !Quiet(connection.get())) return;
  Origin& origin = connection->origin();
  expire_at_ = std::min({expire_at_, connection->idle_until,
                         connection->created() + std::chrono::nanoseconds(limits_.max_life.ns)});
  idle_.push_back(std::move(connection));
  origin.idle.push_back(std::prev(idle_.end()));
  if (idle_.size() > limits_.max_idle) Drop(idle_.front().get());
}

void ConnectionPool::OnReadable(Connection* connection) {
  if (!Quiet(connection)) Drop(connection);
}

void ConnectionPool::Expire(Clock::time_point now) {
  if (now < expire_at_) return;
  // How long they are kept differs, so all are looked at: at most max_idle, and not again before
  // the next is due.
  expire_at_ = Clock::time_point::max();
  for (auto each = idle_.begin(); each != idle_.end();) {
    Connection* const connection = (each++)->get();
    if (TooOld(*connection, now)) {
      Drop(connection);
      continue;
    }
    expire_at_ = std::min({expire_at_, connection->idle_until,
                           connection->created() + std::chrono::nanoseconds(limits_.max_life.ns)});
  }
}

void ConnectionPool::Drop(Connection* connection) {
  auto& of_origin = connection->origin().idle;
  const auto found = std::find_if(of_origin.begin(), of_origin.end(),
                                  [&](const auto& one) { return one->get() == connection; });
  const auto place = *found;
  of_origin.erase(found);
  idle_.erase(place);
}

}  // namespace seekroute
