// Requests for three models, as far as their admission.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/admission.h"
#include "wire/protocols/protocols.h"

namespace seekroute::testing {

// Three models, each at one endpoint; the last is dear.
inline Snapshot ThreeModels() {
  Snapshot snapshot;
  snapshot.profiles.emplace("seekroute", Profile());
  snapshot.default_profile = "seekroute";
  Catalog::Parts parts;
  for (const char* const name : {"one", "two", "three"}) {
    Model model{.id = "a/" + std::string(name), .endpoints = {}};
    Rates rates;
    rates[PriceClass::kOutput] = {model.id == "a/three" ? uint64_t{9'000'000} : 1'000'000};
    Endpoint endpoint{0, "up", PriceTable::Flat(rates)};
    endpoint.tag = "p";
    model.endpoints.push_back(std::move(endpoint));
    parts.names[model.id] = model.id;
    parts.names[name] = model.id;
    parts.models.push_back(std::move(model));
  }
  parts.names["odd:free"] = "a/three";
  snapshot.catalog = *Catalog::Make(std::move(parts));
  snapshot.routing.max_price_jump = 3;
  return snapshot;
}

class AdmitModels : public ::testing::Test {
 protected:
  // The ids of the models that may be asked, in order, or the code and `param` of the refusal.
  std::string Models(const std::string& members) {
    KeyRing keys(Secret("pepper"));
    ApiKey key;
    key.key_id = "k";
    if (may_use_) key.models = std::make_shared<std::vector<std::string>>(*may_use_);
    keys.Put(HmacSha256(Secret("pepper"), "good"), key);
    const std::string body = "{" + members + R"(,"messages":[{"role":"user","content":"Hi"}]})";
    admission_ = {};
    AdmissionRules rules{&keys, true, Origin::kServer, {}, {}, nullptr, nullptr, seed_};
    rules.simulate = simulate_;
    const Status status = Admit(SurfaceOf(SurfaceId::kChat), body, Secret("Bearer good"), snapshot_,
                                rules, &admission_);
    if (!status.ok()) {
      message_ = status.error().message;
      return std::string(status.error().name()) + ' ' + status.error().param;
    }
    std::string ids;
    for (const Candidate& each : admission_.route.candidates) {
      ids += (ids.empty() ? "" : " ") + each.model->id;
    }
    return ids;
  }

  Snapshot snapshot_ = ThreeModels();
  uint64_t seed_ = 0;
  int simulate_ = 0;
  std::optional<std::vector<std::string>> may_use_;
  Admission admission_;
  std::string message_;
};

}  // namespace seekroute::testing
