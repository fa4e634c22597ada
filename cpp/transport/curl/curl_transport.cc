#include "transport/curl/curl_transport.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "transport/curl/connection_pool.h"
#include "transport/curl/connector.h"
#include "transport/curl/origin.h"
#include "transport/curl/socket_set.h"
#include "transport/curl/transfer.h"
#include "transport/curl/transfer_end.h"

namespace seekroute {
namespace {

using Steady = Connection::Clock;
using Step = ResponseReader::Step;

// What is read at once; a paused transfer may keep as much. One buffer serves all transfers.
constexpr size_t kReceiveBufferBytes = 64 << 10;

// Reads of one transfer in a row, before others get their turn.
constexpr int kMaxReads = 4;

// Connections libcurl opens to one origin at once. Its handles are ten times the size of a
// transfer, and a burst of requests would leave their memory behind; the rest wait for a turn, or
// for a connection that becomes idle.
constexpr size_t kMaxConnecting = 64;

// Rounded up, so that a wait never ends before its time.
int64_t MillisecondsUp(int64_t ns) { return ns / 1'000'000 + (ns % 1'000'000 > 0 ? 1 : 0); }

}  // namespace

class CurlTransport::Impl {
 public:
  explicit Impl(Options options);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  TransferId Start(TransportRequest request, TransportObserver* observer);
  void Cancel(TransferId id);
  void Resume(TransferId id);
  void Poll(Duration timeout);
  void Wake() { sockets_.Wake(); }

 private:
  using TransferPtr = std::unique_ptr<Transfer>;

  Transfer* Find(TransferId id) const;
  TransferPtr Remove(TransferId id);

  int WaitMs(Duration timeout, Steady::time_point now) const;
  void OnEvent(const SocketSet::Event& event);
  void EndLateHandshakes();

  void Begin(Transfer* transfer, bool fresh);
  void ServeWaiting();
  void OnConnected(const Connector::Outcome& outcome);
  std::shared_ptr<TlsContext> TlsContextOf(const std::string& ca_file);
  void Handshake(Transfer* transfer);
  void BeginOn(Transfer* transfer, std::unique_ptr<Connection> connection, bool reused);
  void SendOn(Transfer* transfer);
  void Read(Transfer* transfer);
  bool Deliver(Transfer* transfer, std::string_view bytes);
  void ResumeNow(Transfer* transfer);
  void Complete(Transfer* transfer, bool reusable);
  void OnClosed(Transfer* transfer, bool in_order);
  void Fail(Transfer* transfer, Error error);
  static void Listen(const Transfer& transfer, bool also_write = false);

  const Options options_;
  // Destroyed from below: connections use the sockets, and origins count connections.
  SocketSet sockets_;
  OriginTable origins_;
  Connector connector_;
  ConnectionPool pool_;
  std::map<std::string, std::shared_ptr<TlsContext>> tls_;  // by CA file, as many as there are
  TransferId last_id_ = 0;
  std::unordered_map<TransferId, TransferPtr> active_;
  std::set<std::pair<Steady::time_point, TransferId>> handshakes_;  // by their deadline

  std::vector<Origin*> crowded_;  // those with transfers that wait for their turn to connect

  // Poll() is on the stack: a transfer that ends waits in over_ until it is done.
  bool inside_ = false;
  std::vector<TransferPtr> over_;

  // What the next Poll() begins with. Each holds a transfer once.
  std::vector<TransferId> starts_;
  std::vector<TransferId> resumes_;
  std::vector<TransferId> backlog_;
  std::vector<std::pair<TransferId, Error>> refused_;
  // The same of the Poll() that runs.
  struct {
    bool any() const {
      return !starts.empty() || !resumes.empty() || !backlog.empty() || !refused.empty();
    }
    void clear() {
      starts.clear();
      resumes.clear();
      backlog.clear();
      refused.clear();
    }
    std::vector<TransferId> starts;
    std::vector<TransferId> resumes;
    std::vector<TransferId> backlog;
    std::vector<std::pair<TransferId, Error>> refused;
  } running_;

