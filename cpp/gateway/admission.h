// Whether a request may be served and by which model: what is checked before anything is sent.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "catalog/catalog.h"
#include "gateway/body_scan.h"
#include "gateway/key_ring.h"
#include "gateway/origin.h"
#include "gateway/snapshot.h"
#include "routing/route.h"
#include "wire/surface.h"

namespace seekroute {

// What is known of a request. `profile`, `model` and what `route` points to are owned by
// the snapshot.
struct Admission {
  const Surface* surface = nullptr;              // that it is spoken in
  const Profile* profile = nullptr;              // never null after Admit()
  std::shared_ptr<const ApiKey> key;             // null: in process, or no key is required
  std::unique_ptr<const ParsedRequest> request;  // null: refused before it was read
  const Model* model = nullptr;                  // asked for; null: refused before it was known
  bool automatic = false;                        // `auto` was asked for
  Route route;  // without candidates: refused before it was planned
};

class Gate;

struct AdmissionRules {
  const KeyRing* keys;  // not owned
  bool require_key;
  Origin origin;
  UnixSeconds now;
  ReadScope scope = {};      // what is to be found in a body that is read here
  BodyScan* scan = nullptr;  // of the body, to be used up; null: it is read here
  Gate* gate = nullptr;      // of the same request; null: no limit is asked
};

// Checks the key, and whether its limit of requests is reached, then the body, then whether the key
// may use the model and somebody serves it. Fills *out as far as it came, also when it refuses: the
// refusal is written in the profile of the key. Nothing is sent or stored.
Status Admit(const Surface& surface, std::string_view body,
             const std::optional<Secret>& authorization, const Snapshot& snapshot,
             const AdmissionRules& rules, Admission* out);

}  // namespace seekroute
