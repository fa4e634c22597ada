// Whether a request may be served and by which model: what is checked before anything is sent.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "catalog/catalog.h"
#include "gateway/body_scan.h"
#include "gateway/key_ring.h"
#include "gateway/laps.h"
#include "gateway/origin.h"
#include "gateway/snapshot.h"
#include "gateway/sticky_table.h"
#include "routing/health_view.h"
#include "routing/route.h"
#include "wire/surface.h"

namespace seekroute {

// What is known of a request. `profile`, `model` and what `route` points to are owned by
// the snapshot.
struct Admission {
  const Surface* surface = nullptr;              // that it is spoken in
  const Profile* profile = nullptr;              // never null after Admit()
  std::shared_ptr<const ApiKey> key;             // null: in process, or no key is required
  Mac key_mac{};                                 // that it is found again by
  std::unique_ptr<const ParsedRequest> request;  // null: refused before it was read
  const Model* model = nullptr;  // the first asked for; null: refused before it was known
  bool automatic = false;        // `auto` was asked for
  // Nobody waits for it: no other model is asked, and whoever is less than well is left alone.
  bool shadow = false;
  struct FirstPlace {
    const Model* model;
    const Endpoint* endpoint;
    int draws;
  };
  std::vector<FirstPlace> first_places;  // who came first how often, where that was simulated
  StickyKey sticky;                      // of what it belongs to; invalid: to nothing
  bool keeps_model = false;              // by that, whatever a cache knows: the model was chosen
  Route route;                           // without candidates: refused before it was planned
};

class AnswerTable;
class Gate;
struct GatewayOptions;

inline constexpr int kMostSimulated = 10'000;

// A seed is told to clients, whose JSON numbers are exact to 53 bits.
inline constexpr int kSeedShift = 11;

struct AdmissionRules {
  const KeyRing* keys;  // not owned
  bool require_key;
  Origin origin;
  UnixSeconds now;
  ReadScope scope = {};                  // what is to be found in a body that is read here
  BodyScan* scan = nullptr;              // of the body, to be used up; null: it is read here
  Gate* gate = nullptr;                  // of the same request; null: no limit is asked
  uint64_t seed = 0;                     // of all that a plan leaves to chance
  TimePoint moment = {};                 // at which `health` is read
  const HealthReader* health = nullptr;  // null: everybody is well
  int simulate = 0;                      // so many other seeds are tried, at most kMostSimulated
  bool explain = false;                  // the route is told of, with what was known of health
  Laps* laps = nullptr;                  // of the same request; null: nothing is timed
  // Whose request it is, whoever sends it; null: that of the key in the header.
  std::shared_ptr<const ApiKey> as = nullptr;
  const StickyTable* sticky = nullptr;  // who answered what belongs together; null: nobody knows
  std::string_view session = {};        // as a header names it
  const Secret* salt = nullptr;         // of its keys; never null with `sticky`
  const GatewayOptions* options = nullptr;  // of its money; null: none is looked at
  const AnswerTable* answers = nullptr;     // of models to choose from; null: a guess for all
};

// Checks the key, and whether its limit of requests is reached, then the body, then whether the key
// may use the model and somebody serves it. Fills *out as far as it came, also when it refuses: the
// refusal is written in the profile of the key. Nothing is sent or stored.
Status Admit(const Surface& surface, std::string_view body,
             const std::optional<Secret>& authorization, const Snapshot& snapshot,
             const AdmissionRules& rules, Admission* out);

}  // namespace seekroute
