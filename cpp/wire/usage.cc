#include "wire/usage.h"

#include <algorithm>
#include <array>

#include "wire/json/json.h"
#include "wire/json/json_scan.h"

namespace seekroute {
namespace {

using Count = std::optional<int64_t>;

constexpr int64_t kMaxCount = int64_t{1} << 53;

void TakeMax(Count* mine, const Count& other) {
  if (other) *mine = std::max(mine->value_or(0), *other);
}

constexpr std::array kCounts = {
    &Usage::prompt,
    &Usage::completion,
    &Usage::total,
    &Usage::cached,
    &Usage::cache_write,
    &Usage::cache_write_1h,
    &Usage::audio_prompt,
    &Usage::audio_cached,
    &Usage::image_prompt,
    &Usage::reasoning,
    &Usage::audio_completion,
    &Usage::image_completion,
    &Usage::accepted_predictions,
    &Usage::rejected_predictions,
    &Usage::images,
};
constexpr std::array kReadings = {
    &UsageReading::input,
    &UsageReading::output,
    &UsageReading::cache_miss,
    &UsageReading::write_5m,
};

// Where a count may stand.
enum class Place : uint8_t { kTop, kPrompt, kCompletion, kCached, kWritten, kNowhere };

struct Spelling {
  Place place;
  std::string_view key;
  Count Usage::*count;
  bool apart = false;  // Anthropic's own spelling
};

// OpenAI, OpenRouter, DeepSeek, Moonshot, Anthropic, xAI, Gemini, Alibaba, Perplexity.
constexpr std::array kSpellings = {
    Spelling{Place::kTop, "prompt_tokens", &Usage::prompt},
    Spelling{Place::kTop, "completion_tokens", &Usage::completion},
    Spelling{Place::kTop, "total_tokens", &Usage::total},
    Spelling{Place::kTop, "cached_tokens", &Usage::cached},
    Spelling{Place::kTop, "prompt_cache_hit_tokens", &Usage::cached},
    Spelling{Place::kTop, "cached_prompt_text_tokens", &Usage::cached},
    Spelling{Place::kTop, "cache_read_input_tokens", &Usage::cached, true},
    Spelling{Place::kTop, "cache_creation_input_tokens", &Usage::cache_write, true},
    Spelling{Place::kTop, "reasoning_tokens", &Usage::reasoning},
    Spelling{Place::kTop, "thoughts_tokens", &Usage::reasoning},
    Spelling{Place::kPrompt, "cached_tokens", &Usage::cached},
    Spelling{Place::kPrompt, "cache_read_input_tokens", &Usage::cached},
    Spelling{Place::kPrompt, "cache_write_tokens", &Usage::cache_write},
    Spelling{Place::kPrompt, "cache_creation_tokens", &Usage::cache_write},
    Spelling{Place::kPrompt, "cache_creation_input_tokens", &Usage::cache_write},
    Spelling{Place::kPrompt, "audio_tokens", &Usage::audio_prompt},
    Spelling{Place::kPrompt, "image_tokens", &Usage::image_prompt},
    Spelling{Place::kCached, "audio_tokens", &Usage::audio_cached},
    Spelling{Place::kWritten, "ephemeral_1h_input_tokens", &Usage::cache_write_1h},
    Spelling{Place::kCompletion, "reasoning_tokens", &Usage::reasoning},
    Spelling{Place::kCompletion, "thinking_tokens", &Usage::reasoning},
    Spelling{Place::kCompletion, "thoughts_tokens", &Usage::reasoning},
    Spelling{Place::kCompletion, "audio_tokens", &Usage::audio_completion},
    Spelling{Place::kCompletion, "image_tokens", &Usage::image_completion},
    Spelling{Place::kCompletion, "accepted_prediction_tokens", &Usage::accepted_predictions},
    Spelling{Place::kCompletion, "rejected_prediction_tokens", &Usage::rejected_predictions},
};

struct RawSpelling {
  Place place;
  std::string_view key;
  Count UsageReading::*count;
};
constexpr std::array kRawSpellings = {
    RawSpelling{Place::kTop, "input_tokens", &UsageReading::input},
    RawSpelling{Place::kTop, "output_tokens", &UsageReading::output},
    RawSpelling{Place::kTop, "prompt_cache_miss_tokens", &UsageReading::cache_miss},
    RawSpelling{Place::kWritten, "ephemeral_5m_input_tokens", &UsageReading::write_5m},
};

// A word at which a count is read, or objects with counts in them; each is a bit of a set.
constexpr std::array kContainers = {
    std::string_view("prompt_tokens_details"),
    std::string_view("input_tokens_details"),
    std::string_view("completion_tokens_details"),
    std::string_view("output_tokens_details"),
    std::string_view("cache_creation"),
    std::string_view("cached_tokens_details"),
};
static_assert(kSpellings.size() + kRawSpellings.size() + kContainers.size() <= 64);

// The place that the members of the object `key` in `outer` have.
Place Inside(Place outer, std::string_view key) {
  const bool top = outer == Place::kTop;
  if (top && (key == "prompt_tokens_details" || key == "input_tokens_details")) {
    return Place::kPrompt;
  }
  if (top && (key == "completion_tokens_details" || key == "output_tokens_details")) {
    return Place::kCompletion;
  }
  if ((top || outer == Place::kPrompt) && key == "cache_creation") return Place::kWritten;
  if (outer == Place::kPrompt && key == "cached_tokens_details") return Place::kCached;
  return Place::kNowhere;
}

class UsageSink : public JsonSink {
 public:
  Step OnOpen(const JsonPlace& place, JsonType type) override {
    if (place.depth() == 0) return type == JsonType::kObject ? Step::kEnter : Step::kSkip;
    if (CountFor(place) != nullptr) reading_.odd = true;
    if (!IsContainer(place) || type != JsonType::kObject) return Step::kSkip;
    seen_.at(static_cast<size_t>(place.depth())) = 0;
    return Step::kEnter;
  }
  bool OnClose(const JsonPlace&, const JsonValue&) override { return true; }

  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
    if (place.depth() == 0) return true;
    Count* const count = CountFor(place);
    if (count == nullptr) {
      IsContainer(place);  // a null in its place counts as one
      return true;
    }
    if (value.type == JsonType::kNull) return true;
    Count number;
    if (value.type == JsonType::kNumber) number = ReadInteger(value.text);
    if (!number || *number < 0 || *number > kMaxCount) {
      reading_.odd = true;
      return true;
    }
    TakeMax(count, number);
    return true;
  }

