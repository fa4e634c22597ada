#include "wire/json/non_finite.h"

namespace seekroute {

std::optional<std::string> WithoutNonFinite(std::string_view text) {
  std::string out;
  size_t done = 0;
  bool in_string = false;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '"') in_string = !in_string;
    if (in_string) {
      if (text[at] == '\\') ++at;
      continue;
    }
    for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
      if (!text.substr(at).starts_with(word)) continue;
      out += text.substr(done, at - done);
      out += "null";
      done = at + word.size();
      at = done - 1;
      break;
    }
  }
  if (done == 0) return std::nullopt;
  return out.append(text.substr(done));
}

}  // namespace seekroute
