// Whose limits they are: of who asks, and of who is asked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "limits/limit_set.h"

namespace seekroute {

// Whose limits a request falls under. Empty: there is none of that kind. A view.
struct LimitSubject {
  std::string_view org = {}, app = {}, key = {}, model = {};
  const LimitSet* key_limits = nullptr;        // of the key; null: none
  const LimitSet* key_model_limits = nullptr;  // of the key, for the model; null: none
  uint64_t key_version = 0;                    // higher, the later both were set
};

// Whose limits an attempt falls under: whom it asks. A view.
struct UpstreamSubject {
  std::string_view provider, key;  // `key`: as ProviderKeyName() has it
  std::string_view endpoint;       // as EndpointName() has it
};
// What limits know keys of providers, and endpoints, by.
std::string ProviderKeyName(std::string_view provider, std::string_view key);
std::string EndpointName(uint64_t id);

}  // namespace seekroute
