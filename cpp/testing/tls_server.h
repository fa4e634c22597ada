// An HTTPS upstream with a certificate of its own making, for tests.
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace seekroute {

// Answers every request (with the body "{}") over kept-alive connections, one connection at a time,
// on 127.0.0.1 and a free port. Thread-safe.
class TlsServer {
 public:
  // The self-signed certificate is for 127.0.0.1. `max_version` is TLS1_2_VERSION and the like.
  explicit TlsServer(int max_version = TLS1_3_VERSION);
  ~TlsServer();
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

  // What requests get from now on, instead of a 200 with "{}".
  void AnswerWith(std::string answer);
  // Ends the connection after each answer: in order, or as if it had been cut.
  void EndAfterAnswer(bool in_order);
  // Plays an http proxy first: takes a CONNECT, and then speaks TLS as the upstream.
  void BeTunnelled() { tunnelled_ = true; }
  // Ends the connection that is served now, if there is one.
  void Interrupt();

  int port() const { return port_; }
  std::string certificate_pem() const;
  int accepted() const { return accepted_; }
  int resumed() const { return resumed_; }  // handshakes that resumed a session
  std::string connects() const;             // the heads of the CONNECTs
  std::string received() const;             // every decrypted byte so far

 private:
  struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };

  void MakeCertificate();
  void Run();
  void Serve(int fd);
  bool TakeConnect(int fd);

  const std::unique_ptr<SSL_CTX, FreeContext> context_;
  int listen_fd_ = -1;
  int port_ = 0;
  std::atomic<int> accepted_ = 0;
  std::atomic<int> resumed_ = 0;
  std::atomic<bool> tunnelled_ = false;
  std::atomic<bool> stop_ = false;
  mutable std::mutex mu_;
  enum class Then : uint8_t { kKeep, kGoodbye, kCut };
  Then then_ = Then::kKeep;                                                // guarded by mu_
  std::string answer_ = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";  // guarded by mu_
  std::string connects_;                                                   // guarded by mu_
  std::string received_;                                                   // guarded by mu_
  int serving_fd_ = -1;  // guarded by mu_; -1: none
  std::thread thread_;
};

}  // namespace seekroute
