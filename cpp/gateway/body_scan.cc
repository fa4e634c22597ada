#include "gateway/body_scan.h"

#include "gateway/idempotency.h"
#include "wire/openai/chat_prompt.h"

namespace seekroute {

BodyScan ScanBody(std::string_view body, const Profile& profile) {
  BodyScan scan{&profile, ParseChatRequest(body, profile), {}, IdempotencyTable::DigestOf(body)};
  // A body that is refused costs no more than the refusal.
  if (scan.request) scan.prompt = EstimateChatPrompt(body);
  return scan;
}

}  // namespace seekroute
