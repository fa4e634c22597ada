#include "wire/chat_prompt.h"

#include <algorithm>

#include "wire/json_scan.h"

namespace seekroute {
namespace {

// Around a message: its role and the separators of the usual templates. Once: what opens the
// answer.
constexpr TokenEstimate kMessage = {.tokens = 4, .upper = 8};
constexpr TokenEstimate kOpening = {.tokens = 3, .upper = 16};
constexpr TokenEstimate kName = {.tokens = 1, .upper = 2};
constexpr TokenEstimate kToolCall = {.tokens = 4, .upper = 12};

// An image costs by its size in tiles of 512 pixels: 85 for the whole at low detail; at high detail
// 170 more for each tile, 4 for a square of 1024 pixels and at most 8.
constexpr TokenEstimate kImageLow = {.tokens = 85, .upper = 85};
constexpr TokenEstimate kImageHigh = {.tokens = 765, .upper = 1445};

// Ten tokens a second of sound, 16 kB of which is the usual MP3; a page of a document has about a
// thousand tokens and 100 kB. Base64 is a third longer.
constexpr int64_t kAudioBytesPerToken = 2048;
constexpr int64_t kFileBytesPerToken = 128;
constexpr int64_t kMediaUpperFactor = 4;

class PromptSink : public JsonSink {
 public:
  explicit PromptSink(std::string_view body) : body_(body) { Count(kOpening); }

  TokenEstimate Estimate() const {
    const TokenEstimate text = text_.Estimate();
    return {text.tokens + counted_.tokens, text.upper + counted_.upper};
  }

  Step OnOpen(const JsonPlace& place, JsonType) override {
    switch (place.depth()) {
      case 0:
        return Step::kEnter;
      case 1:
        in_messages_ = place.key() == "messages";
        return in_messages_ ? Step::kEnter : Step::kSkip;
      case 2:
        Count(kMessage);
        return Step::kEnter;
      case 5:
        low_detail_ = false;
        return Step::kEnter;
      default:
        return Step::kEnter;
    }
  }

  bool OnClose(const JsonPlace& place, const JsonValue& value) override {
    if (place.depth() == 1) {
      AddDefinitions(place.key(), value.range.In(body_));
    } else if (place.depth() == 5 && IsContent(place) && place.key() == "image_url") {
      Count(low_detail_ ? kImageLow : kImageHigh);
    }
    return true;
  }

  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
    if (value.type != JsonType::kString || !in_messages_ || place.depth() < 3) return true;
    const std::string_view key = place.key();
    if (place.depth() == 3) {
      if (key == "name") Count(kName);
      if (key != "role" && key != "tool_call_id") AddText(value.text);
    } else if (IsContent(place)) {
      AddToPart(place, value.text);
    } else if (key == "name" || key == "arguments" || key == "input" || key == "text") {
      if (key == "name") Count(kToolCall);
      AddText(value.text);
    }
    return true;
  }

 private:
  static bool IsContent(const JsonPlace& place) { return place.key(3) == "content"; }

  void Count(const TokenEstimate& more) {
    counted_.tokens += more.tokens;
    counted_.upper += more.upper;
  }

  void CountMedia(size_t bytes, int64_t bytes_per_token) {
    const int64_t tokens = static_cast<int64_t>(bytes) / bytes_per_token + 1;
    Count({tokens, tokens * kMediaUpperFactor});
  }

  void AddText(std::string_view text) {
    text_.EndText();
    text_.Add(text);
  }

  // Templates write tool definitions and schemas as JSON or as something close to it.
  void AddDefinitions(std::string_view key, std::string_view json) {
    if (key == "tools" || key == "functions" ||
        (key == "response_format" && json.find("\"schema\"") != std::string_view::npos)) {
      AddText(json);
    }
  }

  void AddToPart(const JsonPlace& place, std::string_view text) {
    const std::string_view key = place.key();
    if (place.depth() == 5) {
      if (key == "text" || key == "refusal") AddText(text);
      if (key == "image_url") Count(kImageHigh);  // as some clients write it: only the URL
    } else if (place.depth() == 6) {
      const std::string_view part = place.key(5);
      if (part == "image_url" && key == "detail") low_detail_ = text == "low";
      if (part == "input_audio" && key == "data") CountMedia(text.size(), kAudioBytesPerToken);
      if (part == "file" && key == "file_data") CountMedia(text.size(), kFileBytesPerToken);
    }
  }

  const std::string_view body_;
  TokenEstimator text_;
  TokenEstimate counted_;
  bool in_messages_ = false;
  bool low_detail_ = false;
};

}  // namespace

TokenEstimate EstimateChatPrompt(std::string_view body) {
  PromptSink sink(body);
  if (!ScanJson(body, JsonKeys::kAny, &sink)) return EstimateTokens(body);
  return sink.Estimate();
}

}  // namespace seekroute
