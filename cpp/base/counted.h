// Numbers of things, in words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace seekroute {

// "1 token", "2 tokens", "0 tokens". `one` gets an s.
inline std::string Counted(int64_t number, std::string_view one) {
  std::string text = std::to_string(number) + ' ';
  text += one;
  if (number != 1) text += 's';
  return text;
}

}  // namespace seekroute
