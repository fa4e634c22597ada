#include "transport/curl/connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "transport/curl/origin.h"

namespace seekroute {
namespace {

bool TryAgain() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

Connection::Connection(int fd, Origin* origin, SocketSet* sockets, Clock::time_point now)
    : fd_(fd), origin_(origin), sockets_(sockets), created_(now) {
  ++origin_->connections;
}

Connection::~Connection() {
  tls_.reset();
  sockets_->Forget(fd_);
  close(fd_);
  --origin_->connections;
}

void Connection::StartTls(std::shared_ptr<TlsContext> context) {
  context_ = std::move(context);
  tls_ = std::make_unique<TlsStream>(context_.get(), fd_, origin_->host, origin_->peer);
}

IoResult Connection::Receive(char* buffer, size_t size) {
  if (tls_ != nullptr) return tls_->Read(buffer, size);
  const ssize_t got = recv(fd_, buffer, size, 0);
  if (got > 0) return {IoResult::Kind::kBytes, static_cast<size_t>(got)};
  if (got == 0) return {IoResult::Kind::kEof, 0};
  return {TryAgain() ? IoResult::Kind::kAwaitRead : IoResult::Kind::kFailed, 0};
}

IoResult Connection::Send(std::string_view bytes, bool more) {
  if (tls_ != nullptr) return tls_->Write(bytes);
  const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | (more ? MSG_MORE : 0));
  if (sent > 0) {
    written_ += static_cast<uint64_t>(sent);
    return {IoResult::Kind::kBytes, static_cast<size_t>(sent)};
  }
  return {sent < 0 && !TryAgain() ? IoResult::Kind::kFailed : IoResult::Kind::kAwaitWrite, 0};
}

}  // namespace seekroute
