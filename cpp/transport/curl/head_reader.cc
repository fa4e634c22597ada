#include "transport/curl/head_reader.h"

#include <curl/curl.h>

#include <algorithm>

namespace seekroute {
namespace {

// No answer of a provider keeps it out of service for longer than this.
constexpr int64_t kMaxRetryAfterMs = int64_t{24} * 3600 * 1000;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

std::string Lowered(std::string_view text) {
  std::string lowered(text);
  std::transform(lowered.begin(), lowered.end(), lowered.begin(), Lower);
  return lowered;
}

bool EqualsLowered(std::string_view text, std::string_view lowered) {
  return std::equal(text.begin(), text.end(), lowered.begin(), lowered.end(),
                    [](char a, char b) { return Lower(a) == b; });
}

std::string_view Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// "20" or "1.5" of a unit, in milliseconds; -1 when it is not such a number.
int64_t DecimalMs(std::string_view text, int64_t unit_ms) {
  if (text.empty() || !IsDigit(text[0])) return -1;
  int64_t ms = 0;
  size_t i = 0;
  for (; i < text.size() && IsDigit(text[i]); ++i) {
    ms = std::min(ms * 10 + (text[i] - '0') * unit_ms, kMaxRetryAfterMs);
  }
  if (i == text.size()) return ms;
  if (text[i] != '.') return -1;
  for (++i; i < text.size(); ++i) {
    if (!IsDigit(text[i])) return -1;
    unit_ms /= 10;
    ms += (text[i] - '0') * unit_ms;
  }
  return std::min(ms, kMaxRetryAfterMs);
}

// Of "HTTP/1.1 200 OK"; 0 when it is not such a line.
int StatusOf(std::string_view line) {
  constexpr size_t kVersion = sizeof "HTTP/1.1 " - 1;
  if (!line.starts_with("HTTP/1.") || line.size() < kVersion + 3 || line[kVersion - 1] != ' ') {
    return 0;
  }
  int status = 0;
  for (const char c : line.substr(kVersion, 3)) {
    if (!IsDigit(c)) return 0;
    status = status * 10 + (c - '0');
  }
  return status;
}

}  // namespace

void HeadReader::Reset() {
  bytes_ = 0;
  done_ = false;
  Forget();
}

HeadReader::Step HeadReader::Add(std::string_view line) {
  bytes_ += line.size();
  if (bytes_ > max_bytes_) return Step::kTooLarge;
  if (done_) return Step::kMore;
  if (line.starts_with("HTTP/")) {
    Forget();  // what an interim head said
    head_.status = StatusOf(line);
    const bool valid = head_.status >= 100 && head_.status <= 599 && head_.status != 101;
    return valid ? Step::kMore : Step::kInvalid;
  }
  if (!Trimmed(line).empty()) {
    Field(line);
    return Step::kMore;
  }
  if (head_.status < 200) return Step::kMore;
  head_.retry_after_ms = RetryAfterMs();
  done_ = true;
  return Step::kFinal;
}

void HeadReader::Forget() {
  head_ = {};
  retry_after_ms_ = -1;
  retry_after_.clear();
  date_.clear();
}

void HeadReader::Field(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = Trimmed(line.substr(colon + 1));
  if (EqualsLowered(name, "content-type")) {
    head_.content_type = Lowered(Trimmed(value.substr(0, value.find(';'))));
  } else if (EqualsLowered(name, "content-encoding")) {
    head_.content_encoding = Lowered(value);
  } else if (EqualsLowered(name, "retry-after-ms")) {
    retry_after_ms_ = DecimalMs(value, 1);
  } else if (EqualsLowered(name, "retry-after")) {
    retry_after_ = value;
  } else if (EqualsLowered(name, "date")) {
    date_ = value;
  }
}

int64_t HeadReader::RetryAfterMs() const {
  if (retry_after_ms_ >= 0) return retry_after_ms_;
  if (retry_after_.empty()) return -1;
  const int64_t ms = DecimalMs(retry_after_, 1000);
  if (ms >= 0) return ms;
  // A date is measured from the response's own Date: the two clocks need not agree.
  if (date_.empty()) return -1;
  const time_t until = curl_getdate(retry_after_.c_str(), nullptr);
  const time_t sent = curl_getdate(date_.c_str(), nullptr);
  if (until < 0 || sent < 0) return -1;
  const int64_t seconds = std::clamp<int64_t>(until - sent, 0, kMaxRetryAfterMs / 1000);
  return seconds * 1000;
}

}  // namespace seekroute
