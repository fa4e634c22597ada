#include "testing/tls_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <utility>

namespace seekroute {
namespace {

constexpr long kCertificateSeconds = 3600;
constexpr size_t kMaxRequestBytes = 1 << 20;

}  // namespace

TlsServer::TlsServer(int max_version) : context_(SSL_CTX_new(TLS_server_method())) {
  signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(context_.get(), max_version);
  SSL_CTX_set_security_level(context_.get(), 0);  // or it would refuse to speak TLS 1.1 itself
  MakeCertificate();
  listen_fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  (void)bind(listen_fd_, reinterpret_cast<sockaddr*>(&address), sizeof address);
  listen(listen_fd_, 16);
  socklen_t size = sizeof address;
  getsockname(listen_fd_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

TlsServer::~TlsServer() {
  stop_ = true;
  shutdown(listen_fd_, SHUT_RDWR);
  {
    const std::lock_guard lock(mu_);
    if (serving_fd_ >= 0) shutdown(serving_fd_, SHUT_RDWR);
  }
  thread_.join();
  close(listen_fd_);
}

std::string TlsServer::received() const {
  const std::lock_guard lock(mu_);
  return received_;
}

std::string TlsServer::connects() const {
  const std::lock_guard lock(mu_);
  return connects_;
}

void TlsServer::AnswerWith(std::string answer) {
  const std::lock_guard lock(mu_);
  answer_ = std::move(answer);
}

void TlsServer::EndAfterAnswer(bool in_order) {
  const std::lock_guard lock(mu_);
  then_ = in_order ? Then::kGoodbye : Then::kCut;
}

void TlsServer::Interrupt() {
  const std::lock_guard lock(mu_);
  if (serving_fd_ >= 0) shutdown(serving_fd_, SHUT_RDWR);
}

std::string TlsServer::certificate_pem() const {
  BIO* const bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, SSL_CTX_get0_certificate(context_.get()));
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  std::string pem(text, static_cast<size_t>(size));
  BIO_free(bio);
  return pem;
}

void TlsServer::MakeCertificate() {
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  X509* const certificate = X509_new();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -kCertificateSeconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate), kCertificateSeconds);
  X509_NAME* const name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("seekroute test"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_EXTENSION* const address =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
  X509_add_ext(certificate, address, -1);
  X509_EXTENSION_free(address);
  X509_set_pubkey(certificate, key);
  X509_sign(certificate, key, EVP_sha256());
  SSL_CTX_use_certificate(context_.get(), certificate);
  SSL_CTX_use_PrivateKey(context_.get(), key);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

void TlsServer::Run() {
  while (!stop_) {
    const int fd = accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    ++accepted_;
    {
      const std::lock_guard lock(mu_);
      serving_fd_ = fd;
    }
    if (!stop_) Serve(fd);
    const std::lock_guard lock(mu_);
    serving_fd_ = -1;
    close(fd);
  }
}

bool TlsServer::TakeConnect(int fd) {
  std::string head;
  while (!head.ends_with("\r\n\r\n") && head.size() < kMaxRequestBytes) {
    char c;
    if (recv(fd, &c, 1, 0) != 1) return false;
    head += c;
  }
  {
    const std::lock_guard lock(mu_);
    connects_ += head;
  }
  constexpr char kTaken[] = "HTTP/1.1 200 Connected\r\n\r\n";
  return send(fd, kTaken, sizeof kTaken - 1, MSG_NOSIGNAL) == sizeof kTaken - 1;
}

void TlsServer::Serve(int fd) {
  if (tunnelled_ && !TakeConnect(fd)) return;
  SSL* const ssl = SSL_new(context_.get());
  SSL_set_fd(ssl, fd);
  std::string request;
  bool shaken = false;
  while (SSL_accept(ssl) == 1 && request.size() < kMaxRequestBytes) {
    if (!shaken && SSL_session_reused(ssl) == 1) ++resumed_;
    shaken = true;
    char buffer[4096];
    const int size = SSL_read(ssl, buffer, sizeof buffer);
    if (size <= 0) break;
    request.append(buffer, static_cast<size_t>(size));
    std::string answer;
    Then then;
    {
      const std::lock_guard lock(mu_);
      received_.append(buffer, static_cast<size_t>(size));
      answer = answer_;
      then = then_;
    }
    if (!request.ends_with("\r\n\r\n{}")) continue;  // the tests send just this body
    request.clear();
    if (SSL_write(ssl, answer.data(), static_cast<int>(answer.size())) <= 0) break;
    if (then == Then::kGoodbye) SSL_shutdown(ssl);
    if (then != Then::kKeep) break;
  }
  SSL_free(ssl);
}

}  // namespace seekroute
