// An HTTPS upstream with a certificate of its own making, for tests.
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace seekroute {

// Answers every request with "{}" over kept-alive connections, one connection at a time, on
// 127.0.0.1 and a free port. Thread-safe.
class TlsServer {
 public:
  // The self-signed certificate is for 127.0.0.1. `max_version` is TLS1_2_VERSION and the like.
  explicit TlsServer(int max_version = TLS1_3_VERSION);
  ~TlsServer();
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

  int port() const { return port_; }
  std::string certificate_pem() const;
  int accepted() const { return accepted_; }
  std::string received() const;  // every decrypted byte so far

 private:
  struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };

  void MakeCertificate();
  void Run();
  void Serve(int fd);

  const std::unique_ptr<SSL_CTX, FreeContext> context_;
  int listen_fd_ = -1;
  int port_ = 0;
  std::atomic<int> accepted_ = 0;
  std::atomic<bool> stop_ = false;
  mutable std::mutex mu_;
  std::string received_;  // guarded by mu_
  int serving_fd_ = -1;   // guarded by mu_; -1: none
  std::thread thread_;
};

}  // namespace seekroute
