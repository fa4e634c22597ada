// What the prompt of the tests over credits_fixture.h is held at.
#pragma once

#include "testing/credits_fixture.h"
#include "testing/read_chat.h"
#include "testing/routes.h"

namespace seekroute::testing {

// The prompt "hi" in these tests is held at this many tokens.
inline int64_t PromptNano(const GatewayOptions& options) {
  Model model{.id = "a/m", .endpoints = {}};
  Rates rates;
  rates[PriceClass::kInput] = Rate{kInputNano * 1000};
  model.endpoints.push_back({0, "up", PriceTable::Flat(rates)});
  const std::string body = R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";
  const auto request = ReadChat(body);
  return SpendBound(request->ask, RouteTo(model), options, {}).At(0).nano;
}

}  // namespace seekroute::testing
