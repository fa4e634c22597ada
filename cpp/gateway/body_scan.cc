#include "gateway/body_scan.h"

#include "gateway/idempotency.h"

namespace seekroute {

BodyScan ScanBody(std::string_view body, const Surface& surface, const Profile& profile) {
  return {&profile, surface.Read(body, profile, {.prompt = true}),
          IdempotencyTable::DigestOf(body)};
}

}  // namespace seekroute
