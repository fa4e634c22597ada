#include "transport/curl/curl_transport.h"

#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "transport/curl/socket_set.h"
#include "transport/curl/transfer.h"
#include "transport/curl/transfer_end.h"

namespace seekroute {
namespace {

// Easy handles kept for reuse (about 10 kB each). A burst beyond it pays some microseconds more.
constexpr size_t kMaxPooledTransfers = 256;

bool InitCurlOnce() {
  static std::once_flag once;
  static CURLcode result;
  std::call_once(once, [] { result = curl_global_init(CURL_GLOBAL_DEFAULT); });
  return result == CURLE_OK;
}

// Rounded up, so that a wait never ends before its time.
int64_t MillisecondsUp(Duration duration) { return (duration.ns + 999'999) / 1'000'000; }

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
  enum class Timer : uint8_t { kOff, kNow, kAt };

  TransferPtr TakeTransfer();
  void Recycle(TransferPtr transfer);
  void LimitIdleConnections();
  bool RunDeferred();
  void ResumeNow(TransferId id);
  void Act(curl_socket_t socket, int events);
  void RunTimer();
  void Settle();
  void Collect();
  void End(TransferId id, const TransportEnd& end);
  int WaitMs(Duration timeout) const;

  static int OnSocket(CURL* easy, curl_socket_t socket, int what, void* self, void* unused);
  static int OnTimer(CURLM* multi, long timeout_ms, void* self);

  const Options options_;
  SocketSet sockets_;
  CURLM* multi_ = nullptr;
  bool inside_ = false;  // libcurl is on the stack: its handles can be neither added nor removed
  TransferId last_id_ = 0;
  std::unordered_map<TransferId, TransferPtr> active_;
  std::vector<TransferPtr> pool_;  // at most kMaxPooledTransfers

  // What was asked for while libcurl was on the stack; Settle() does it. Each holds a transfer
  // once.
  std::vector<TransferPtr> cancelled_;
  std::vector<TransferId> starts_;

  // What the next Poll() begins with. Each holds a transfer once.
  std::vector<TransferId> resumes_;
  std::vector<std::pair<TransferId, Error>> refused_;

  // libcurl's one timer. It lives on the real clock, whatever clock the gateway is given.
  Timer timer_ = Timer::kOff;
  std::chrono::steady_clock::time_point timer_at_;
};

CurlTransport::Impl::Impl(Options options) : options_(options) {
  if (!InitCurlOnce()) return;
  multi_ = curl_multi_init();
  if (multi_ == nullptr) return;
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Impl::OnSocket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Impl::OnTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
}

CurlTransport::Impl::~Impl() {
  for (auto& [id, transfer] : active_) cancelled_.push_back(std::move(transfer));
  active_.clear();
  Settle();
  pool_.clear();
  // Closes the pooled connections, which still reports to sockets_.
  if (multi_ != nullptr) curl_multi_cleanup(multi_);
}

// --- the life of a transfer ----------------------------------------------------------------------

TransferId CurlTransport::Impl::Start(TransportRequest request, TransportObserver* observer) {
  const TransferId id = ++last_id_;
  TransferPtr transfer = TakeTransfer();
  std::optional<Error> refusal = Transfer::Refusal(request);
  if (multi_ == nullptr || !sockets_.ok() || transfer->easy() == nullptr) {
    refusal = MakeError(ErrorCode::kOverloaded, "the gateway cannot open connections");
  }
  if (refusal.has_value()) {
    transfer->BeginRefused(id, observer);
    refused_.emplace_back(id, std::move(*refusal));
  } else {
    transfer->Begin(id, std::move(request), observer);
    starts_.push_back(id);
  }
  active_.emplace(id, std::move(transfer));
  LimitIdleConnections();
  if (!inside_) Settle();
  return id;
}

void CurlTransport::Impl::Cancel(TransferId id) {
  const auto found = active_.find(id);
  if (found == active_.end()) return;
  found->second->Silence();
  cancelled_.push_back(std::move(found->second));
  active_.erase(found);
  if (!inside_) Settle();
}

// Puts off the work to Poll(): one way, whoever calls.
void CurlTransport::Impl::Resume(TransferId id) {
  const auto found = active_.find(id);
  if (found == active_.end() || found->second->resuming) return;
  found->second->resuming = true;
  resumes_.push_back(id);
}

void CurlTransport::Impl::ResumeNow(TransferId id) {
  auto found = active_.find(id);
  if (found == active_.end()) return;
  inside_ = true;
  const CURLcode code = found->second->Resume();
  inside_ = false;
  Settle();
  if (code == CURLE_OK) return;
  found = active_.find(id);  // the observer may have cancelled it
  if (found != active_.end()) End(id, EndOf(code, found->second->Facts()));
}

void CurlTransport::Impl::Settle() {
  while (!cancelled_.empty()) {
    TransferPtr transfer = std::move(cancelled_.back());
    cancelled_.pop_back();
    // Closes the connection unless the answer was complete.
    curl_multi_remove_handle(multi_, transfer->easy());
    Recycle(std::move(transfer));
  }
  for (const TransferId id : starts_) {
    const auto found = active_.find(id);
    // Only arms libcurl's timer; the rest happens in Poll().
    if (found != active_.end()) curl_multi_add_handle(multi_, found->second->easy());
  }
  starts_.clear();
}

void CurlTransport::Impl::End(TransferId id, const TransportEnd& end) {
  const auto found = active_.find(id);
  if (found == active_.end()) return;
  TransferPtr transfer = std::move(found->second);
  active_.erase(found);
  TransportObserver* const observer = transfer->observer();
  curl_multi_remove_handle(multi_, transfer->easy());
  Recycle(std::move(transfer));
  observer->OnEnd(end);
}

CurlTransport::Impl::TransferPtr CurlTransport::Impl::TakeTransfer() {
  if (pool_.empty()) return std::make_unique<Transfer>(&sockets_, options_);
  TransferPtr transfer = std::move(pool_.back());
  pool_.pop_back();
  return transfer;
}

void CurlTransport::Impl::Recycle(TransferPtr transfer) {
  transfer->Clear();
  LimitIdleConnections();
  if (pool_.size() < kMaxPooledTransfers) pool_.push_back(std::move(transfer));
}

// libcurl bounds idle and busy connections together; the option bounds the idle ones, so that a
// thousand busy ones do not push each other out of the pool.
void CurlTransport::Impl::LimitIdleConnections() {
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS,
                    options_.max_idle_connections + static_cast<long>(active_.size()));
}

// --- the loop ------------------------------------------------------------------------------------

void CurlTransport::Impl::Poll(Duration timeout) {
  const bool busy = RunDeferred() || timer_ == Timer::kNow;
  // First, also when there are requests to begin: a pooled connection that died meanwhile is
  // retired in here, before one of them is sent on it.
  for (const SocketSet::Event& event : sockets_.Wait(busy ? 0 : WaitMs(timeout))) {
    if (!sockets_.Live(event.fd)) continue;  // an earlier event of this batch ended it
    Act(event.fd, (event.readable ? CURL_CSELECT_IN : 0) | (event.writable ? CURL_CSELECT_OUT : 0) |
                      (event.failed ? CURL_CSELECT_ERR : 0));
  }
  if (timer_ == Timer::kNow ||
      (timer_ == Timer::kAt && std::chrono::steady_clock::now() >= timer_at_)) {
    RunTimer();
  }
  Collect();
}

// Tells what Start() refused and lets resumed transfers go on; true when there was any. What the
// observers add meanwhile waits for the next Poll(), so that this ends.
bool CurlTransport::Impl::RunDeferred() {
  if (refused_.empty() && resumes_.empty()) return false;
  const auto refused = std::exchange(refused_, {});
  const auto resumes = std::exchange(resumes_, {});
  for (const auto& [id, error] : refused) {
    TransportEnd end;
    end.error = error;
    End(id, end);
  }
  for (const TransferId id : resumes) ResumeNow(id);
  return true;
}

int CurlTransport::Impl::WaitMs(Duration timeout) const {
  int64_t ms = std::max<int64_t>(MillisecondsUp(timeout), 0);
  if (timer_ == Timer::kAt) {
    const auto left = timer_at_ - std::chrono::steady_clock::now();
    const Duration until{std::chrono::duration_cast<std::chrono::nanoseconds>(left).count()};
    ms = std::clamp<int64_t>(MillisecondsUp(until), 0, ms);
  }
  return static_cast<int>(std::min<int64_t>(ms, INT_MAX));
}

void CurlTransport::Impl::RunTimer() {
  timer_ = Timer::kOff;
  Act(CURL_SOCKET_TIMEOUT, 0);
}

void CurlTransport::Impl::Act(curl_socket_t socket, int events) {
  int running = 0;
  inside_ = true;
  curl_multi_socket_action(multi_, socket, events, &running);
  inside_ = false;
  Settle();
}

// Takes the finished transfers. What an observer starts meanwhile cannot finish in here.
void CurlTransport::Impl::Collect() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    const Transfer* const transfer = Transfer::Of(message->easy_handle);
    End(transfer->id(), EndOf(code, transfer->Facts()));
  }
}

// --- what libcurl calls --------------------------------------------------------------------------

int CurlTransport::Impl::OnSocket(CURL* easy, curl_socket_t socket, int what, void* self,
                                  void* /*unused*/) {
  Impl* const impl = static_cast<Impl*>(self);
  if (what == CURL_POLL_REMOVE) {
    impl->sockets_.Want(socket, SocketSet::kNone, nullptr);
    return 0;
  }
  Transfer* const transfer = Transfer::Of(easy);
  if (transfer != nullptr) transfer->last_socket = socket;
  const int interest = ((what & CURL_POLL_IN) != 0 ? SocketSet::kRead : 0) |
                       ((what & CURL_POLL_OUT) != 0 ? SocketSet::kWrite : 0);
  impl->sockets_.Want(socket, static_cast<uint8_t>(interest), transfer);
  return 0;
}

int CurlTransport::Impl::OnTimer(CURLM* /*multi*/, long timeout_ms, void* self) {
  Impl* const impl = static_cast<Impl*>(self);
  if (timeout_ms > 0) {
    impl->timer_ = Timer::kAt;
    impl->timer_at_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  } else {
    impl->timer_ = timeout_ms == 0 ? Timer::kNow : Timer::kOff;
  }
  return 0;
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
