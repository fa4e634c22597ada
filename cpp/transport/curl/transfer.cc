#include "transport/curl/transfer.h"

#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

#include "transport/special_address.h"

namespace seekroute {
namespace {

// libcurl hands on at most this much of a body at once, so a larger buffer buys nothing.
constexpr long kReceiveBufferBytes = CURL_MAX_WRITE_SIZE;

// Finds a peer that vanished behind a NAT while a model thinks.
constexpr long kKeepAliveIdleSeconds = 30;
constexpr long kKeepAliveIntervalSeconds = 15;

// The headers the transport itself sends; "Expect:" makes libcurl send none.
constexpr const char* kOwnHeaders[] = {"Content-Type: application/json",
                                       "Accept-Encoding: identity", "Expect:"};

// Also false when nothing follows: libcurl would take the path for the host.
bool HasScheme(const std::string& url, std::string_view scheme) {
  return url.size() > scheme.size() && url[scheme.size()] != '/' &&
         strncasecmp(url.c_str(), scheme.data(), scheme.size()) == 0;
}

// A line break in a header or path would let its author write headers of his own.
bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 ? c != '\t' : c == 0x7F;
  });
}

long Seconds(Duration duration) { return static_cast<long>(duration.ns / 1'000'000'000); }

}  // namespace

Transfer::Transfer(SocketSet* sockets, const CurlTransport::Options& options)
    : sockets_(sockets),
      options_(options),
      easy_(curl_easy_init()),
      head_(options.max_head_bytes) {}

Transfer::~Transfer() { curl_easy_cleanup(easy_); }

Transfer* Transfer::Of(CURL* easy) {
  char* tag = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &tag);
  return reinterpret_cast<Transfer*>(tag);
}

std::optional<Error> Transfer::Refusal(const TransportRequest& request) {
  const UpstreamSpec& upstream = *request.upstream;
  const bool https = HasScheme(upstream.base_url, "https://");
  if (!https && !HasScheme(upstream.base_url, "http://")) {
    return MakeError(ErrorCode::kUpstreamError, "the provider's base_url is not a usable URL");
  }
  if (!https && !upstream.allow_http) {
    return MakeError(ErrorCode::kUpstreamError,
                     "the provider has a plain http base_url; if that is meant, mark the provider "
                     "`allow_http`");
  }
  bool bad = HasControl(upstream.base_url) || HasControl(request.path) ||
             HasControl(upstream.authorization.Reveal());
  for (const std::string& header : request.headers) bad = bad || HasControl(header);
  if (!bad) return std::nullopt;
  return MakeError(ErrorCode::kInternal,
                   "a header or the URL of the upstream request has a control character");
}

void Transfer::BeginRefused(TransferId id, TransportObserver* observer) {
  id_ = id;
  observer_ = observer;
}

void Transfer::Begin(TransferId id, TransportRequest request, TransportObserver* observer) {
  id_ = id;
  observer_ = observer;
  request_ = std::move(request);
  const UpstreamSpec& upstream = *request_.upstream;
  if (!configured_ || allow_http_ != upstream.allow_http || ca_file_ != upstream.ca_file ||
      proxy_ != upstream.proxy) {
    configured_ = true;
    allow_http_ = upstream.allow_http;
    ca_file_ = upstream.ca_file;
    proxy_ = upstream.proxy;
    url_.clear();
    Configure();
  }
  const size_t base = upstream.base_url.size();
  if (url_.size() != base + request_.path.size() || url_.compare(0, base, upstream.base_url) != 0 ||
      url_.compare(base, std::string::npos, request_.path) != 0) {
    url_ = upstream.base_url + request_.path;
    curl_easy_setopt(easy_, CURLOPT_URL, url_.c_str());
  }
  LayOutHeaders();
  sending_.Reset(request_.body);
  head_.Reset();
  curl_text_[0] = '\0';
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(request_.body.size()));
  // 0 would mean libcurl's default of five minutes.
  const int64_t connect_ms = request_.connect_timeout.ns / 1'000'000;
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(std::clamp<int64_t>(connect_ms, 1, INT_MAX)));
}

