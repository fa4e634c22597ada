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

// "827 ms", "12 s", "9 min 5 s", "2 h 10 min": rounded up to what is shown. Of no negative.
inline std::string SpanInWords(int64_t ms) {
  if (ms < 1000) return std::to_string(ms) + " ms";
  const auto two = [](int64_t number, int64_t per, const char* large, const char* small) {
    std::string text = std::to_string(number / per) + large;
    if (number % per > 0) text += ' ' + std::to_string(number % per) + small;
    return text;
  };
  const int64_t seconds = (ms + 999) / 1000;
  if (seconds < 60) return std::to_string(seconds) + " s";
  if (seconds < 3600) return two(seconds, 60, " min", " s");
  return two((seconds + 59) / 60, 60, " h", " min");
}

}  // namespace seekroute
