// What a gateway is handed, and what it answers at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/secret.h"
#include "gateway/header_options.h"
#include "gateway/key_ring.h"
#include "gateway/origin.h"
#include "gateway/outlet.h"
#include "gateway/routing_report.h"
#include "wire/surface.h"

namespace seekroute {

// A request as the server or the client hands it over.
struct GatewayRequest {
  std::string body;
  std::optional<Secret> authorization;
  std::string request_id;
  std::string idempotency_key;  // empty: none
  Origin origin = Origin::kServer;
  SurfaceId surface = SurfaceId::kChat;  // that it is spoken in
  Explain explain = Explain::kNo;
  HeaderOptions options = {};
  // Of a quote alone: what its order is drawn by, else by chance; and how often it is drawn anew,
  // to tell how often each endpoint comes first.
  std::optional<uint64_t> seed = std::nullopt;
  int simulate = 0;
  std::optional<Mac> as = std::nullopt;  // and whose request it is, whoever asks: for operators
};

// An answer ready to be sent.
struct ReadyAnswer {
  ResponseHead head;
  std::string body;
};

}  // namespace seekroute
