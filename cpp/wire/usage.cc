#include "wire/usage.h"

#include <algorithm>
#include <charconv>

#include "wire/json_scan.h"

namespace seekroute {
namespace {

constexpr int64_t kMaxCount = int64_t{1} << 53;

void TakeMax(std::optional<int64_t>* mine, const std::optional<int64_t>& other) {
  if (other) *mine = std::max(mine->value_or(0), *other);
}

// Knows the spellings of OpenAI, DeepSeek and Moonshot.
class UsageSink : public JsonSink {
 public:
  explicit UsageSink(bool* odd) : odd_(odd) {}

  Step OnOpen(const JsonPlace& place, JsonType type) override {
    if (place.depth() == 0) return type == JsonType::kObject ? Step::kEnter : Step::kSkip;
    if (CountFor(place) != nullptr) *odd_ = true;
    const bool details =
        place.depth() == 1 && type == JsonType::kObject &&
        (place.key() == "prompt_tokens_details" || place.key() == "completion_tokens_details");
    return details ? Step::kEnter : Step::kSkip;
  }
  bool OnClose(const JsonPlace&, const JsonValue&) override { return true; }

  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
    std::optional<int64_t>* const count = CountFor(place);
    if (count == nullptr || value.type == JsonType::kNull) return true;
    int64_t number = 0;
    const char* const end = value.text.data() + value.text.size();
    const auto [stop, error] = std::from_chars(value.text.data(), end, number);
    if (value.type != JsonType::kNumber || error != std::errc{} || stop != end || number < 0 ||
        number > kMaxCount) {
      *odd_ = true;
      return true;
    }
    TakeMax(count, number);
    return true;
  }

  const Usage& usage() const { return usage_; }

 private:
  std::optional<int64_t>* CountFor(const JsonPlace& place) {
    const std::string_view key = place.depth() > 0 ? place.key() : std::string_view();
    if (place.depth() == 1) {
      if (key == "prompt_tokens") return &usage_.prompt;
      if (key == "completion_tokens") return &usage_.completion;
      if (key == "total_tokens") return &usage_.total;
      if (key == "cached_tokens" || key == "prompt_cache_hit_tokens") return &usage_.cached;
    } else if (place.depth() == 2) {
      const bool prompt = place.key(1) == "prompt_tokens_details";
      if (prompt && key == "cached_tokens") return &usage_.cached;
      if (!prompt && key == "reasoning_tokens") return &usage_.reasoning;
      if (key == "audio_tokens") return prompt ? &usage_.audio_prompt : &usage_.audio_completion;
    }
    return nullptr;
  }

  bool* const odd_;
  Usage usage_;
};

void AppendMember(std::string_view name, int64_t value, std::string* out) {
  if (out->back() != '{') *out += ',';
  *out += '"';
  *out += name;
  *out += "\":";
  *out += std::to_string(value);
}

void AppendDetails(std::string_view name, std::string_view first_name,
                   const std::optional<int64_t>& first, const std::optional<int64_t>& audio,
                   std::string* out) {
  if (!first && !audio) return;
  *out += ",\"";
  *out += name;
  *out += "\":{";
  if (first) AppendMember(first_name, *first, out);
  if (audio) AppendMember("audio_tokens", *audio, out);
  *out += '}';
}

}  // namespace

bool Usage::IsEmpty() const {
  return !prompt && !completion && !total && !cached && !reasoning && !audio_prompt &&
         !audio_completion && !images;
}

void Usage::MergeMax(const Usage& other) {
  TakeMax(&prompt, other.prompt);
  TakeMax(&completion, other.completion);
  TakeMax(&total, other.total);
  TakeMax(&cached, other.cached);
  TakeMax(&reasoning, other.reasoning);
  TakeMax(&audio_prompt, other.audio_prompt);
  TakeMax(&audio_completion, other.audio_completion);
  TakeMax(&images, other.images);
}

Usage ParseUsage(std::string_view json, bool* odd) {
  UsageSink sink(odd);
  if (Status scanned = ScanJson(json, JsonKeys::kAny, &sink); !scanned) {
    *odd = true;
    return {};
  }
  return sink.usage();
}

std::string WriteUsage(const UsageReport& report) {
  const Usage& usage = report.usage;
  const int64_t prompt = usage.prompt.value_or(0);
  const int64_t completion = usage.completion.value_or(0);
  std::string out = "{";
  AppendMember("prompt_tokens", prompt, &out);
  AppendMember("completion_tokens", completion, &out);
  AppendMember("total_tokens", usage.total.value_or(prompt + completion), &out);
  AppendDetails("prompt_tokens_details", "cached_tokens", usage.cached, usage.audio_prompt, &out);
  AppendDetails("completion_tokens_details", "reasoning_tokens", usage.reasoning,
                usage.audio_completion, &out);
  if (report.cost) out += ",\"cost\":" + FormatUsd(*report.cost);
  out += '}';
  return out;
}

}  // namespace seekroute
