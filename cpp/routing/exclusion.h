// Why an endpoint is not asked: one word each, and the sentence for clients.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace seekroute {

// In the order in which they are looked at: the first that holds is told.
enum class Excluded : uint8_t {
  kConfigured,  // no_key, disabled, dialect: by the configuration
  kNeed,        // its dialect cannot say the request
  kNotAllowed,
  kOnly,
  kIgnored,
  kFallbackOff,
  kRegion,
  kDataCollection,
  kZdr,
  kQuantization,
  kNotFree,
  kInput,
  kOutput,
  kTools,
  kStructuredOutput,
  kReasoning,
  kLogprobs,
  kChoices,
  kParameter,
  kContext,
  kMaxOutput,
  kMaxPrice,
  kPriceJump,
  kBudget,
  // What passes: a candidate keeps its place, and is passed over when its turn comes.
  kDeadKey,
  kEjected,
  kOutUntil,
  kUpstreamLimit,
};
inline constexpr size_t kExcludedCount = static_cast<size_t>(Excluded::kUpstreamLimit) + 1;

// A set of them. Value type.
class ExcludedSet {
 public:
  constexpr void Add(Excluded why) { bits_ |= uint32_t{1} << static_cast<int>(why); }
  constexpr void AddIf(bool holds, Excluded why) {
    bits_ |= static_cast<uint32_t>(holds) << static_cast<int>(why);
  }
  constexpr bool Has(Excluded why) const { return (bits_ >> static_cast<int>(why) & 1) != 0; }
  constexpr bool IsEmpty() const { return bits_ == 0; }
  constexpr bool HasOne() const { return bits_ != 0 && (bits_ & (bits_ - 1)) == 0; }
  // It is too short in some way, and nothing else.
  constexpr bool IsLength() const {
    constexpr uint32_t kLengths = uint32_t{1} << static_cast<int>(Excluded::kContext) |
                                  uint32_t{1} << static_cast<int>(Excluded::kMaxOutput);
    return bits_ != 0 && (bits_ & ~kLengths) == 0;
  }
  constexpr Excluded first() const { return static_cast<Excluded>(__builtin_ctz(bits_)); }

 private:
  uint32_t bits_ = 0;
};
static_assert(kExcludedCount <= 32);

struct ExcludedTraits {
  Excluded why;
  std::string_view word;
  std::string_view one;   // behind an endpoint's name, and...
  std::string_view many;  // ...behind a number of them
  bool passes = false;    // by itself: 503 in the place of 404
};
const ExcludedTraits& TraitsOf(Excluded why);
inline bool Passes(Excluded why) { return why >= Excluded::kDeadKey; }

}  // namespace seekroute
