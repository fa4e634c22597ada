// Who may serve a request, in order, and who may not and why.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "catalog/catalog.h"

namespace seekroute {

// One endpoint that may be asked. Points into the catalog, which whoever keeps this keeps too.
struct Candidate {
  const Model* model = nullptr;
  const Endpoint* endpoint = nullptr;
  int64_t inputs = 1;  // of the request

  // Of this endpoint, in tokens; 0: unknown. For all that the request has it read.
  int64_t context() const { return model->ContextAt(*endpoint, inputs); }
  int64_t max_output() const { return model->MaxOutputAt(*endpoint); }
  const PriceTable& price() const { return *endpoint->price; }
  // Its answers are made of tokens, and charged by them.
  bool answers_in_tokens() const { return endpoint->token_answer; }
};

// A provider that is not asked. Points likewise.
struct OutOfRoute {
  const Model* model = nullptr;
  std::string_view provider;
  std::string_view reason;  // one word for clients: "no_key", "disabled"
};

// Planned once, at admission; quote, bound, attempts and report read the same one. Immutable.
struct Route {
  std::vector<Candidate> candidates;  // in the order in which they are asked
  std::vector<OutOfRoute> excluded;
  // How the model was found: "auto", "direct" (its id) or "alias". A literal.
  std::string_view strategy;
};

}  // namespace seekroute
