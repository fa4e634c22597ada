#include "wire/openai/finish_reason.h"

#include <algorithm>
#include <iterator>

#include "base/letter_case.h"

namespace seekroute {

bool IsFinishReason(std::string_view word) {
  constexpr std::string_view kNone[] = {"", "null", "Null", "NULL", "none", "None"};
  return std::find(std::begin(kNone), std::end(kNone), word) == std::end(kNone);
}

// Z.ai's, DeepSeek's, vLLM's, and the word that all of them understand. In any letter case.
bool IsFailure(std::string_view finish_reason) {
  constexpr std::string_view kFailures[] = {"error", "network_error",
                                            "insufficient_system_resource", "abort"};
  return std::any_of(
      std::begin(kFailures), std::end(kFailures),
      [finish_reason](std::string_view word) { return IsSameButForCase(finish_reason, word); });
}

}  // namespace seekroute
