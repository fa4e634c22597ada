#include "testing/raw_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <iterator>
#include <utility>

namespace seekroute {
namespace {

// Small, so that a client that stops reading stops the server soon.
constexpr int kSendBufferBytes = 64 << 10;
constexpr int kBacklog = 512;

size_t ContentLength(const std::string& head) {
  const size_t at = head.find("Content-Length: ");
  return at == std::string::npos ? 0 : std::strtoul(head.c_str() + at + 16, nullptr, 10);
}

}  // namespace

RawServer::RawServer(Script script) : script_(std::move(script)) {
  listen_fd_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  (void)bind(listen_fd_, reinterpret_cast<sockaddr*>(&address), sizeof address);
  listen(listen_fd_, kBacklog);
  socklen_t size = sizeof address;
  getsockname(listen_fd_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

RawServer::~RawServer() {
  stop_ = true;
  Wake();
  thread_.join();
  for (auto& [fd, connection] : connections_) Close(&connection, Then::kFin);
  close(listen_fd_);
  close(wake_fd_);
}

std::string RawServer::Ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

void RawServer::GreetWith(const Reply& greeting) {
  const std::lock_guard lock(mu_);
  greetings_.assign(1, greeting);
}

void RawServer::Interrupt(Reply reply) {
  std::unique_lock lock(mu_);
  commands_.push_back(std::move(reply));
  Wake();
  commanded_.wait(lock, [this] { return commands_.empty(); });
}

void RawServer::Wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
}

void RawServer::Run() {
  while (!stop_) {
    std::vector<pollfd> polled = {{listen_fd_, POLLIN, 0}, {wake_fd_, POLLIN, 0}};
    for (const auto& [fd, connection] : connections_) {
      const bool writing = connection.out_sent < connection.out.size();
      polled.push_back({fd, static_cast<short>(writing ? POLLIN | POLLOUT : POLLIN), 0});
    }
    poll(polled.data(), polled.size(), -1);
    if (polled[1].revents != 0) RunCommand();
    for (size_t i = 2; i < polled.size(); ++i) {
      const auto found = connections_.find(polled[i].fd);
      if (polled[i].revents == 0 || found == connections_.end()) continue;
      if (!Serve(&found->second, (polled[i].revents & ~POLLOUT) != 0)) connections_.erase(found);
    }
    if (polled[0].revents != 0) Accept();
  }
}

void RawServer::RunCommand() {
  uint64_t wakes;
  [[maybe_unused]] const ssize_t taken = read(wake_fd_, &wakes, sizeof wakes);
  const std::lock_guard lock(mu_);
  for (const Reply& command : commands_) {
    for (auto at = connections_.begin(); at != connections_.end();) {
      Queue(&at->second, command);
      at = Flush(&at->second) ? std::next(at) : connections_.erase(at);
    }
  }
  commands_.clear();
  commanded_.notify_all();
}

void RawServer::Accept() {
  const int fd = accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof kSendBufferBytes);
  Connection& connection = connections_[fd];
  connection.fd = fd;
  connection.index = accepted_++;
  std::vector<Reply> greetings;
  {
    const std::lock_guard lock(mu_);
    greetings = greetings_;
  }
  for (const Reply& greeting : greetings) {
    Queue(&connection, greeting);
    if (!Flush(&connection)) connections_.erase(fd);
  }
}

// False when the connection is closed.
bool RawServer::Serve(Connection* connection, bool readable) {
  if (readable) {
    char buffer[65536];
    const ssize_t size = recv(connection->fd, buffer, sizeof buffer, 0);
    if (size == 0 || (size < 0 && errno != EAGAIN) || connection->in.size() > kMaxRequestBytes) {
      Close(connection, Then::kFin);
      return false;
    }
    if (size > 0) {
      if (connection->in.empty()) ++requests_begun_;
      connection->in.append(buffer, static_cast<size_t>(size));
    }
    Request request;
    Meet();
    while (TakeRequest(connection, &request)) Queue(connection, script_(request));
  }
  return Flush(connection);
}

bool RawServer::TakeRequest(Connection* connection, Request* request) {
  const size_t end = connection->in.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  request->head = connection->in.substr(0, end + 4);
  const size_t length = ContentLength(request->head);
  if (connection->in.size() < end + 4 + length) return false;
  request->body = connection->in.substr(end + 4, length);
  request->connection = connection->index;
  request->number = connection->requests++;
  connection->in.erase(0, end + 4 + length);
  if (!connection->in.empty()) ++requests_begun_;
  return true;
}

void RawServer::Queue(Connection* connection, const Reply& reply) {
  connection->out += reply.bytes;
  connection->then = reply.then;
}

// False when the connection is closed.
bool RawServer::Flush(Connection* connection) {
  Meet();
  while (connection->out_sent < connection->out.size()) {
    const ssize_t size = send(connection->fd, connection->out.data() + connection->out_sent,
                              connection->out.size() - connection->out_sent, MSG_NOSIGNAL);
    if (size < 0 && errno == EAGAIN) return true;
    if (size <= 0) {
      Close(connection, Then::kFin);
      return false;
    }
    connection->out_sent += static_cast<size_t>(size);
    bytes_sent_ += static_cast<size_t>(size);
  }
  connection->out.clear();
  connection->out_sent = 0;
  if (connection->then == Then::kKeep) return true;
  Close(connection, connection->then);
  return false;
}

void RawServer::Close(Connection* connection, Then how) {
  if (how == Then::kReset) {
    const linger abort = {1, 0};
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  }
  close(connection->fd);
}

}  // namespace seekroute
