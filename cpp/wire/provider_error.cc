#include "wire/provider_error.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/letter_case.h"
#include "wire/json/json.h"
#include "wire/json/json_scan.h"

namespace seekroute {
namespace {

// Errors of a list that are read, and how deep one may stand.
constexpr int64_t kMaxListed = 8;
constexpr int kMaxDepth = 7;
constexpr size_t kMaxMessage = 4096;  // bytes that are looked at; more is no sentence

constexpr std::string_view kGenericMessage = "Provider returned error";  // OpenRouter's

template <typename... Words>
bool IsOneOf(std::string_view word, Words... words) {
  return ((word == words) || ...);
}

// Members whose inside may tell of the error.
bool IsContainer(std::string_view key) {
  return IsOneOf(key, "error", "errors", "innererror", "inner_error", "metadata", "detail",
                 "details", "message", "base_resp");
}

bool IsNothing(const JsonValue& value) {
  if (value.type == JsonType::kTrue) return false;
  return value.text.empty() || (value.type == JsonType::kNumber && value.text == "0");
}

// A word for no error, in a member `error`.
bool NamesNothing(std::string_view text) {
  if (text.size() > 7) return false;
  return IsOneOf(std::string_view(Lower(text)), "0", "none", "null", "ok", "success");
}

class NothingSink : public JsonSink {
 public:
  Step OnOpen(const JsonPlace&, JsonType) override { return Step::kEnter; }
  bool OnClose(const JsonPlace&, const JsonValue&) override { return true; }
  bool OnScalar(const JsonPlace&, const JsonValue& value) override {
    const bool named = NamesNothing(value.text);
    nothing = nothing && (IsNothing(value) || named);
    any_word = any_word || (named && value.type == JsonType::kString);
    return true;
  }
  bool nothing = true;
  bool any_word = false;  // for it
};

// Of a member that names a state, a type or an event: that of a failure.
bool NamesFailure(std::string_view name) {
  const std::string lower = Lower(name.substr(0, kMaxErrorName));
  return lower.find("error") != std::string::npos || lower.find("exception") != std::string::npos ||
         lower.starts_with("fail");
}

// Members that hold a sentence and nothing else.
bool IsSentence(std::string_view key) {
  return IsOneOf(key, "message", "msg", "detail", "error_message", "errorMessage", "error_msg",
                 "err_msg");
}

class ErrorSink : public JsonSink {
 public:
  ErrorSink(std::string_view text, ProviderError* found) : text_(text), found_(*found) {}

  Step OnOpen(const JsonPlace& place, JsonType type) override {
    const int depth = place.depth();
    if (depth == 0) {
      base_ = type == JsonType::kArray ? 1 : 0;
      return Step::kEnter;
    }
    if (depth >= kMaxDepth || !IsListed(place)) return Step::kSkip;
    if (!place.in_object()) return Step::kEnter;
    const std::string_view key = place.key();
    if (depth == base_ + 1) {
      has_usage_ |= key == "usage";
      has_detail_ |= key == "detail";
    }
    if (key == "loc" && type == JsonType::kArray && found_.param.empty()) {
      in_loc_ = true;
      return Step::kEnter;
    }
    if (Container(place) == "metadata") {
      found_.flagged |= IsOneOf(key, "reasons", "flagged_input");
      return Step::kSkip;
    }
    return IsContainer(key) ? Step::kEnter : Step::kSkip;
  }

  bool OnClose(const JsonPlace& place, const JsonValue& value) override {
    if (!place.in_object()) return true;
    if (place.key() == "loc") in_loc_ = false;
    if (place.depth() == base_ + 1 && place.key() == "choices") {
      // A list of none is no answer.
      const bool any = value.range.In(text_).find_first_not_of("[ \t\r\n]") != std::string::npos;
      has_choices_ |= any && value.type == JsonType::kArray;
      names_choices_ |= value.type == JsonType::kArray;
    }
    const bool is_error = place.depth() == base_ + 1 && IsOneOf(place.key(), "error", "errors");
    if (!is_error || !IsListed(place)) return true;
    NothingSink inside;
    (void)ScanJson(value.range.In(text_), JsonKeys::kAny, &inside);  // it has been scanned
    if (!inside.nothing) {
      found_.says_error = true;
    } else if (place.key() == "error" && value.type == JsonType::kObject && !inside.any_word) {
      has_empty_error_ = true;
    }
    return true;
  }

  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
    if (place.depth() <= base_ || value.type == JsonType::kNull || !IsListed(place)) return true;
    if (in_loc_) {
      AddToPath(value);
      return true;
    }
    if (!place.in_object()) return true;
    const std::string_view key = place.key();
    const std::string_view container = Container(place);
    const bool is_text = value.type == JsonType::kString;
    if (place.depth() == base_ + 1) OnTopMember(key, value);
    if (IsOneOf(key, "code", "error_code", "status", "status_code", "statusCode", "http_code",
                "http_status", "type", "error_type", "reason")) {
      OnName(key, container, value);
    } else if (is_text && key == "raw" && container == "metadata") {
      raw_ = value.text.substr(0, kMaxMessage);
    } else if (is_text && key == "flagged_input") {
      found_.flagged = true;
    } else if (is_text && key == "param" && found_.param.empty()) {
      found_.param = value.text.substr(0, kMaxErrorName + 1);
    } else if (is_text && key == "retryDelay") {
      OnDelay(value.text);
    } else if (is_text) {
      OnSentence(key, container, value.text);
    }
    return true;
  }

