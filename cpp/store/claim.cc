#include "store/claim.h"

namespace seekroute {
namespace {

Error Repeated(ErrorCode code, std::string message, const std::string& generation_id) {
  Error error = MakeError(code, std::move(message));
  error.facts.push_back({"generation_id", generation_id, true});
  return error;
}

}  // namespace

Error ClaimInProgress(const std::string& generation_id) {
  return Repeated(ErrorCode::kIdempotencyInProgress,
                  "the request with this Idempotency-Key is still running", generation_id);
}

Error ClaimCompleted(const std::string& generation_id) {
  return Repeated(ErrorCode::kIdempotencyCompleted,
                  "the request with this Idempotency-Key has ended and is not sent again: look it "
                  "up by its generation id, or use a new key",
                  generation_id);
}

Error ClaimMismatch() {
  return MakeError(ErrorCode::kIdempotencyMismatch,
                   "this Idempotency-Key was used for another request: use a new one");
}

}  // namespace seekroute