// libcurl only reads the list, so it is laid over strings that exist anyway.
void Transfer::LayOutHeaders() {
  headers_.clear();
  const auto add = [this](const char* line) {
    headers_.push_back(curl_slist{const_cast<char*>(line), nullptr});
  };
  for (const char* line : kOwnHeaders) add(line);
  const Secret& key = request_.upstream->authorization;
  if (!key.empty()) {
    authorization_.assign("Authorization: ").append(key.Reveal());
    add(authorization_.c_str());
  }
  for (const std::string& line : request_.headers) add(line.c_str());
  for (size_t i = 1; i < headers_.size(); ++i) headers_[i - 1].next = &headers_[i];
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_.data());
}

void Transfer::Clear() {
  sockets_->Disown(last_socket, this);
  observer_ = nullptr;
  request_ = {};
  sending_.Reset({});
  held_ = {};
  paused_ = false;
  resuming = false;
  last_socket = CURL_SOCKET_BAD;
  head_too_large_ = false;
  head_invalid_ = false;
  address_refused_ = false;
  no_descriptor_ = false;
}

CURLcode Transfer::Resume() {
  resuming = false;
  if (!paused_) return CURLE_OK;
  paused_ = false;
  if (!held_.empty()) {
    const std::string held = std::exchange(held_, {});
    if (observer_->OnBody(held) == Flow::kPause) paused_ = true;
  }
  if (paused_ || observer_ == nullptr) return CURLE_OK;
  // libcurl itself is paused still. Going on, it may deliver what it holds from in here.
  return curl_easy_pause(easy_, CURLPAUSE_CONT);
}

TransferFacts Transfer::Facts() const {
  TransferFacts facts;
  long written = 0;
  curl_easy_getinfo(easy_, CURLINFO_REQUEST_SIZE, &written);
  // A pooled connection found dead by the very first write took nothing.
  facts.dispatched = sending_.begun() && (written > 0 || sending_.read() || head_.begun());
  facts.head_done = head_.done();
  facts.head_too_large = head_too_large_;
  facts.head_invalid = head_invalid_;
  facts.address_refused = address_refused_;
  facts.no_descriptor = no_descriptor_;
  facts.curl_text = curl_text_;
  return facts;
}

