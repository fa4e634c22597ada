// The way out of an exchange: the mailbox is one; a connection, or whoever collects an answer, may
// be another.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/store.h"
#include "transport/transport.h"

namespace seekroute {

// Status line and headers of an answer. Names are lower-case.
struct ResponseHead {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;

  void Add(std::string_view name, std::string_view value) { headers.emplace_back(name, value); }
};

// Engine thread only. Whoever sits behind it calls Exchange::ClientLeft() when the client is gone
// and, after a kPause, Exchange::Resume().
class Outlet {
 public:
  virtual ~Outlet() = default;

  // The request's body is in memory no more. At most once; nobody need act on it.
  virtual void BodyGone() = 0;

  // At most once, before any byte of the body.
  virtual void Head(ResponseHead head) = 0;

  // `counted`: the bytes count as waiting for the client until it has taken them. kPause: more wait
  // than may, so that nothing should follow before Resume(); what does is taken all the same.
  virtual Flow Body(std::string_view bytes, bool counted) = 0;

  // Once, and nothing after it.
  virtual void End(ExchangeRecord&& record) = 0;
};

}  // namespace seekroute
