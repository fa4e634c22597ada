#include "gateway/body_scan.h"

#include "gateway/idempotency.h"

namespace seekroute {

BodyScan ScanBody(std::string_view body, const Surface& surface, const Profile& profile,
                  std::span<const std::string> excerpt_for) {
  return {&profile, surface.Read(body, profile, {.prompt = true, .excerpt_for = excerpt_for}),
          IdempotencyTable::DigestOf(body)};
}

}  // namespace seekroute
