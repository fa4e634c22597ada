#include "transport/curl/transfer.h"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/failpoint.h"

namespace seekroute {
namespace {

// A body up to this size is copied behind the head: one packet, one TLS record, one system call.
constexpr size_t kMaxJoinedBody = 8 << 10;

// A line break in a header or path would let its author write headers of his own.
bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 ? c != '\t' : c == 0x7F;
  });
}

// Assigning an empty string would keep the memory.
void Free(std::string* text) { std::string().swap(*text); }

bool IsHeader(const std::string& line, std::string_view lowered_name) {
  return line.size() > lowered_name.size() && line[lowered_name.size()] == ':' &&
         strncasecmp(line.c_str(), lowered_name.data(), lowered_name.size()) == 0;
}

}  // namespace

Transfer::Transfer(TransferId id, TransportRequest request, TransportObserver* heard_by,
                   Origin* origin, size_t max_head_bytes)
    : observer(heard_by),
      reader(max_head_bytes, request.wanted_headers),
      id_(id),
      origin_(origin),
      request_(std::move(request)) {
  ++origin_->transfers;
}

Transfer::~Transfer() { --origin_->transfers; }

std::optional<Error> Transfer::Refusal(const TransportRequest& request, const Origin& origin) {
  if (origin.refusal.has_value()) return origin.refusal;
  bool bad = HasControl(request.path) || request.path.find(' ') != std::string::npos ||
             HasControl(request.credentials().Reveal());
  for (const std::string& header : request.headers) bad = bad || HasControl(header);
  if (!bad) return std::nullopt;
  return MakeError(ErrorCode::kInternal,
                   "a header or the URL of the upstream request has a control character");
}

void Transfer::Attach(std::unique_ptr<Connection> connection, bool reused) {
  connection_ = std::move(connection);
  connection_->transfer = this;
  reused_ = reused;
  written_before_ = connection_->written();
  phase = Phase::kExchanging;
  if (head_.empty()) Compose();
}

std::unique_ptr<Connection> Transfer::Detach() {
  if (connection_ == nullptr) return nullptr;
  written_ = dispatched();
  connection_->transfer = nullptr;
  return std::move(connection_);
}

void Transfer::Compose() {
  const bool own_agent =
      std::any_of(request_.headers.begin(), request_.headers.end(),
                  [](const std::string& line) { return IsHeader(line, "user-agent"); });
  const std::string_view key = request_.credentials().Reveal();
  const bool join = request_.body.size() <= kMaxJoinedBody;
  char length[24];
  const size_t digits = static_cast<size_t>(
      std::to_chars(length, length + sizeof length, request_.body.size()).ptr - length);

  constexpr size_t kFixed = 192;  // more than the literals below
  size_t size = kFixed + origin_->target.size() + request_.path.size() + origin_->host_line.size() +
                key.size() + (join ? request_.body.size() : 0);
  for (const std::string& line : request_.headers) size += line.size() + 2;
  head_.reserve(size);

  head_.append("POST ").append(origin_->target).append(request_.path);
  if (head_.size() == sizeof "POST " - 1) head_ += '/';
  head_.append(" HTTP/1.1\r\n").append(origin_->host_line);
  if (!own_agent) head_.append("User-Agent: seekroute\r\n");
  head_.append("Content-Type: application/json\r\nAccept-Encoding: identity\r\n");
  if (!key.empty()) head_.append("Authorization: ").append(key).append("\r\n");
  for (const std::string& line : request_.headers) head_.append(line).append("\r\n");
  head_.append("Content-Length: ").append(length, digits).append("\r\n\r\n");
  request_.headers = {};
  if (!join) return;
  head_.append(request_.body);
  Free(&request_.body);
}

Transfer::Sent Transfer::Send() {
  while (!all_sent()) {
    const bool in_head = head_sent_ < head_.size();
    const std::string& from = in_head ? head_ : request_.body;
    size_t& sent = in_head ? head_sent_ : body_sent_;
    const IoResult result =
        connection_->Send(std::string_view(from).substr(sent), in_head && !request_.body.empty());
    switch (result.kind) {
      case IoResult::Kind::kBytes:
        sent += result.size;
        break;
      case IoResult::Kind::kAwaitWrite:
        return Sent::kAwaitWrite;
      case IoResult::Kind::kAwaitRead:
        return Sent::kAwaitRead;
      case IoResult::Kind::kEof:
      case IoResult::Kind::kFailed:
        send_failed = true;
        return Sent::kFailed;
    }
  }
  SR_FAILPOINT("after_upstream_send");
  // A stream goes on for minutes: give the memory back.
  written_ = true;
  Free(&head_);
  Free(&request_.body);
  head_sent_ = 0;
  body_sent_ = 0;
  if (observer != nullptr) observer->OnSent();
  return Sent::kAll;
}

// The peer closes it by its own clock, which began to run before ours: a second of what it says is
// left to the way.
Duration Transfer::KeepIdle() const {
  const Duration own = origin_->keep_alive;
  const int64_t said_s = reader.idle_limit_s();
  if (said_s < 0) return own;
  return std::min(own, Duration::Seconds(std::max<int64_t>(said_s - 1, 0)));
}

bool Transfer::dispatched() const {
  return written_ || (connection_ != nullptr && phase == Phase::kExchanging &&
                      connection_->written() != written_before_);
}

}  // namespace seekroute
