#include "wire/provider_error.h"

#include <string>
#include <vector>

#include "wire/error_body.h"
#include "wire/json.h"
#include "wire/json_scan.h"

namespace seekroute {
namespace {

using enum ErrorCode;

// What was found of {"error":{"message","type","code"}}, {"error":"..."}, {"message"}, {"detail"},
// {"detail":[{"msg"}]}, or of the first of an array of such.
class ProviderErrorSink : public JsonSink {
 public:
  Step OnOpen(const JsonPlace& place, JsonType type) override {
    const int depth = place.depth() - base_;
    if (place.depth() == 0) {
      base_ = type == JsonType::kArray ? 1 : 0;
      return Step::kEnter;
    }
    if (base_ == 1 && place.index(1) > 0) return Step::kSkip;
    if (depth == 0) return Step::kEnter;
    const std::string_view key = place.key(base_ + 1);
    if (depth == 1 && key == "error") {
      has_error = true;
      return Step::kEnter;
    }
    return key == "detail" && depth <= 2 ? Step::kEnter : Step::kSkip;
  }
  bool OnClose(const JsonPlace&, const JsonValue&) override { return true; }

  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
    const int depth = place.depth() - base_;
    if (depth <= 0 || value.type == JsonType::kNull) return true;
    const std::string_view outer = place.key(base_ + 1);
    const std::string_view key = place.in_object() ? place.key() : std::string_view();
    const bool is_text = value.type == JsonType::kString;
    if (depth == 1) {
      if (key == "error") has_error = true;
      if (is_text && key == "error") message = value.text;
      if (is_text && (key == "message" || key == "detail") && message.empty()) message = value.text;
      if (key == "object" && value.text == "error") has_error = true;
      if (key == "code") Note(value);
    } else if (depth == 2 && outer == "error") {
      if (is_text && key == "message") message = value.text;
      if (key == "code" || key == "type" || key == "status") Note(value);
    } else if (depth == 3 && outer == "detail" && is_text && key == "msg" && message.empty()) {
      message = value.text;
    }
    return true;
  }

  std::string message;
  ErrorCode code = kUpstreamError;
  bool has_error = false;

 private:
  void Note(const JsonValue& value) {
    const std::string_view word = value.text;
    for (const std::string_view limited :
         {"429", "rate_limit_error", "rate_limit_exceeded", "rate_limited", "RESOURCE_EXHAUSTED"}) {
      if (word == limited) code = kUpstreamRateLimited;
    }
    for (const std::string_view busy :
         {"503", "529", "overloaded_error", "overloaded", "service_unavailable", "UNAVAILABLE"}) {
      if (word == busy) code = kUpstreamUnavailable;
    }
  }

  int base_ = 0;  // 1 when the body is an array
};

ProviderErrorSink Read(std::string_view body, bool* readable) {
  ProviderErrorSink sink;
  *readable = ScanJson(body, JsonKeys::kAny, &sink).ok();
  return sink;
}

Error ErrorFrom(const ProviderErrorSink& sink) {
  const std::string said = SanitizeUpstreamText(sink.message, {});
  return MakeError(sink.code, said.empty() ? "the provider answered with an error"
                                           : "the provider answered with an error: " + said);
}

}  // namespace

Error ReadProviderError(std::string_view body) {
  bool readable = false;
  return ErrorFrom(Read(body, &readable));
}

std::optional<Error> FindProviderError(std::string_view body) {
  bool readable = false;
  const ProviderErrorSink sink = Read(body, &readable);
  if (!readable || !sink.has_error) return std::nullopt;
  return ErrorFrom(sink);
}

std::string UpstreamMessage(std::string_view body, const std::vector<const Secret*>& secrets) {
  bool readable = false;
  std::string decoded;
  if (!IsValidUtf8(body)) body = decoded = ReplaceInvalidUtf8(body);
  const ProviderErrorSink sink = Read(body, &readable);
  return readable ? SanitizeUpstreamText(sink.message, secrets) : std::string();
}

}  // namespace seekroute
