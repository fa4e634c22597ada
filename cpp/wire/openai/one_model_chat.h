// Internal to wire/: a chat request as it would have been sent to one model for a whole answer.
#pragma once

#include <string>
#include <string_view>

namespace seekroute {

// What Surface::ForOneModel() says, of a chat. Empty where `body` is no JSON object with a `model`.
// Linear.
std::string ChatForOneModel(std::string_view body, std::string_view model);

}  // namespace seekroute
