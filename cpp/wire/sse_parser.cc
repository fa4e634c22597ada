#include "wire/sse_parser.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "wire/json.h"
#include "wire/letter_case.h"

namespace seekroute {
namespace {

constexpr std::string_view kBom = "\xEF\xBB\xBF";
constexpr std::string_view kErrorType = "error";

bool AllDigits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Of ":HTTP_STATUS/400"; else 0.
int StatusInComment(std::string_view line) {
  constexpr std::string_view kMark = ":HTTP_STATUS/";
  if (!line.starts_with(kMark)) return 0;
  line.remove_prefix(kMark.size());
  int status = 0;
  if (line.size() != 3 || !AllDigits(line)) return 0;
  std::from_chars(line.data(), line.data() + line.size(), status);
  return status;
}

}  // namespace

bool IsErrorEvent(std::string_view type) {
  constexpr std::array kNames = {kErrorType, std::string_view("exception"),
                                 std::string_view("response.failed"),
                                 std::string_view("response.error")};
  return std::any_of(kNames.begin(), kNames.end(),
                     [type](std::string_view name) { return IsSameButForCase(type, name); });
}

SseParser::SseParser(Limits limits) : limits_(limits) {}

Status SseParser::Feed(std::string_view bytes, std::vector<SseEvent>* events) {
  if (failed_) return TooLong();
  while (at_start_ && !bytes.empty()) bytes.remove_prefix(SkipBom(bytes));

  size_t next_lf = bytes.find('\n');
  size_t at = 0;
  while (at < bytes.size()) {
    if (after_cr_) {
      after_cr_ = false;
      if (bytes[at] == '\n') {
        ++at;
        continue;
      }
    }
    // The next LF is looked up once, not once a line: a stream may use CR alone.
    if (next_lf != std::string_view::npos && next_lf < at) next_lf = bytes.find('\n', at);
    const size_t end = std::min(next_lf, bytes.size());
    const size_t line_end = std::min(bytes.substr(at, end - at).find('\r'), end - at) + at;
    const std::string_view piece = bytes.substr(at, line_end - at);
    if (line_.size() + piece.size() > limits_.max_line) return TooLong();
    if (line_end == bytes.size()) {
      line_ += piece;
      break;
    }
    after_cr_ = bytes[line_end] == '\r';
    at = line_end + 1;
    bool fits;
    if (line_.empty()) {
      fits = EndLine(piece, events);
    } else {
      line_ += piece;
      fits = EndLine(line_, events);
      line_.clear();
    }
    if (!fits) return TooLong();
  }
  return {};
}

// Returns how many bytes of a leading byte order mark were taken; ends the start once it is known
// whether there is one.
size_t SseParser::SkipBom(std::string_view bytes) {
  if (bytes[0] == kBom[bom_seen_]) {
    if (++bom_seen_ == kBom.size()) at_start_ = false;
    return 1;
  }
  // It only looked like one: what was taken belongs to the first line.
  line_ = kBom.substr(0, bom_seen_);
  at_start_ = false;
  return 0;
}

Status SseParser::TooLong() {
  failed_ = true;
  line_ = std::string();
  data_ = std::string();
  return MakeError(ErrorCode::kBadUpstreamResponse,
                   "the provider's event stream has a line or an event that is too long");
}

bool SseParser::EndLine(std::string_view line, std::vector<SseEvent>* events) {
  if (line.empty()) {
    Dispatch(events);
    return true;
  }
  if (line[0] == ':') {
    if (const int status = StatusInComment(line); status > 0) http_status_ = status;
    return true;
  }
  // Line ends are ASCII, so decoding line by line is decoding the stream.
  std::string decoded;
  if (!IsValidUtf8(line)) line = decoded = ReplaceInvalidUtf8(line);

  const size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value;
  if (colon != std::string_view::npos) value = line.substr(colon + 1);
  if (!value.empty() && value[0] == ' ') value.remove_prefix(1);

  if (field == "data") {
    if (data_.size() + value.size() + 1 > limits_.max_event) return false;
    if (has_data_) data_ += '\n';
    data_ += value;
    has_data_ = true;
  } else if (field == "event") {
    type_ = value;
  } else if (IsSameButForCase(field, kErrorType)) {
    if (value.size() > limits_.max_event) return false;
    if (has_data_) Dispatch(events);
    type_ = kErrorType;
    data_ = value;
    has_data_ = true;
    Dispatch(events);
  } else if (field == "id") {
    if (value.find('\0') == std::string_view::npos) pending_id_ = value;
  } else if (field == "retry" && AllDigits(value)) {
    int64_t retry = 0;
    const bool fits =
        std::from_chars(value.data(), value.data() + value.size(), retry).ec == std::errc{};
    if (fits) retry_ms_ = retry;
  }
  return true;
}

void SseParser::Dispatch(std::vector<SseEvent>* events) {
  last_event_id_ = pending_id_;
  if (has_data_ || type_ == kErrorType) {
    if (type_.empty()) type_ = "message";
    events->push_back({std::move(type_), std::move(data_), last_event_id_, http_status_});
  }
  http_status_ = 0;
  type_.clear();
  data_.clear();
  has_data_ = false;
}

}  // namespace seekroute
