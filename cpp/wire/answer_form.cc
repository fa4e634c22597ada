#include "wire/answer_form.h"

#include <algorithm>
#include <iterator>

#include "base/white_space.h"
#include "wire/json/json.h"

namespace seekroute {
namespace {

constexpr std::string_view kBom = "\xEF\xBB\xBF";
constexpr size_t kMaxTypeName = 64;

// The form of what begins with `text`, which is not empty and begins with no white space.
AnswerForm FormOf(std::string_view text, bool labelled_events) {
  if (text[0] == ':') return AnswerForm::kEvents;
  for (const std::string_view field : {"data:", "event:", "id:", "retry:"}) {
    if (text.starts_with(field)) return AnswerForm::kEvents;
    if (field.starts_with(text)) return AnswerForm::kUnknown;
  }
  const bool other = std::string_view("{[<").find(text[0]) != std::string_view::npos;
  return labelled_events && !other ? AnswerForm::kEvents : AnswerForm::kWhole;
}

// Content types are the provider's words; those of this alphabet may be shown.
bool IsTypeName(std::string_view type) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
           c == '-' || c == '+' || c == '.' || c == '_';
  };
  return !type.empty() && type.size() <= kMaxTypeName &&
         std::all_of(type.begin(), type.end(), is_allowed);
}

}  // namespace

AnswerForm FormSniffer::Look(std::string_view begun, bool labelled_events) {
  if (form_ != AnswerForm::kUnknown) return form_;
  if (blank_ == 0) {
    if (begun.starts_with(kBom)) {
      blank_ = kBom.size();
    } else if (kBom.starts_with(begun)) {
      return form_;
    }
  }
  while (blank_ < begun.size() && IsSpace(begun[blank_])) ++blank_;
  if (blank_ == begun.size()) return form_;
  form_ =
      begun[blank_] == '{' ? LookAtObject(begun) : FormOf(begun.substr(blank_), labelled_events);
  return form_;
}

// What is written over several lines is one answer, and so is what stands alone.
AnswerForm FormSniffer::LookAtObject(std::string_view begun) {
  if (!line_whole_) {
    looked_ = std::max(looked_, blank_);
    const size_t end = begun.find('\n', looked_);
    looked_ = begun.size();
    if (end == std::string_view::npos) return AnswerForm::kUnknown;
    const std::string_view line = begun.substr(blank_, end - blank_);
    if (!IsProvidersJson(line)) return AnswerForm::kWhole;
    // In a string of the answer these quotes would be escaped.
    if (line.find("\"chat.completion.chunk\"") != std::string_view::npos)
      return AnswerForm::kEvents;
    line_whole_ = true;
    looked_ = end;
  }
  while (looked_ < begun.size() && IsSpace(begun[looked_])) ++looked_;
  return looked_ < begun.size() ? AnswerForm::kEvents : AnswerForm::kUnknown;
}

std::string NameOfEncoding(std::string_view encodings) {
  constexpr std::string_view kNone[] = {"", "identity", "none", "utf-8", "utf8", "aws-chunked"};
  while (!encodings.empty()) {
    const size_t comma = std::min(encodings.find(','), encodings.size());
    std::string_view name = encodings.substr(0, comma);
    encodings.remove_prefix(std::min(comma + 1, encodings.size()));
    name = Trim(name);
    if (std::find(std::begin(kNone), std::end(kNone), name) != std::end(kNone)) continue;
    return IsTypeName(name) ? "compressed as " + std::string(name) : "compressed in an unknown way";
  }
  return {};
}

std::string NameOfNoJson(std::string_view content_type, std::string_view body) {
  if (body.starts_with(kBom)) body.remove_prefix(kBom.size());
  while (!body.empty() && IsSpace(body.front())) body.remove_prefix(1);
  if (body.empty()) return "an empty body";
  if (body[0] == '{' || body[0] == '[') return {};
  const bool told = IsTypeName(content_type) &&
                    content_type.find("json") == std::string_view::npos &&
                    content_type != "text/event-stream";
  if (told) return std::string(content_type);
  return body[0] == '<' ? "HTML or XML" : "text";
}

}  // namespace seekroute
