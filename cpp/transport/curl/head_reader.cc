#include "transport/curl/head_reader.h"

#include <curl/curl.h>

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/letter_case.h"
#include "base/white_space.h"

namespace seekroute {
namespace {

bool EqualsLowered(std::string_view text, std::string_view lowered) {
  return std::equal(text.begin(), text.end(), lowered.begin(), lowered.end(),
                    [](char a, char b) { return LowerCase(a) == b; });
}

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

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return IsDigit(c) || IsUpper(c) || IsLower(c) ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

// Without its LF or CRLF.
std::string_view WithoutEnd(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 ? c != '\t' : c == 0x7F;
  });
}

// A reader that sees a line end, or the end of the text, in one of these sees another head.
bool EndsALineForSome(std::string_view text) {
  return text.find('\r') != std::string_view::npos || text.find('\0') != std::string_view::npos;
}

// Whether what stands before the colon says where the body ends, to a reader that passes over what
// does not belong into a name.
bool IsAboutTheEnd(std::string_view name) {
  std::string letters;
  for (const char c : name) {
    if (IsToken({&c, 1})) letters += LowerCase(c);
  }
  return letters == "content-length" || letters == "transfer-encoding";
}

}  // namespace

void HeadReader::Reset() {
  bytes_ = 0;
  done_ = false;
  expects_status_ = true;
  Forget();
}

HeadReader::Step HeadReader::Add(std::string_view line) {
  if (Exceeds(line.size())) return Step::kTooLarge;
  bytes_ += line.size();
  if (done_) return Step::kMore;
  const std::string_view text = WithoutEnd(line);
  if (EndsALineForSome(text)) return Step::kInvalid;
  if (expects_status_) {
    Forget();  // what an interim head said
    expects_status_ = false;
    return !HasControl(text) && StatusLine(text) ? Step::kMore : Step::kInvalid;
  }
  if (!Line(text)) return Step::kInvalid;
  if (!text.empty()) return Step::kMore;
  if (head_.status < 200) {
    expects_status_ = true;
    return Step::kMore;
  }
  if (!DecideFraming()) return Step::kInvalid;
  ReadTimes();
  std::string().swap(field_);
  done_ = true;
  return Step::kFinal;
}

void HeadReader::Forget() {
  head_ = {};
  framing_ = {};
  field_.clear();
  retry_after_ms_ = -1;
  retry_after_.clear();
  date_.clear();
  http10_ = false;
  close_ = false;
  keep_alive_ = false;
  idle_limit_s_ = -1;
  has_length_ = false;
  length_ = 0;
  codings_ = 0;
  chunked_ = false;
}

// "HTTP/1.1 200 OK", also without a reason.
bool HeadReader::StatusLine(std::string_view line) {
  constexpr size_t kVersion = sizeof "HTTP/1.1 " - 1;
  constexpr size_t kStatusEnd = kVersion + 3;
  if (!line.starts_with("HTTP/1.") || line.size() < kStatusEnd) return false;
  if (!IsDigit(line[kVersion - 2]) || line[kVersion - 1] != ' ') return false;
  if (line.size() > kStatusEnd && line[kStatusEnd] != ' ') return false;
  http10_ = line[kVersion - 2] == '0';
  for (const char c : line.substr(kVersion, 3)) {
    if (!IsDigit(c)) return false;
    head_.status = head_.status * 10 + (c - '0');
  }
  return head_.status >= 100 && head_.status <= 599 && head_.status != 101;
}

// The header before `line` is whole, unless `line` goes on with it. An empty one ends the head.
bool HeadReader::Line(std::string_view line) {
  if (line.starts_with(' ') || line.starts_with('\t')) return Fold(line);
  if (!field_.empty() && !Field(field_)) return false;
  field_ = line;
  return true;
}

// RFC 9112, section 5.2: a user agent puts spaces in the place of a fold. Before the first header
// there is nothing to go on with.
bool HeadReader::Fold(std::string_view line) {
  const std::string_view rest = Trim(line);
  if (rest.empty() || field_.empty()) return false;
  if (IsAboutTheEnd(std::string_view(field_).substr(0, field_.find(':')))) return false;
  field_ += ' ';
  field_ += rest;
  return true;
}