  // After the scan.
  void End() {
    if (has_choices_ || found_.says_error) return;
    // Without an `error`: who names a code or a status and a reason for it, instead of an answer.
    const bool told = found_.status > 0 || has_code_ || has_detail_;
    const bool coded = told && !found_.message.empty();
    // Or says it by itself; a sentence alone does, unless it belongs to something else.
    const bool empty_error = has_empty_error_ && !names_choices_;
    const bool bare = (has_sentence_ || empty_error || has_detail_) && !has_usage_ && !is_other_;
    found_.says_error = failed_ || coded || bare;
  }
  std::string TakeRaw() { return std::move(raw_); }

 private:
  // Of lists only the first few.
  bool IsListed(const JsonPlace& place) const {
    if (base_ == 1 && place.index(1) > 0) return false;
    for (int level = base_ + 1; level <= place.depth(); ++level) {
      if (place.index(level) >= kMaxListed && place.key(level).empty()) return false;
    }
    return true;
  }

  // The name of the object that the member stands in; of a list's objects the list's.
  std::string_view Container(const JsonPlace& place) const {
    for (int level = place.depth() - 1; level > base_; --level) {
      if (!place.key(level).empty()) return place.key(level);
    }
    return {};
  }

  void OnTopMember(std::string_view key, const JsonValue& value) {
    const bool nothing = IsNothing(value);
    const bool is_text = value.type == JsonType::kString && !nothing;
    if (key == "error" && !nothing && !NamesNothing(value.text)) found_.says_error = true;
    if (IsOneOf(key, "object", "type", "event") && value.text == "error") found_.says_error = true;
    const bool fine = nothing || IsOneOf(value.text, "200", "ok", "OK", "success");
    if (IsOneOf(key, "code", "error_code") && !fine) has_code_ = true;
    // What is called an error is none only where it says so.
    if (IsOneOf(key, "error_code", "error_msg", "error_message", "errorMessage") && !fine) {
      failed_ = true;
    }
    if (IsOneOf(key, "success", "ok")) Judge(value.type == JsonType::kFalse);
    if (IsOneOf(key, "code", "status", "status_code", "statusCode")) {
      if (StatusIn(value.text) > 0) Judge(true);
      if (value.text == "0" || value.text == "200") Judge(false);
    }
    if (is_text && IsOneOf(key, "type", "event", "status", "state", "object")) {
      Judge(NamesFailure(value.text));
    }
    // How a picture is looked at.
    const bool is_setting = key == "detail" && IsOneOf(value.text, "auto", "low", "high");
    if (is_text && key == "detail" && !is_setting) has_detail_ = true;
    if (is_text && IsSentence(key) && !is_setting) has_sentence_ = true;
  }

  // A member has said by itself what this is.
  void Judge(bool failure) {
    failed_ = failed_ || failure;
    is_other_ = is_other_ || !failure;
  }

  void OnName(std::string_view key, std::string_view container, const JsonValue& value) {
    const bool is_number = value.type == JsonType::kNumber;
    if (!is_number && value.type != JsonType::kString) return;
    if (container == "base_resp") {
      if (value.text == "0") return;
      found_.says_error = true;
      return AddName("base_resp:" + std::string(value.text));
    }
    if (const int status = StatusIn(value.text); status > 0) {
      if (found_.status == 0) found_.status = status;
      return;
    }
    AddName(value.text);
    if (key == "code" && found_.code.empty()) found_.code = value.text.substr(0, kMaxErrorName + 1);
  }

