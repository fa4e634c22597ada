#include "wire/sse/sse_parser.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/letter_case.h"
#include "base/white_space.h"
#include "wire/json/json.h"

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

bool BeginsWithError(std::string_view text) {
  if (text.starts_with('[')) text.remove_prefix(1);
  if (text.size() < kErrorType.size()) return false;
  if (!IsSameButForCase(text.substr(0, kErrorType.size()), kErrorType)) return false;
  if (text.size() == kErrorType.size()) return true;
  const char next = text[kErrorType.size()];
  const bool goes_on = (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z') ||
                       (next >= '0' && next <= '9') || next == '_';
  return !goes_on;
}

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
  stray_ = std::string();
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
    if (!has_data_) DispatchStray(events);
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
  } else if (field != "id" && field != "retry") {
    return EndStrayLine(line, events);
  }
  return true;
}

bool SseParser::EndStrayLine(std::string_view line, std::vector<SseEvent>* events) {
  const std::string_view text = Trim(line);
  const bool first = stray_.empty();
  const bool told_at_once = text.starts_with('<') || BeginsWithError(text);
  const bool is_json = text.starts_with('{') || text.starts_with('[');
  if (first && !is_json && !told_at_once) return true;
  if (stray_.size() + line.size() + 1 > limits_.max_event) return false;
  if (!first) stray_ += '\n';
  stray_ += first ? text : line;  // what begins it is looked at with every line
  // JSON that is written over several lines ends where it began: in the first column.
  const char closer = stray_[0] == '[' ? ']' : '}';
  const bool closes = first ? text.ends_with(closer) : line.starts_with(closer);
  if ((closes || (first && told_at_once)) && !has_data_) DispatchStray(events);
  return true;
}

Status SseParser::EndOfInput(std::vector<SseEvent>* events) {
  if (failed_) return TooLong();
  if (at_start_ && bom_seen_ > 0) line_ = kBom.substr(0, bom_seen_);
  at_start_ = false;
  const std::string last = std::exchange(line_, {});
  if (!last.empty() && !EndLine(last, events)) return TooLong();
  Dispatch(events);
  return {};
}

void SseParser::Dispatch(std::vector<SseEvent>* events) {
  if (has_data_ || type_ == kErrorType) {
    if (type_.empty()) type_ = "message";
    events->push_back({std::move(type_), std::move(data_), http_status_, false});
  }
  http_status_ = 0;
  type_.clear();
  data_.clear();
  has_data_ = false;
  DispatchStray(events);
}

void SseParser::DispatchStray(std::vector<SseEvent>* events) {
  if (stray_.empty()) return;
  events->push_back({"message", std::move(stray_), http_status_, true});
  stray_.clear();
}

}  // namespace seekroute