bool HeadReader::Field(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return true;
  const std::string_view name = line.substr(0, colon);
  if (!IsToken(name) || HasControl(line)) return !IsAboutTheEnd(name);
  const std::string_view value = Trim(line.substr(colon + 1));
  HandOn(name, value);
  if (EqualsLowered(name, "content-type")) {
    head_.content_type = Lower(Trim(value.substr(0, value.find(';'))));
  } else if (EqualsLowered(name, "content-length")) {
    return ContentLengths(value);
  } else if (EqualsLowered(name, "transfer-encoding")) {
    ++codings_;
    chunked_ = EqualsLowered(value, "chunked");
  } else if (EqualsLowered(name, "connection")) {
    for (std::string_view rest = value; !rest.empty();) {
      const size_t comma = std::min(rest.find(','), rest.size());
      const std::string_view option = Trim(rest.substr(0, comma));
      close_ = close_ || EqualsLowered(option, "close");
      keep_alive_ = keep_alive_ || EqualsLowered(option, "keep-alive");
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  } else if (EqualsLowered(name, "keep-alive")) {
    KeepAlive(value);
  } else if (EqualsLowered(name, "content-encoding")) {
    if (!head_.content_encoding.empty() && !value.empty()) head_.content_encoding += ", ";
    head_.content_encoding += Lower(value);
  } else if (EqualsLowered(name, "retry-after-ms")) {
    retry_after_ms_ = DecimalMs(value, 1);
  } else if (EqualsLowered(name, "retry-after")) {
    retry_after_ = value;
  } else if (EqualsLowered(name, "date")) {
    date_ = value;
  }
  return true;
}

void HeadReader::HandOn(std::string_view name, std::string_view value) {
  const auto begins = [name](std::string_view beginning) {
    return name.size() >= beginning.size() &&
           EqualsLowered(name.substr(0, beginning.size()), beginning);
  };
  if (std::ranges::none_of(wanted_, begins)) return;
  if (head_.wanted.size() >= TransportHead::kMostWanted) return;
  if (name.size() + value.size() > TransportHead::kMostWantedBytes) return;
  head_.wanted.emplace_back(Lower(name), value);
}

// RFC 9110, section 8.6: one that is repeated, in a list or a header of its own, is one.
bool HeadReader::ContentLengths(std::string_view value) {
  for (;;) {
    const size_t comma = value.find(',');
    if (!ContentLength(Trim(value.substr(0, comma)))) return false;
    if (comma == std::string_view::npos) return true;
    value.remove_prefix(comma + 1);
  }
}

// Digits only, and no two that differ: where two readers could take different ends of an answer for
// the right one, there is none.
bool HeadReader::ContentLength(std::string_view digits) {
  constexpr size_t kMaxDigits = 18;
  if (digits.empty() || digits.size() > kMaxDigits) return false;
  uint64_t length = 0;
  for (const char c : digits) {
    if (!IsDigit(c)) return false;
    length = length * 10 + static_cast<uint64_t>(c - '0');
  }
  if (std::exchange(has_length_, true) && length != length_) return false;
  length_ = length;
  return true;
}

// "timeout=5, max=100": the least timeout that is said; what is no number says nothing.
void HeadReader::KeepAlive(std::string_view value) {
  constexpr int64_t kMostSeconds = int64_t{24} * 3600;
  for (std::string_view rest = value; !rest.empty();) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view option = Trim(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const size_t equals = option.find('=');
    if (equals == std::string_view::npos ||
        !EqualsLowered(Trim(option.substr(0, equals)), "timeout")) {
      continue;
    }
    const int64_t ms = DecimalMs(Trim(option.substr(equals + 1)), 1000);
    if (ms < 0) continue;
    const int64_t seconds = std::min(ms / 1000, kMostSeconds);
    idle_limit_s_ = idle_limit_s_ < 0 ? seconds : std::min(idle_limit_s_, seconds);
  }
}

// RFC 9112, section 6.3.
bool HeadReader::DecideFraming() {
  framing_.idle_limit_s = idle_limit_s_;
  framing_.keep_alive = http10_ ? keep_alive_ && !close_ : !close_;
  if (head_.status == 204 || head_.status == 304) {
    framing_.body = Framing::Body::kNone;
    framing_.keep_alive = framing_.keep_alive && codings_ == 0;
    return true;
  }
  if (codings_ > 0) {
    if (codings_ > 1 || !chunked_) return false;  // a coding that is not asked for
    framing_.body = Framing::Body::kChunked;
    if (has_length_ || http10_) framing_.keep_alive = false;
    return true;
  }
  if (has_length_) {
    framing_.body = length_ == 0 ? Framing::Body::kNone : Framing::Body::kLength;
    framing_.length = length_;
    return true;
  }
  framing_.body = Framing::Body::kUntilClose;
  framing_.keep_alive = false;
  return true;
}

// A date takes longer to read than the rest of the head: only where something depends on it.
void HeadReader::ReadTimes() {
  const bool dated = !date_.empty() && (!head_.wanted.empty() || !retry_after_.empty());
  const time_t date = dated ? curl_getdate(date_.c_str(), nullptr) : -1;
  ReadRetryAfter({date});
  if (date > 0 && !head_.wanted.empty()) head_.date = {date};
}

// `date`: of the response; negative: unsaid.
void HeadReader::ReadRetryAfter(UnixSeconds date) {
  head_.retry_after_ms = retry_after_ms_;
  if (retry_after_ms_ >= 0 || retry_after_.empty()) return;
  head_.retry_after_ms = DecimalMs(retry_after_, 1000);
  if (head_.retry_after_ms >= 0) return;
  const time_t until = curl_getdate(retry_after_.c_str(), nullptr);
  if (until < 0) return;
  head_.retry_after_date = {until};
  // Measured from the response's own Date where it has one: the two clocks need not agree.
  if (date.s >= 0) head_.retry_after_ms = seekroute::RetryAfterMs(head_, date);
}

}  // namespace seekroute