  void AddName(std::string_view name) {
    if (name.empty() || name.size() > kMaxErrorName) return;
    if (found_.names.size() < kMaxErrorNames) found_.names.push_back(Lower(name));
  }

  static int StatusIn(std::string_view text) {
    int status = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, status);
    if (error != std::errc{} || stop != end || text.size() != 3) return 0;
    return status >= 400 && status <= 599 ? status : 0;
  }

  // "messages[0].role" of ["body","messages",0,"role"].
  void AddToPath(const JsonValue& value) {
    if (found_.param.size() > kMaxErrorName) return;
    if (value.type == JsonType::kNumber) {
      found_.param += '[' + std::string(value.text.substr(0, kMaxErrorName)) + ']';
    } else if (value.type == JsonType::kString && value.text != "body") {
      if (!found_.param.empty()) found_.param += '.';
      found_.param += value.text.substr(0, kMaxErrorName);
    }
  }

  // "34.07s"
  void OnDelay(std::string_view text) {
    double seconds = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc{} || !(seconds >= 0) || seconds > 86'400) return;
    if (std::string_view(stop, static_cast<size_t>(text.data() + text.size() - stop)) != "s")
      return;
    found_.retry_after_ms = static_cast<int64_t>(std::ceil(seconds * 1000));
  }

  // The nearer to `error`, the better: a sentence of a better place takes a worse one's.
  void OnSentence(std::string_view key, std::string_view container, std::string_view text) {
    int rank = 0;
    if (container == "error" && key == "message") rank = 5;
    if (container.empty() && key == "error") rank = 4;
    if (container.empty() && IsSentence(key)) rank = 3;
    if (IsOneOf(container, "errors", "detail", "message") && IsOneOf(key, "message", "msg"))
      rank = 2;
    if (container == "error" && IsOneOf(key, "error", "detail", "msg")) rank = 2;
    if (container == "base_resp" && key == "status_msg") rank = 1;
    if (rank <= rank_ || text.empty()) return;
    rank_ = rank;
    found_.message = text.substr(0, kMaxMessage);
  }

  const std::string_view text_;
  ProviderError& found_;
  std::string raw_;
  int base_ = 0;  // 1 when the text is an array
  int rank_ = 0;  // of the sentence found
  bool in_loc_ = false;
  bool has_choices_ = false;    // one or more
  bool names_choices_ = false;  // or an empty list
  bool has_usage_ = false;
  bool has_empty_error_ = false;
  bool has_sentence_ = false;
  bool failed_ = false;    // a member by itself says that something failed
  bool is_other_ = false;  // or that this is no failure: a ping, a state, a success
  bool has_code_ = false;
  bool has_detail_ = false;
};

// One error that another was wrapped in.
void Unwrap(std::string raw, ProviderError* found) {
  const bool generic = found->message.empty() || found->message == kGenericMessage;
  if (raw.empty() && found->message.starts_with('{')) raw = found->message;
  if (raw.empty()) return;
  ProviderError inner;
  ErrorSink sink(raw, &inner);
  if (!ScanJson(raw, JsonKeys::kAny, &sink).ok()) {
    if (generic) found->message = std::move(raw);
    return;
  }
  if (generic || found->message == raw) {
    if (!inner.message.empty()) found->message = std::move(inner.message);
  }
  if (found->status == 0) found->status = inner.status;
  if (found->code.empty()) found->code = std::move(inner.code);
  if (found->param.empty()) found->param = std::move(inner.param);
  for (std::string& name : inner.names) {
    if (found->names.size() < kMaxErrorNames) found->names.push_back(std::move(name));
  }
}

}  // namespace

bool SaysNothing(std::string_view json) {
  NothingSink sink;
  return ScanJson(json, JsonKeys::kAny, &sink).ok() && sink.nothing;
}

ProviderError ReadProviderError(std::string_view text) {
  constexpr std::string_view kBom = "\xEF\xBB\xBF";
  if (text.starts_with(kBom)) text.remove_prefix(kBom.size());
  std::string decoded;
  if (!IsValidUtf8(text)) text = decoded = ReplaceInvalidUtf8(text);
  ProviderError found;
  ErrorSink sink(text, &found);
  if (!ScanJson(text, JsonKeys::kAny, &sink).ok()) return {};
  found.readable = true;
  sink.End();
  Unwrap(sink.TakeRaw(), &found);
  return found;
}

}  // namespace seekroute
