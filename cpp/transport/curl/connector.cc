#include "transport/curl/connector.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <mutex>
#include <utility>

#include "transport/curl/transfer_end.h"
#include "transport/special_address.h"

namespace seekroute {
namespace {

// Finds a peer that vanished behind a NAT while a model thinks.
constexpr long kKeepAliveIdleSeconds = 30;
constexpr long kKeepAliveIntervalSeconds = 15;

// Only a proxy's answer to CONNECT is read into it: libcurl's least.
constexpr long kReceiveBufferBytes = 1024;

bool InitCurlOnce() {
  static std::once_flag once;
  static CURLcode result;
  std::call_once(once, [] { result = curl_global_init(CURL_GLOBAL_DEFAULT); });
  return result == CURLE_OK;
}

}  // namespace

class Connector::Dial {
 public:
  Dial() : easy(curl_easy_init()) {}
  ~Dial() { curl_easy_cleanup(easy); }
  Dial(const Dial&) = delete;
  Dial& operator=(const Dial&) = delete;

  void Configure(Connector* connector);
  void Begin(TransferId of, const Origin& origin, Duration timeout);

  CURL* const easy;
  TransferId id = 0;
  size_t index = 0;  // in running_
  bool allow_private = false;
  bool through_proxy = false;
  ConnectFacts facts;
};

// What holds for every connection of a handle.
void Connector::Dial::Configure(Connector* connector) {
  const auto set = [this](CURLoption option, auto value) { curl_easy_setopt(easy, option, value); };
  set(CURLOPT_PRIVATE, this);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // giving up must not wait for a resolver thread
  set(CURLOPT_CONNECT_ONLY, 1L);
  set(CURLOPT_FRESH_CONNECT, 1L);
  set(CURLOPT_PROTOCOLS_STR, "http");  // https too: TLS is ours
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  set(CURLOPT_USERAGENT, "seekroute");
  set(CURLOPT_NOPROXY, "");
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_TCP_NODELAY, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  set(CURLOPT_TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
  set(CURLOPT_DNS_CACHE_TIMEOUT, static_cast<long>(connector->dns_cache_.ns / 1'000'000'000));
  set(CURLOPT_BUFFERSIZE, kReceiveBufferBytes);
  set(CURLOPT_OPENSOCKETFUNCTION, &Connector::OnOpenSocket);
  set(CURLOPT_OPENSOCKETDATA, this);
  set(CURLOPT_CLOSESOCKETFUNCTION, &Connector::OnCloseSocket);
  set(CURLOPT_CLOSESOCKETDATA, connector);
}

void Connector::Dial::Begin(TransferId of, const Origin& origin, Duration timeout) {
  id = of;
  allow_private = origin.allow_private;
  through_proxy = !origin.proxy.empty();
  facts = {};
  curl_easy_setopt(easy, CURLOPT_URL, origin.connect_url.c_str());
  // An empty proxy also keeps libcurl from reading the environment. Through a proxy everything is
  // tunnelled, so that it sees neither key nor prompt even for plain http.
  curl_easy_setopt(easy, CURLOPT_PROXY, origin.proxy.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, through_proxy ? 1L : 0L);
  // 0 would mean libcurl's default of five minutes.
  const int64_t connect_ms = std::clamp<int64_t>(timeout.ns / 1'000'000, 1, INT_MAX);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_ms));
}

Connector::Connector(SocketSet* sockets, Duration dns_cache)
    : sockets_(sockets), dns_cache_(dns_cache) {
  if (!InitCurlOnce()) return;
  multi_ = curl_multi_init();
  if (multi_ == nullptr) return;
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Connector::OnSocket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Connector::OnTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
}

Connector::~Connector() {
  while (!running_.empty()) Abandon(running_.back().get());
  pool_.clear();
  if (multi_ != nullptr) curl_multi_cleanup(multi_);
}

Connector::Dial* Connector::Begin(TransferId id, const Origin& origin, Duration timeout) {
  if (multi_ == nullptr) return nullptr;
  std::unique_ptr<Dial> attempt;
  if (pool_.empty()) {
    attempt = std::make_unique<Dial>();
    if (attempt->easy == nullptr) return nullptr;
    attempt->Configure(this);
  } else {
    attempt = std::move(pool_.back());
    pool_.pop_back();
  }
  attempt->Begin(id, origin, timeout);
  // Only arms libcurl's timer; the rest happens when it runs.
  if (curl_multi_add_handle(multi_, attempt->easy) != CURLM_OK) return nullptr;
  attempt->index = running_.size();
  running_.push_back(std::move(attempt));
  return running_.back().get();
}

void Connector::Abandon(Dial* attempt) {
  curl_multi_remove_handle(multi_, attempt->easy);
  Recycle(attempt);
}

void Connector::Recycle(Dial* attempt) {
  const size_t index = attempt->index;
  std::swap(running_[index], running_.back());
  running_[index]->index = index;
  if (pool_.size() < kMaxPooled) pool_.push_back(std::move(running_.back()));
  running_.pop_back();
}

void Connector::OnEvent(const SocketSet::Event& event) {
  Act(event.fd, (event.readable ? CURL_CSELECT_IN : 0) | (event.writable ? CURL_CSELECT_OUT : 0) |
                    (event.failed ? CURL_CSELECT_ERR : 0));
}

void Connector::RunTimer(Clock::time_point now) {
  if (now < timer_at_) return;
  timer_at_ = kNever;
  Act(CURL_SOCKET_TIMEOUT, 0);
}

void Connector::Act(curl_socket_t socket, int events) {
  int running = 0;
  curl_multi_socket_action(multi_, socket, events, &running);
}

std::optional<Connector::Outcome> Connector::Next() {
  if (running_.empty()) return std::nullopt;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    char* attempt = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &attempt);
    return Take(reinterpret_cast<Dial*>(attempt), message->data.result);
  }
  return std::nullopt;
}

