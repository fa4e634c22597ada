#include "wire/openai/image_request.h"

#include <array>
#include <cctype>
#include <utility>

#include "wire/json/json_scan.h"
#include "wire/json/json_writer.h"
#include "wire/openai/prompt_parts.h"
#include "wire/provider_error.h"
#include "wire/upstream_refusal.h"

namespace seekroute {
namespace {

using enum ErrorCode;

// The text of a message's content: a string, or the text parts of an array.
class WordsSink : public JsonSink {
 public:
  Step OnOpen(const JsonPlace&, JsonType) override { return Step::kEnter; }
  bool OnClose(const JsonPlace&, const JsonValue&) override { return true; }
  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
    const bool is_text = place.depth() == 0 || (place.depth() == 2 && place.key() == "text");
    if (value.type != JsonType::kString || !is_text || value.text.empty()) return true;
    if (value.lone_surrogate) {
      return Fail(kInvalidUnicode, "expected a prompt without lone surrogates", "messages");
    }
    if (!prompt.empty()) prompt += '\n';
    prompt += value.text;
    return true;
  }

  std::string prompt;
};

// Writes the client's own settings that an images call knows too, as members.
class SettingsSink : public JsonSink {
 public:
  SettingsSink(std::string_view body, JsonWriter* json) : body_(body), json_(json) {}

  Step OnOpen(const JsonPlace& place, JsonType) override {
    return place.depth() == 0 ? Step::kEnter : Step::kSkip;
  }
  bool OnClose(const JsonPlace&, const JsonValue&) override { return true; }
  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
    static constexpr auto kSettings = std::to_array<std::string_view>(
        {"n", "size", "quality", "style", "background", "seed", "user"});
    if (value.type == JsonType::kNull) return true;
    for (const std::string_view name : kSettings) {
      if (place.key() != name) continue;
      json_->KeyOf(name).Raw(value.range.In(body_));
    }
    return true;
  }

 private:
  const std::string_view body_;
  JsonWriter* const json_;
};

// {"data":[{"url"} or {"b64_json"}]}
class ImagesSink : public JsonSink {
 public:
  explicit ImagesSink(std::string_view body) : body_(body) {}

  Step OnOpen(const JsonPlace& place, JsonType type) override {
    if (place.depth() == 0) {
      is_object = type == JsonType::kObject;
      return Step::kEnter;
    }
    if (place.depth() == 1) {
      in_data_ = place.key() == "data" && type == JsonType::kArray;
      has_data = has_data || in_data_;
      return in_data_ ? Step::kEnter : Step::kSkip;
    }
    if (place.depth() == 2) {
      url_.clear();
      base64_.clear();
      return Step::kEnter;
    }
    return Step::kSkip;
  }
  bool OnClose(const JsonPlace& place, const JsonValue& value) override;
  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
    SeeError(place, value);
    if (place.depth() == 2 && in_data_) return Fail(kBadUpstreamResponse, "expected image objects");
    if (place.depth() != 3 || value.type != JsonType::kString) return true;
    if (place.key() == "url") url_ = value.text;
    if (place.key() == "b64_json") base64_ = value.text;
    return true;
  }

  std::vector<std::string> images;
  bool is_object = false;
  bool has_data = false;
  bool has_error = false;

 private:
  void SeeError(const JsonPlace& place, const JsonValue& value) {
    if (place.depth() != 1 || place.key() != "error") return;
    has_error = has_error || !SaysNothing(value.range.In(body_));
  }

  const std::string_view body_;
  bool in_data_ = false;
  std::string url_;
  std::string base64_;
};

bool StartsWith(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

bool IsImageUrl(std::string_view url) {
  if (!StartsWith(url, "https://") && !StartsWith(url, "http://") &&
      !StartsWith(url, "data:image/")) {
    return false;
  }
  for (const char c : url) {
    if (static_cast<unsigned char>(c) <= 0x20) return false;
  }
  return true;
}

bool IsBase64(std::string_view text) {
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '+' && c != '/' && c != '=') {
      return false;
    }
  }
  return !text.empty();
}

// By the first bytes, as base64 spells them.
std::string_view MediaType(std::string_view base64) {
  if (StartsWith(base64, "/9j/")) return "image/jpeg";
  if (StartsWith(base64, "UklGR")) return "image/webp";
  return "image/png";
}

bool ImagesSink::OnClose(const JsonPlace& place, const JsonValue& value) {
  SeeError(place, value);
  if (place.depth() != 2 || !in_data_) return true;
  if (IsImageUrl(url_)) {
    images.push_back(std::move(url_));
  } else if (IsBase64(base64_)) {
    std::string url = "data:";
    url += MediaType(base64_);
    url += ";base64,";
    url += base64_;
    images.push_back(std::move(url));
  } else {
    return Fail(kBadUpstreamResponse, "the provider's answer has an image without url or b64_json");
  }
  return true;
}

}  // namespace

Result<std::string> BuildImageCall(std::string_view body, const ChatRequest& request,
                                   std::string_view upstream_model) {
  WordsSink prompt;
  if (request.last_user_content) {
    const std::string_view content = request.last_user_content->In(body);
    if (Status read = ScanJson(content, JsonKeys::kAny, &prompt); !read) return read.error();
  }
  if (prompt.prompt.find_first_not_of(kPromptSpace) == std::string::npos) {
    return MakeError(kInvalidValue, "expected text in the last user message, to draw from",
                     "messages");
  }
  std::string call;
  JsonWriter json(&call);
  json.Object();
  json.Key("model").String(upstream_model);
  json.Key("prompt").String(prompt.prompt);
  SettingsSink settings(body, &json);
  if (Status read = ScanJson(body, JsonKeys::kAny, &settings); !read) return read.error();
  json.End();
  return call;
}

Result<std::vector<std::string>> ParseImageAnswer(std::string_view body) {
  ImagesSink sink(body);
  if (Status read = ScanJson(body, JsonKeys::kAny, &sink); !read) {
    if (read.error().code == kBadUpstreamResponse) return read.error();
    return MakeError(kBadUpstreamResponse,
                     "the provider's answer is not JSON: " + read.error().message);
  }
  if (sink.has_error) return ReadErrorInAnswer(body);
  if (!sink.is_object || !sink.has_data || sink.images.empty()) {
    return MakeError(kBadUpstreamResponse, "the provider's answer has no images");
  }
  return std::move(sink.images);
}

}  // namespace seekroute
