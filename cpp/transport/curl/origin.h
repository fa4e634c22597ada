// Where the connections of a provider go, worked out once.
#pragma once

#include <cstddef>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "transport/curl/connection.h"
#include "transport/transport.h"

namespace seekroute {

// Two specs share connections only if they agree in all of the first group. Engine thread only.
struct Origin {
  // Of the spec.
  std::string base_url;
  std::string ca_file;
  std::string proxy;
  bool allow_http = false;
  bool allow_private = false;
  Duration keep_alive;

  // Why no request can be sent there.
  std::optional<Error> refusal;

  bool tls = false;
  std::string connect_url;  // what libcurl connects to: "http://host:port"
  std::string host;         // without brackets: whose certificate is asked for
  std::string peer;         // with whom a TLS session may be resumed
  std::string target;       // the path of base_url, without a trailing slash
  std::string host_line;    // "Host: example.com:8080\r\n"

  // Its idle connections, the longest idle first; the pool's.
  std::vector<std::list<std::unique_ptr<Connection>>::iterator> idle;
  size_t connections = 0;  // idle and busy
  size_t transfers = 0;    // that run

  // The transport's: connections libcurl is opening, and the transfers that wait for their turn.
  size_t connecting = 0;
  std::deque<TransferId> waiting;
  bool crowded = false;  // the transport looks after `waiting`
};

// The origins in use, and some of those that were. Engine thread only.
class OriginTable {
 public:
  // Never null. Valid while it has transfers or connections, or until the next Find().
  Origin* Find(const UpstreamSpec& spec);

 private:
  // Unused ones are forgotten beyond this: configurations come and go.
  static constexpr size_t kMaxUnused = 256;

  std::vector<std::unique_ptr<Origin>> origins_;
  size_t last_ = 0;  // the one found last: most calls ask for it again
};

}  // namespace seekroute
