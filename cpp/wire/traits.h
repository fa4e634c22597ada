// What of an endpoint a request may depend on, beside its dialect: by names that clients, the
// catalog and the planner share.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace seekroute {

// What is known of a yes-or-no question.
enum class Known : uint8_t { kUnknown, kYes, kNo };

// By kTraitNames.
enum class Trait : uint8_t {
  kImageInput,
  kAudioInput,
  kVideoInput,
  kFileInput,
  kAudioOutput,
  kImageOutput,
  kTools,
  kToolChoice,  // that it calls one is forced
  kStructuredOutput,
  kReasoning,
  kLogprobs,
  kChoices,  // several answers to one request
};
inline constexpr std::array<std::string_view, 12> kTraitNames = {
    "image_input", "audio_input", "video_input",       "file_input", "audio_output", "image_output",
    "tools",       "tool_choice", "structured_output", "reasoning",  "logprobs",     "choices"};
inline constexpr int kTraitCount = static_cast<int>(kTraitNames.size());

// The optional fields of a chat request that an endpoint can be known to take.
inline constexpr std::array<std::string_view, 24> kParameterNames = {"temperature",
                                                                     "top_p",
                                                                     "top_k",
                                                                     "top_a",
                                                                     "min_p",
                                                                     "frequency_penalty",
                                                                     "presence_penalty",
                                                                     "repetition_penalty",
                                                                     "seed",
                                                                     "stop",
                                                                     "n",
                                                                     "logit_bias",
                                                                     "logprobs",
                                                                     "top_logprobs",
                                                                     "response_format",
                                                                     "tools",
                                                                     "tool_choice",
                                                                     "parallel_tool_calls",
                                                                     "reasoning",
                                                                     "reasoning_effort",
                                                                     "verbosity",
                                                                     "prediction",
                                                                     "service_tier",
                                                                     "web_search_options"};

template <size_t n>
constexpr std::optional<size_t> PlaceIn(const std::array<std::string_view, n>& names,
                                        std::string_view name) {
  for (size_t i = 0; i < n; ++i) {
    if (names[i] == name) return i;
  }
  return std::nullopt;
}

// A set of places in one of the tables above. Value type.
class NameSet {
 public:
  constexpr NameSet() = default;
  constexpr explicit NameSet(uint32_t bits) : bits_(bits) {}

  constexpr void Add(size_t place) { bits_ |= uint32_t{1} << place; }
  constexpr void Add(Trait trait) { Add(static_cast<size_t>(trait)); }
  constexpr void Remove(size_t place) { bits_ &= ~(uint32_t{1} << place); }
  constexpr bool Has(size_t place) const { return ((bits_ >> place) & 1) != 0; }
  constexpr bool Has(Trait trait) const { return Has(static_cast<size_t>(trait)); }
  constexpr bool IsEmpty() const { return bits_ == 0; }
  constexpr size_t first() const { return static_cast<size_t>(__builtin_ctz(bits_)); }  // of some
  constexpr bool operator==(const NameSet&) const = default;
  friend constexpr NameSet operator&(NameSet a, NameSet b) { return NameSet(a.bits_ & b.bits_); }
  friend constexpr NameSet operator|(NameSet a, NameSet b) { return NameSet(a.bits_ | b.bits_); }
  // What is in `a` and not in `b`.
  friend constexpr NameSet operator-(NameSet a, NameSet b) { return NameSet(a.bits_ & ~b.bits_); }

 private:
  uint32_t bits_ = 0;
};
using TraitSet = NameSet;
using ParameterSet = NameSet;
static_assert(kTraitNames.size() <= 32 && kParameterNames.size() <= 32);

}  // namespace seekroute