  std::array<char, kReceiveBufferBytes> buffer_;
};

CurlTransport::Impl::Impl(Options options)
    : options_(options),
      connector_(&sockets_, options.dns_cache),
      pool_({.max_idle = static_cast<size_t>(std::max(options.max_idle_connections, 0L)),
             .max_life = options.max_connection_life}) {}

CurlTransport::Impl::~Impl() {
  for (auto& [id, transfer] : active_) {
    if (transfer->connecting != nullptr) connector_.Abandon(transfer->connecting);
  }
}

// --- what the gateway asks for -------------------------------------------------------------------

TransferId CurlTransport::Impl::Start(TransportRequest request, TransportObserver* observer) {
  const TransferId id = ++last_id_;
  Origin* const origin = origins_.Find(*request.upstream);
  std::optional<Error> refusal = Transfer::Refusal(request, *origin);
  if (!sockets_.ok()) {
    refusal = MakeError(ErrorCode::kOverloaded, "the gateway cannot open connections");
  }
  auto transfer =
      std::make_unique<Transfer>(id, std::move(request), observer, origin, options_.max_head_bytes);
  if (refusal.has_value()) {
    refused_.emplace_back(id, std::move(*refusal));
  } else {
    const Duration timeout = transfer->connect_timeout();
    transfer->connect_by =
        Steady::now() + std::chrono::nanoseconds(std::clamp<int64_t>(timeout.ns, 0, INT64_MAX / 2));
    starts_.push_back(id);
  }
  active_.emplace(id, std::move(transfer));
  return id;
}

void CurlTransport::Impl::Cancel(TransferId id) {
  TransferPtr transfer = Remove(id);
  if (transfer == nullptr) return;
  transfer->observer = nullptr;
  if (inside_) over_.push_back(std::move(transfer));
}

// Puts off the work to Poll(): one way, whoever calls.
void CurlTransport::Impl::Resume(TransferId id) {
  Transfer* const transfer = Find(id);
  if (transfer == nullptr || transfer->resuming) return;
  transfer->resuming = true;
  resumes_.push_back(id);
}

Transfer* CurlTransport::Impl::Find(TransferId id) const {
  const auto found = active_.find(id);
  return found == active_.end() ? nullptr : found->second.get();
}

// Takes it out of everything but the lists of Poll(), which look it up.
CurlTransport::Impl::TransferPtr CurlTransport::Impl::Remove(TransferId id) {
  const auto found = active_.find(id);
  if (found == active_.end()) return nullptr;
  TransferPtr transfer = std::move(found->second);
  active_.erase(found);
  if (transfer->connecting != nullptr) {
    connector_.Abandon(std::exchange(transfer->connecting, nullptr));
    --transfer->origin().connecting;
  }
  if (transfer->phase == Transfer::Phase::kHandshaking) {
    handshakes_.erase({transfer->connect_by, id});
  }
  return transfer;
}

// --- the loop ------------------------------------------------------------------------------------

void CurlTransport::Impl::Poll(Duration timeout) {
  inside_ = true;
  // What observers add to these lists meanwhile waits for the next Poll(), so that this ends.
  starts_.swap(running_.starts);
  resumes_.swap(running_.resumes);
  backlog_.swap(running_.backlog);
  refused_.swap(running_.refused);
  for (const auto& [id, error] : running_.refused) {
    if (Transfer* const transfer = Find(id)) Fail(transfer, error);
  }
  for (const TransferId id : running_.resumes) {
    if (Transfer* const transfer = Find(id)) ResumeNow(transfer);
  }
  for (const TransferId id : running_.backlog) {
    Transfer* const transfer = Find(id);
    if (transfer == nullptr) continue;
    transfer->in_backlog = false;
    if (!transfer->paused) Read(transfer);
  }
  ServeWaiting();  // a cancelled one may have made room
  const bool busy = running_.any() || !starts_.empty() || !resumes_.empty() || !backlog_.empty() ||
                    !refused_.empty();
  // Before requests are begun: a pooled connection that died meanwhile is dropped in here, before
  // one of them is sent on it.
  for (const SocketSet::Event& event : sockets_.Wait(busy ? 0 : WaitMs(timeout, Steady::now()))) {
    if (sockets_.Live(event.fd)) OnEvent(event);  // or an earlier event of this batch ended it
  }
  for (const TransferId id : running_.starts) {
    if (Transfer* const transfer = Find(id)) Begin(transfer, false);
  }
  const Steady::time_point now = Steady::now();
  connector_.RunTimer(now);
  while (const std::optional<Connector::Outcome> outcome = connector_.Next()) OnConnected(*outcome);
  EndLateHandshakes();
  ServeWaiting();
  pool_.Expire(now);
  running_.clear();
  over_.clear();
  inside_ = false;
}

int CurlTransport::Impl::WaitMs(Duration timeout, Steady::time_point now) const {
  Steady::time_point until = now + std::chrono::nanoseconds(std::max<int64_t>(timeout.ns, 0));
  until = std::min(until, connector_.NextTimer());
  if (!handshakes_.empty()) until = std::min(until, handshakes_.begin()->first);
  const int64_t left = std::chrono::nanoseconds(until - now).count();
  return static_cast<int>(std::clamp<int64_t>(MillisecondsUp(left), 0, INT_MAX));
}

void CurlTransport::Impl::OnEvent(const SocketSet::Event& event) {
  Connection* const connection = sockets_.owner(event.fd);
  if (connection == nullptr) return connector_.OnEvent(event);
  Transfer* const transfer = connection->transfer;
  if (transfer == nullptr) return pool_.OnReadable(connection);
  if (transfer->observer == nullptr) return;  // cancelled by an earlier event of this batch
  if (transfer->phase == Transfer::Phase::kHandshaking) return Handshake(transfer);
  const TransferId id = transfer->id();
  // TLS may wait for either to do the other.
  if (!transfer->all_sent() && !transfer->send_failed) {
    SendOn(transfer);
    if (Find(id) == nullptr || transfer->connection() != connection) return;
  } else if (event.writable) {
    Listen(*transfer);  // TLS waited for it to read on
  }
  if ((event.readable || event.failed || connection->tls()) && !transfer->paused) Read(transfer);
}

void CurlTransport::Impl::EndLateHandshakes() {
  if (handshakes_.empty()) return;
  const Steady::time_point now = Steady::now();
  while (!handshakes_.empty() && handshakes_.begin()->first <= now) {
    Fail(Find(handshakes_.begin()->second), ConnectTimeoutError());
  }
}

// --- the life of a transfer ----------------------------------------------------------------------

void CurlTransport::Impl::Begin(Transfer* transfer, bool fresh) {
  Origin& origin = transfer->origin();
  if (!fresh) {
    std::unique_ptr<Connection> pooled =
        pool_.Take(&origin, Steady::now(), transfer->waited || sockets_.overflowed());
    if (pooled != nullptr) return BeginOn(transfer, std::move(pooled), true);
  }
  if (origin.connecting >= kMaxConnecting) {
    if (!std::exchange(origin.crowded, true)) crowded_.push_back(&origin);
    transfer->phase = Transfer::Phase::kQueued;
    transfer->waited = true;
    origin.waiting.push_back(transfer->id());
    return;
  }
  const Duration left{std::chrono::nanoseconds(transfer->connect_by - Steady::now()).count()};
  transfer->phase = Transfer::Phase::kConnecting;
  transfer->connecting = connector_.Begin(transfer->id(), origin, left);
  if (transfer->connecting != nullptr) {
    ++origin.connecting;
  } else {
    Fail(transfer, MakeError(ErrorCode::kOverloaded, "the gateway cannot open connections"));
  }
}

// Their connect timeout runs meanwhile: those before them end no later than they do.
void CurlTransport::Impl::ServeWaiting() {
  for (size_t i = 0; i < crowded_.size();) {
    Origin& origin = *crowded_[i];
    while (!origin.waiting.empty() &&
           (origin.connecting < kMaxConnecting || !origin.idle.empty())) {
      Transfer* const transfer = Find(origin.waiting.front());
      origin.waiting.pop_front();
      if (transfer != nullptr) Begin(transfer, false);
    }
    if (!origin.waiting.empty()) {
      ++i;
      continue;
    }
    origin.crowded = false;
    crowded_[i] = crowded_.back();
    crowded_.pop_back();
  }
}

void CurlTransport::Impl::OnConnected(const Connector::Outcome& outcome) {
  Transfer* const transfer = Find(outcome.id);  // there: Remove() would have abandoned it
  transfer->connecting = nullptr;
  --transfer->origin().connecting;
  if (outcome.fd < 0) return Fail(transfer, outcome.error);
  Origin& origin = transfer->origin();
  auto connection = std::make_unique<Connection>(outcome.fd, &origin, &sockets_, Steady::now());
  if (!origin.tls) return BeginOn(transfer, std::move(connection), false);
  std::shared_ptr<TlsContext> context = TlsContextOf(origin.ca_file);
  if (context == nullptr) return Fail(transfer, UnreadableCaFileError());
  connection->StartTls(std::move(context));
  transfer->Attach(std::move(connection), false);
  transfer->phase = Transfer::Phase::kHandshaking;
  handshakes_.emplace(transfer->connect_by, transfer->id());
  Handshake(transfer);
}

// Read again when the file has changed; null when it cannot be read.
std::shared_ptr<TlsContext> CurlTransport::Impl::TlsContextOf(const std::string& ca_file) {
  std::shared_ptr<TlsContext>& context = tls_[ca_file];
  if (context == nullptr || context->outdated()) context = std::make_shared<TlsContext>(ca_file);
  if (context->ok()) return context;
  tls_.erase(ca_file);
  return nullptr;
}

void CurlTransport::Impl::Handshake(Transfer* transfer) {
  Connection* const connection = transfer->connection();
  switch (connection->Handshake().kind) {
    case IoResult::Kind::kAwaitRead:
      return connection->Want(SocketSet::kRead);
    case IoResult::Kind::kAwaitWrite:
      return connection->Want(SocketSet::kWrite);
    case IoResult::Kind::kBytes:
      handshakes_.erase({transfer->connect_by, transfer->id()});
      return BeginOn(transfer, transfer->Detach(), false);
    case IoResult::Kind::kEof:
    case IoResult::Kind::kFailed:
      return Fail(transfer, TlsError(connection->untrusted()));
  }
}

void CurlTransport::Impl::BeginOn(Transfer* transfer, std::unique_ptr<Connection> connection,
                                  bool reused) {
  transfer->Attach(std::move(connection), reused);
  SendOn(transfer);
}

void CurlTransport::Impl::Listen(const Transfer& transfer, bool also_write) {
  const int interest = (transfer.paused ? SocketSet::kNone : SocketSet::kRead) |
                       (also_write ? SocketSet::kWrite : SocketSet::kNone);
  transfer.connection()->Want(static_cast<uint8_t>(interest));
}

void CurlTransport::Impl::SendOn(Transfer* transfer) {
  switch (transfer->Send()) {
    case Transfer::Sent::kAll:
    case Transfer::Sent::kAwaitRead:
      return Listen(*transfer);
    case Transfer::Sent::kAwaitWrite:
      return Listen(*transfer, true);
    case Transfer::Sent::kFailed:
      break;
  }
  if (transfer->reused() && !transfer->dispatched() && !transfer->reader.begun()) {
    transfer->send_failed = false;
    transfer->Detach();
    return Begin(transfer, true);
  }
  // The peer may have said why it wants no more.
  Listen(*transfer);
  if (!transfer->paused) Read(transfer);
}

void CurlTransport::Impl::Read(Transfer* transfer) {
  Connection* const connection = transfer->connection();
  for (int i = 0; i < kMaxReads; ++i) {
    const IoResult result = connection->Receive(buffer_.data(), buffer_.size());
    switch (result.kind) {
      case IoResult::Kind::kAwaitRead:
        return;
      case IoResult::Kind::kAwaitWrite:
        return Listen(*transfer, true);
      case IoResult::Kind::kEof:
        return OnClosed(transfer, true);
      case IoResult::Kind::kFailed:
        return OnClosed(transfer, false);
      case IoResult::Kind::kBytes:
        break;
    }
    if (!Deliver(transfer, {buffer_.data(), result.size})) return;
    if (!connection->pending()) return;  // the socket tells when there is more
  }
  if (transfer->in_backlog) return;
  transfer->in_backlog = true;
  backlog_.push_back(transfer->id());
}

// False when the transfer is paused, or over and perhaps gone.
bool CurlTransport::Impl::Deliver(Transfer* transfer, std::string_view bytes) {
  std::string_view body;
  for (;;) {
    const Step step = transfer->reader.Next(&bytes, &body);
    switch (step) {
      case Step::kMore:
        return true;
      case Step::kHead:
        transfer->observer->OnHead(transfer->reader.head());
        if (transfer->observer == nullptr) return false;  // cancelled by the observer
        break;
      case Step::kBody:
        if (transfer->observer->OnBody(body) == Flow::kPause) transfer->paused = true;
        if (transfer->observer == nullptr) return false;
        if (!transfer->paused) break;
        transfer->unread.assign(bytes);
        Listen(*transfer, !transfer->all_sent() && !transfer->send_failed);
        return false;
      case Step::kEnd:
        Complete(transfer, bytes.empty() && transfer->reader.keep_alive() && transfer->all_sent() &&
                               !transfer->send_failed);
        return false;
      case Step::kTooLarge:
      case Step::kInvalid:
        Fail(transfer, AnswerErrorOf(step));
        return false;
    }
  }
}

void CurlTransport::Impl::ResumeNow(Transfer* transfer) {
  transfer->resuming = false;
  if (!transfer->paused) return;
  transfer->paused = false;
  const std::string held = std::exchange(transfer->unread, {});
  if (!Deliver(transfer, held)) return;
  Listen(*transfer, !transfer->all_sent() && !transfer->send_failed);
  if (transfer->connection()->pending() || transfer->send_failed) Read(transfer);
}

void CurlTransport::Impl::Complete(Transfer* transfer, bool reusable) {
  TransferPtr owned = Remove(transfer->id());
  TransportEnd end;
  end.complete = true;
  end.dispatched = transfer->dispatched();
  TransportObserver* const observer = std::exchange(transfer->observer, nullptr);
  if (reusable) {
    transfer->connection()->Want(SocketSet::kRead);
    const Duration keep = transfer->KeepIdle();
    pool_.Put(transfer->Detach(), Steady::now(), keep);
  }
  over_.push_back(std::move(owned));
  observer->OnEnd(end);
}

void CurlTransport::Impl::OnClosed(Transfer* transfer, bool in_order) {
  if (in_order && transfer->reader.EndOfInput()) return Complete(transfer, false);
  Fail(transfer, LostErrorOf(transfer->dispatched(), transfer->reader.head_done()));
}

void CurlTransport::Impl::Fail(Transfer* transfer, Error error) {
  TransferPtr owned = Remove(transfer->id());
  TransportEnd end;
  end.dispatched = transfer->dispatched();
  end.error = std::move(error);
  TransportObserver* const observer = std::exchange(transfer->observer, nullptr);
  over_.push_back(std::move(owned));
  observer->OnEnd(end);
}

// -------------------------------------------------------------------------------------------------

CurlTransport::CurlTransport(Options options) : impl_(std::make_unique<Impl>(options)) {}
CurlTransport::~CurlTransport() = default;

TransferId CurlTransport::Start(TransportRequest request, TransportObserver* observer) {
  return impl_->Start(std::move(request), observer);
}
void CurlTransport::Cancel(TransferId id) { impl_->Cancel(id); }
void CurlTransport::Resume(TransferId id) { impl_->Resume(id); }
void CurlTransport::Poll(Duration timeout) { impl_->Poll(timeout); }
void CurlTransport::Wake() { impl_->Wake(); }

}  // namespace seekroute
