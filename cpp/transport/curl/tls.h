// TLS towards upstreams: OpenSSL over a socket that is connected already. libcurl makes one context
// with all of the trust store for each connection; here a trust store is read once.
#pragma once

#include <openssl/ssl.h>
#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace seekroute {

// What one read or write of a socket did.
struct IoResult {
  enum class Kind : uint8_t {
    kBytes,
    kAwaitRead,   // nothing now: wait until the socket is readable
    kAwaitWrite,  // nothing now: wait until it is writable
    kEof,         // the peer ended its side in order
    kFailed,
  };
  Kind kind = Kind::kFailed;
  size_t size = 0;  // for kBytes, at least 1
};

// Whom to trust, and the sessions to resume. Engine thread only.
class TlsContext {
 public:
  // `ca_file`: trust the certificates in this PEM file alone; empty: libcurl's default store.
  explicit TlsContext(const std::string& ca_file);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // False when there is no certificate to trust: TrustProblem() says why.
  bool ok() const { return ok_; }
  // The file is not the one that was read: make a new context.
  bool outdated() const;

 private:
  friend class TlsStream;
  struct FreeSession {
    void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
  };
  // What tells one version of a file from another.
  struct Version {
    bool operator==(const Version&) const = default;
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    int64_t modified_ns = 0;
  };
  static constexpr size_t kMaxSessions = 256;

  static std::string DefaultTrust(bool directory);
  static std::string DefaultFile();
  static Version VersionOf(const std::string& file);
  static int OnSession(SSL* ssl, SSL_SESSION* session);
  bool LoadTrust();
  bool HasCertificate() const;

  const bool only_file_;    // or libcurl's default directory too
  const std::string file_;  // empty: none
  const Version version_;
  SSL_CTX* const context_;
  bool ok_ = false;
  // By whom they are with; the last one of each. A session came from a verified handshake.
  std::map<std::string, std::unique_ptr<SSL_SESSION, FreeSession>, std::less<>> sessions_;
};

// One connection's TLS. Engine thread only.
class TlsStream {
 public:
  // Owns neither `fd` nor `context`, which outlives it. `host` is whose certificate is asked for;
  // `peer` names whom a session may be resumed with.
  TlsStream(TlsContext* context, int fd, const std::string& host, std::string peer);
  ~TlsStream();  // says goodbye to a peer with whom all went well
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // Goes on with the handshake; kBytes when it is done.
  IoResult Handshake();
  // After a failed handshake: the peer's certificate was the reason.
  bool untrusted() const;

  IoResult Read(char* buffer, size_t size);
  IoResult Write(std::string_view bytes);

  // Bytes were received that Read() has not given out: the socket may stay silent.
  bool pending() const { return SSL_has_pending(ssl_) == 1; }
  // Bytes given to the socket so far, the handshake's included.
  uint64_t written() const;

 private:
  friend class TlsContext;
  IoResult ResultOf(int returned);

  TlsContext* const context_;
  int fd_;
  const std::string peer_;
  SSL* const ssl_;
  bool shaken_ = false;
  bool failed_ = false;
};

}  // namespace seekroute