  const UsageReading& reading() const { return reading_; }

 private:
  // Of the members at `depth`. Only known objects are entered, so the chain is short.
  static Place PlaceAt(const JsonPlace& place, int depth) {
    Place found = Place::kTop;
    for (int level = 1; level < depth; ++level) found = Inside(found, place.key(level));
    return found;
  }

  Count* CountFor(const JsonPlace& place) {
    const Place where = PlaceAt(place, place.depth());
    const std::string_view key = place.key();
    size_t word = 0;
    for (const Spelling& spelling : kSpellings) {
      if (spelling.place == where && spelling.key == key) {
        NoteWord(place, word);
        reading_.cache_apart = reading_.cache_apart || spelling.apart;
        return &(reading_.counts.*spelling.count);
      }
      ++word;
    }
    for (const RawSpelling& spelling : kRawSpellings) {
      if (spelling.place == where && spelling.key == key) {
        NoteWord(place, word);
        return &(reading_.*spelling.count);
      }
      ++word;
    }
    return nullptr;
  }

  bool IsContainer(const JsonPlace& place) {
    if (Inside(PlaceAt(place, place.depth()), place.key()) == Place::kNowhere) return false;
    const auto found = std::find(kContainers.begin(), kContainers.end(), place.key());
    NoteWord(place, kSpellings.size() + kRawSpellings.size() +
                        static_cast<size_t>(found - kContainers.begin()));
    return true;
  }

  // Which of two that stand in one object is right, nobody knows.
  void NoteWord(const JsonPlace& place, size_t word) {
    uint64_t& seen = seen_.at(static_cast<size_t>(place.depth() - 1));
    const uint64_t bit = uint64_t{1} << word;
    if ((seen & bit) != 0) reading_.odd = true;
    seen |= bit;
  }

  UsageReading reading_;
  // Of the open objects: the words that stand in each. No known object is deeper than three.
  std::array<uint64_t, 4> seen_{};
};

// Adds to `prompt` and `completion` what the total says stands outside of them.
void HeedTotal(Usage* usage) {
  if (!usage->complete() || !usage->total) return;
  const int64_t cache = usage->cached.value_or(0) + usage->cache_write.value_or(0);
  const int64_t reasoning = usage->reasoning.value_or(0);
  const int64_t gap = *usage->total - *usage->prompt - *usage->completion;
  if (gap <= 0) return;
  if (gap == reasoning) {
    *usage->completion += reasoning;
  } else if (gap == cache) {
    *usage->prompt += cache;
  } else if (gap == cache + reasoning) {
    *usage->prompt += cache;
    *usage->completion += reasoning;
  } else if (!usage->reasoning) {
    usage->reasoning = gap;
    *usage->completion += gap;
  }
}

}  // namespace

bool UsageReading::IsEmpty() const {
  return std::none_of(kCounts.begin(), kCounts.end(),
                      [this](auto count) { return (counts.*count).has_value(); }) &&
         std::none_of(kReadings.begin(), kReadings.end(),
                      [this](auto count) { return (this->*count).has_value(); });
}

void UsageReading::MergeMax(const UsageReading& other) {
  for (const auto count : kCounts) TakeMax(&(counts.*count), other.counts.*count);
  for (const auto count : kReadings) TakeMax(&(this->*count), other.*count);
  cache_apart = cache_apart || other.cache_apart;
  odd = odd || other.odd;
}

Usage UsageReading::Counts() const {
  Usage usage = counts;
  if (write_5m || usage.cache_write_1h) {
    TakeMax(&usage.cache_write, write_5m.value_or(0) + usage.cache_write_1h.value_or(0));
  }
  if (!usage.prompt && input) {
    usage.prompt = *input;
    if (cache_apart) *usage.prompt += usage.cached.value_or(0) + usage.cache_write.value_or(0);
  }
  if (!usage.prompt && usage.cached && cache_miss) usage.prompt = *usage.cached + *cache_miss;
  if (!usage.completion) usage.completion = output;
  HeedTotal(&usage);
  return usage;
}

UsageReading ParseUsage(std::string_view json) {
  UsageSink sink;
  if (!ScanJson(json, JsonKeys::kAny, &sink)) {
    UsageReading nothing;
    nothing.odd = true;
    return nothing;
  }
  return sink.reading();
}

bool IsTierName(std::string_view text) {
  constexpr size_t kMostBytes = 32;
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  return text.size() <= kMostBytes && std::all_of(text.begin(), text.end(), is_allowed);
}

}  // namespace seekroute
