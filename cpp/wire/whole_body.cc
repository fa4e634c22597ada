#include "wire/whole_body.h"

#include <algorithm>

#include "wire/answer_form.h"

namespace seekroute {

std::string_view WholeBody::Take(std::string_view bytes) {
  const size_t room = most_ - std::min(most_, text_.size());
  text_.append(bytes.substr(0, room));
  return bytes.substr(std::min(room, bytes.size()));
}

Error WholeBody::TooLarge() {
  return MakeError(ErrorCode::kAnswerTooLarge, "the provider's answer is too large");
}

Status WholeBody::End(std::string_view media_type) {
  constexpr std::string_view kBom = "\xEF\xBB\xBF";
  if (const std::string other = NameOfNoJson(media_type, text_); !other.empty()) {
    return MakeError(ErrorCode::kBadUpstreamResponse,
                     "the provider answered with " + other + " instead of JSON");
  }
  if (text_.starts_with(kBom)) text_.erase(0, kBom.size());
  return {};
}

}  // namespace seekroute
