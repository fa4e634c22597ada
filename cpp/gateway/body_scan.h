// Everything that has to be read of a request's whole body before it is sent.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/result.h"
#include "wire/profile.h"
#include "wire/surface.h"

namespace seekroute {

// A body of up to so many bytes is read on the engine's own turn: that takes well under a
// millisecond. A larger one would hold up everybody else's answers, and is read beside it.
inline constexpr size_t kMostReadInTurn = size_t{64} << 10;

// What was read, with the estimate of the prompt. The ranges of `request` point into the body,
// which must stay as it is.
struct BodyScan {
  const Profile* profile = nullptr;  // whose rules it was read by; not owned
  Result<std::unique_ptr<const ParsedRequest>> request;
  Mac digest{};  // of the body, for its IdempotencyClaim
};

// Linear; tens of milliseconds a megabyte at worst. Pure. `excerpt_for`: as ReadScope has it.
BodyScan ScanBody(std::string_view body, const Surface& surface, const Profile& profile,
                  std::span<const std::string> excerpt_for);

}  // namespace seekroute