Connector::Outcome Connector::Take(Dial* attempt, CURLcode code) {
  Outcome outcome;
  outcome.id = attempt->id;
  if (code == CURLE_OK) {
    curl_socket_t socket = CURL_SOCKET_BAD;
    curl_easy_getinfo(attempt->easy, CURLINFO_ACTIVESOCKET, &socket);
    // libcurl closes its descriptor when the handle is removed; this one stays.
    if (socket != CURL_SOCKET_BAD) outcome.fd = fcntl(socket, F_DUPFD_CLOEXEC, 0);
    if (outcome.fd < 0) {
      attempt->facts.no_descriptor = socket != CURL_SOCKET_BAD;
      code = CURLE_COULDNT_CONNECT;
    }
  }
  if (outcome.fd < 0) outcome.error = ConnectErrorOf(code, attempt->facts);
  curl_multi_remove_handle(multi_, attempt->easy);
  Recycle(attempt);
  return outcome;
}

// --- what libcurl calls --------------------------------------------------------------------------

int Connector::OnSocket(CURL* /*easy*/, curl_socket_t socket, int what, void* self,
                        void* /*unused*/) {
  SocketSet* const sockets = static_cast<Connector*>(self)->sockets_;
  const int interest = ((what & CURL_POLL_IN) != 0 ? SocketSet::kRead : 0) |
                       ((what & CURL_POLL_OUT) != 0 ? SocketSet::kWrite : 0);
  // Forgotten as soon as interest is gone: of the resolver's sockets nobody tells the end.
  if (what == CURL_POLL_REMOVE || interest == 0) {
    sockets->Forget(socket);
  } else {
    sockets->Want(socket, static_cast<uint8_t>(interest), nullptr);
  }
  return 0;
}

int Connector::OnTimer(CURLM* /*multi*/, long timeout_ms, void* self) {
  static_cast<Connector*>(self)->timer_at_ =
      timeout_ms < 0 ? kNever : Clock::now() + std::chrono::milliseconds(timeout_ms);
  return 0;
}

curl_socket_t Connector::OnOpenSocket(void* data, curlsocktype /*purpose*/,
                                      curl_sockaddr* address) {
  auto* const attempt = static_cast<Dial*>(data);
  // A proxy's address is the operator's own choice, and the upstream's is then the proxy's
  // business.
  if (!attempt->allow_private && !attempt->through_proxy && IsSpecialAddress(address->addr)) {
    attempt->facts.address_refused = true;
    return CURL_SOCKET_BAD;
  }
  const int fd =
      socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
  if (fd < 0) {
    attempt->facts.no_descriptor = errno == EMFILE || errno == ENFILE;
    return CURL_SOCKET_BAD;
  }
  return fd;
}

int Connector::OnCloseSocket(void* self, curl_socket_t socket) {
  static_cast<Connector*>(self)->sockets_->Forget(socket);
  return close(socket);
}

}  // namespace seekroute