// Everything that holds for each request of a handle; called once, and again when the provider's
// own settings differ from the last ones.
void Transfer::Configure() {
  curl_easy_reset(easy_);
  const auto set = [this](CURLoption option, auto value) {
    curl_easy_setopt(easy_, option, value);
  };

  set(CURLOPT_PRIVATE, this);
  set(CURLOPT_ERRORBUFFER, curl_text_);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // cancelling must not wait for a resolver thread

  // One POST, over HTTP/1.1, to the place we were told and no other.
  set(CURLOPT_POST, 1L);
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_HTTP09_ALLOWED, 0L);
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PROTOCOLS_STR, allow_http_ ? "https,http" : "https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, "https");
  set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  set(CURLOPT_USERAGENT, "seekroute");
  set(CURLOPT_HTTP_CONTENT_DECODING, 0L);

  // An empty proxy also keeps libcurl from reading the environment. Through a proxy everything is
  // tunnelled, so that it sees neither key nor prompt even for plain http.
  set(CURLOPT_PROXY, proxy_.c_str());
  set(CURLOPT_NOPROXY, "");
  set(CURLOPT_HTTPPROXYTUNNEL, proxy_.empty() ? 0L : 1L);
  set(CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);

  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!ca_file_.empty()) {
    set(CURLOPT_CAINFO, ca_file_.c_str());
    set(CURLOPT_CAPATH, static_cast<char*>(nullptr));  // this file and nothing else
  }

  set(CURLOPT_TCP_NODELAY, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  set(CURLOPT_TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
  set(CURLOPT_MAXLIFETIME_CONN, Seconds(options_.max_connection_life));
  set(CURLOPT_MAXAGE_CONN, Seconds(options_.max_connection_idle));
  set(CURLOPT_DNS_CACHE_TIMEOUT, Seconds(options_.dns_cache));
  set(CURLOPT_BUFFERSIZE, kReceiveBufferBytes);
  set(CURLOPT_OPENSOCKETFUNCTION, &Transfer::OnOpenSocket);
  set(CURLOPT_OPENSOCKETDATA, this);
  set(CURLOPT_CLOSESOCKETFUNCTION, &Transfer::OnCloseSocket);
  set(CURLOPT_CLOSESOCKETDATA, sockets_);  // the connection outlives the transfer

  set(CURLOPT_READFUNCTION, &SendOnce::Read);
  set(CURLOPT_READDATA, &sending_);
  set(CURLOPT_SEEKFUNCTION, &SendOnce::RefuseSeek);
  set(CURLOPT_SEEKDATA, &sending_);
  set(CURLOPT_PREREQFUNCTION, &Transfer::OnRequest);
  set(CURLOPT_PREREQDATA, this);
  set(CURLOPT_HEADERFUNCTION, &Transfer::OnHeader);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
  set(CURLOPT_WRITEDATA, this);
}

curl_socket_t Transfer::OnOpenSocket(void* self, curlsocktype /*purpose*/, curl_sockaddr* address) {
  auto* const transfer = static_cast<Transfer*>(self);
  const UpstreamSpec& upstream = *transfer->request_.upstream;
  // A proxy's address is the operator's own choice, and the upstream's is then the proxy's
  // business.
  if (!upstream.allow_private && upstream.proxy.empty() && IsSpecialAddress(address->addr)) {
    transfer->address_refused_ = true;
    return CURL_SOCKET_BAD;
  }
  const int fd =
      socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
  if (fd < 0) {
    transfer->no_descriptor_ = errno == EMFILE || errno == ENFILE;
    return CURL_SOCKET_BAD;
  }
  transfer->sockets_->Opened(fd);
  return fd;
}

int Transfer::OnCloseSocket(void* sockets, curl_socket_t socket) {
  static_cast<SocketSet*>(sockets)->Closed(socket);
  return close(socket);
}

// The last moment before the request is written.
int Transfer::OnRequest(void* self, char* primary_ip, char* /*local_ip*/, int /*primary_port*/,
                        int /*local_port*/) {
  auto* const transfer = static_cast<Transfer*>(self);
  const UpstreamSpec& upstream = *transfer->request_.upstream;
  // A pooled connection may have been opened for another provider, which is `allow_private`.
  if (!upstream.allow_private && upstream.proxy.empty() &&
      IsSpecialAddress(std::string_view(primary_ip))) {
    transfer->address_refused_ = true;
    return CURL_PREREQFUNC_ABORT;
  }
  return transfer->sending_.Begin() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

size_t Transfer::OnHeader(char* line, size_t size, size_t count, void* self) {
  auto* const transfer = static_cast<Transfer*>(self);
  if (transfer->observer_ == nullptr) return 0;
  switch (transfer->head_.Add({line, size * count})) {
    case HeadReader::Step::kMore:
      break;
    case HeadReader::Step::kTooLarge:
      transfer->head_too_large_ = true;
      return 0;
    case HeadReader::Step::kInvalid:
      transfer->head_invalid_ = true;
      return 0;
    case HeadReader::Step::kFinal:
      transfer->observer_->OnHead(transfer->head_.head());
      if (transfer->observer_ == nullptr) return 0;  // cancelled by the observer
      break;
  }
  return size * count;
}

size_t Transfer::OnBody(char* bytes, size_t size, size_t count, void* self) {
  auto* const transfer = static_cast<Transfer*>(self);
  const size_t total = size * count;
  if (transfer->observer_ == nullptr) return 0;
  if (total == 0) return 0;
  // libcurl may cut one read into several calls and does not look at the pause in between.
  if (transfer->paused_) {
    transfer->held_.append(bytes, total);
    return total;
  }
  const Flow flow = transfer->observer_->OnBody({bytes, total});
  if (transfer->observer_ == nullptr) return 0;  // cancelled by the observer
  if (flow == Flow::kPause) {
    // Not CURL_WRITEFUNC_PAUSE, which means "not taken" and delivers the bytes again.
    transfer->paused_ = true;
    curl_easy_pause(transfer->easy_, CURLPAUSE_RECV);
  }
  return total;
}

}  // namespace seekroute
