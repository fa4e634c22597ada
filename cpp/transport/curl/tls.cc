#include "transport/curl/tls.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "transport/curl/trust.h"

namespace seekroute {
namespace {

// --- a BIO over a socket that raises no SIGPIPE, which OpenSSL's own does ------------------------

int FdOf(BIO* bio) { return *static_cast<const int*>(BIO_get_data(bio)); }

bool TryAgain(ssize_t result) {
  return result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

int BioWrite(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t sent = send(FdOf(bio), bytes, static_cast<size_t>(size), MSG_NOSIGNAL);
  if (TryAgain(sent)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int BioRead(BIO* bio, char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t got = recv(FdOf(bio), bytes, static_cast<size_t>(size), 0);
  if (TryAgain(got)) BIO_set_retry_read(bio);
  if (got == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(got);
}

long BioControl(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_EOF:
      return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
    default:
      return 0;
  }
}

BIO_METHOD* SocketMethod() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* const made =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "seekroute socket");
    if (made == nullptr) return made;
    BIO_meth_set_write(made, &BioWrite);
    BIO_meth_set_read(made, &BioRead);
    BIO_meth_set_ctrl(made, &BioControl);
    return made;
  }();
  return method;
}

// -------------------------------------------------------------------------------------------------

bool IsIpLiteral(const std::string& host) {
  in6_addr address;
  return inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

}  // namespace

TlsContext::Version TlsContext::VersionOf(const std::string& file) {
  struct stat status = {};
  if (file.empty() || stat(file.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino, status.st_size,
          int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

TlsContext::TlsContext(const std::string& ca_file)
    : only_file_(!ca_file.empty()),
      file_(only_file_ ? ca_file : DefaultFile()),
      version_(VersionOf(file_)),
      context_(SSL_CTX_new(TLS_client_method())) {
  if (context_ == nullptr) return;
  SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION);
  SSL_CTX_set_options(context_, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  // An idle stream keeps no buffers; a record may be written in parts.
  SSL_CTX_set_mode(context_, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context_, 1);  // a record's header and body in one system call
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
  // Also a certificate that is not its own issuer may be trusted, as libcurl has it.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context_),
                              X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
  constexpr unsigned char kHttp11[] = "\x08http/1.1";
  SSL_CTX_set_alpn_protos(context_, kHttp11, sizeof kHttp11 - 1);
  SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context_, &TlsContext::OnSession);
  ok_ = LoadTrust();
  ERR_clear_error();
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

bool TlsContext::outdated() const { return VersionOf(file_) != version_; }

// Where libcurl was built to look, which distributions see to; empty when it was not told.
std::string TlsContext::DefaultTrust(bool directory) {
  CURL* const easy = curl_easy_init();
  char* place = nullptr;
  curl_easy_getinfo(easy, directory ? CURLINFO_CAPATH : CURLINFO_CAINFO, &place);
  std::string copy(place == nullptr ? "" : place);
  curl_easy_cleanup(easy);
  return copy;
}

// A libcurl that was told nothing is a wheel's: it is built on one distribution for all of them.
std::string TlsContext::DefaultFile() {
  std::string file = DefaultTrust(false);
  if (!file.empty() || !DefaultTrust(true).empty()) return file;
  const bool chosen = std::getenv(X509_get_default_cert_file_env()) != nullptr ||
                      std::getenv(X509_get_default_cert_dir_env()) != nullptr;
  return chosen ? std::string() : KnownBundle();
}

// What OpenSSL says of a load is not enough: a list of revocations counts as loaded, and a
// directory that is empty, or not there.
bool TlsContext::LoadTrust() {
  if (!file_.empty()) SSL_CTX_load_verify_file(context_, file_.c_str());
  if (only_file_) return HasCertificate();
  const std::string directory = DefaultTrust(true);
  const bool added =
      !directory.empty() && SSL_CTX_load_verify_dir(context_, directory.c_str()) == 1;
  if (HasCertificate() || (added && HoldCertificates(directory))) return true;
  if (SSL_CTX_set_default_verify_paths(context_) != 1) return false;
  const char* const other = std::getenv(X509_get_default_cert_dir_env());
  return HasCertificate() ||
         HoldCertificates(other != nullptr ? other : X509_get_default_cert_dir());
}

bool TlsContext::HasCertificate() const {
  const STACK_OF(X509_OBJECT)* const objects =
      X509_STORE_get0_objects(SSL_CTX_get_cert_store(context_));
  for (int i = 0; i < sk_X509_OBJECT_num(objects); ++i) {
    if (X509_OBJECT_get_type(sk_X509_OBJECT_value(objects, i)) == X509_LU_X509) return true;
  }
  return false;
}

// The server's ticket: with TLS 1.3 some time after the handshake.
int TlsContext::OnSession(SSL* ssl, SSL_SESSION* session) {
  auto* const stream = static_cast<TlsStream*>(SSL_get_app_data(ssl));
  auto& sessions = stream->context_->sessions_;
  if (sessions.size() >= kMaxSessions && !sessions.contains(stream->peer_)) {
    sessions.erase(sessions.begin());
  }
  sessions[stream->peer_].reset(session);
  return 1;  // the reference is ours
}

// -------------------------------------------------------------------------------------------------

TlsStream::TlsStream(TlsContext* context, int fd, const std::string& host, std::string peer)
    : context_(context), fd_(fd), peer_(std::move(peer)), ssl_(SSL_new(context->context_)) {
  BIO* const bio = SocketMethod() == nullptr ? nullptr : BIO_new(SocketMethod());
  if (ssl_ == nullptr || bio == nullptr) {
    BIO_free(bio);
    failed_ = true;
    return;
  }
  BIO_set_data(bio, &fd_);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_app_data(ssl_, this);
  SSL_set_connect_state(ssl_);
  bool named;
  if (IsIpLiteral(host)) {
    named = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), host.c_str()) == 1;
  } else {
    SSL_set_hostflags(ssl_, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    named = !host.empty() && SSL_set1_host(ssl_, host.c_str()) == 1 &&
            SSL_set_tlsext_host_name(ssl_, host.c_str()) == 1;
  }
  if (!named) failed_ = true;  // never a connection whose name is not checked
  const auto known = context->sessions_.find(peer_);
  if (known != context->sessions_.end()) SSL_set_session(ssl_, known->second.get());
}

TlsStream::~TlsStream() {
  if (ssl_ == nullptr) return;
  ERR_clear_error();
  if (shaken_ && !failed_) SSL_shutdown(ssl_);
  SSL_free(ssl_);
  ERR_clear_error();
}

IoResult TlsStream::Handshake() {
  if (failed_) return {};
  ERR_clear_error();
  const int returned = SSL_do_handshake(ssl_);
  if (returned != 1) return ResultOf(returned);
  shaken_ = true;
  return {IoResult::Kind::kBytes, 1};
}

bool TlsStream::untrusted() const {
  return ssl_ != nullptr && SSL_get_verify_result(ssl_) != X509_V_OK;
}

IoResult TlsStream::Read(char* buffer, size_t size) {
  if (failed_) return {};
  ERR_clear_error();
  size_t got = 0;
  const int returned = SSL_read_ex(ssl_, buffer, size, &got);
  if (returned != 1) return ResultOf(returned);
  return {IoResult::Kind::kBytes, got};
}

IoResult TlsStream::Write(std::string_view bytes) {
  if (failed_) return {};
  ERR_clear_error();
  size_t sent = 0;
  const int returned = SSL_write_ex(ssl_, bytes.data(), bytes.size(), &sent);
  if (returned != 1) return ResultOf(returned);
  return {IoResult::Kind::kBytes, sent};
}

uint64_t TlsStream::written() const {
  return ssl_ == nullptr ? 0 : BIO_number_written(SSL_get_wbio(ssl_));
}

IoResult TlsStream::ResultOf(int returned) {
  switch (SSL_get_error(ssl_, returned)) {
    case SSL_ERROR_WANT_READ:
      return {IoResult::Kind::kAwaitRead, 0};
    case SSL_ERROR_WANT_WRITE:
      return {IoResult::Kind::kAwaitWrite, 0};
    case SSL_ERROR_ZERO_RETURN:
      return {IoResult::Kind::kEof, 0};
    default:
      // Also an end without a goodbye: it may be an attacker's cut.
      failed_ = true;
      return {};
  }
}

}  // namespace seekroute
