// What one endpoint charges: rates by class of use, by service tier, date, hour and prompt length.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "base/time.h"

namespace seekroute {

// The classes that use is split into. They are disjoint: a token, request or image is in one.
enum class PriceClass : uint8_t {
  kInput,           // prompt tokens of none of the classes below
  kCacheRead,       // prompt tokens read from the provider's cache
  kCacheWrite,      // prompt tokens written to it for its usual time
  kCacheWrite1h,    // the same, for an hour
  kAudioInput,      // audio of the prompt
  kAudioCacheRead,  // the same, read from the cache
  kImageInput,      // tokens of images in the prompt
  kOutput,          // completion tokens of none of the classes below
  kReasoning,       // tokens of hidden or shown reasoning
  kAudioOutput,     // audio of the answer
  kImageOutput,     // tokens of images in the answer
  kPerImage,        // generated images, where they are sold by the piece
  kPerRequest,      // an answered request
};
inline constexpr size_t kPriceClassCount = 13;

// "input", "cache_read", ...: what configuration calls the rate of a class.
std::string_view NameOf(PriceClass c);

// One value a class, in the order of PriceClass.
template <typename T>
struct ByPriceClass {
  std::array<T, kPriceClassCount> values{};
  constexpr T& operator[](PriceClass c) { return values[static_cast<size_t>(c)]; }
  constexpr const T& operator[](PriceClass c) const { return values[static_cast<size_t>(c)]; }
};
using Rates = ByPriceClass<Rate>;

// The rates of a whole request whose prompt has more than `above` tokens.
struct PriceTier {
  int64_t above = 0;
  Rates rates;
};

// Rates and the conditions under which they hold. A condition left at its default always holds.
struct PriceVariant {
  std::string service_tier;  // as named in the answer, letter by letter
  UnixSeconds from;          // first instant; 0: since ever
  UnixSeconds until;         // first instant after; 0: for ever
  int32_t day_start = 0;     // minutes of the UTC day, half open; start > end wraps midnight;
  int32_t day_end = 0;       // both equal: the whole day
  Rates rates;
  std::vector<PriceTier> tiers;  // by rising `above`

  bool HoldsAt(UnixSeconds now, std::string_view tier) const;

  // The last tier that `prompt_tokens` is above, or null: the base rates.
  const PriceTier* TierFor(int64_t prompt_tokens) const;
};

// Immutable and thread-safe; shared by every exchange that started under it.
class PriceTable {
 public:
  struct Parts {
    std::string revision;    // opaque; kept with every row that it priced
    int32_t markup_bps = 0;  // of the operator, in 1/100 percent of the provider's price
    std::vector<PriceVariant> variants;  // the first that holds is taken
  };

  static constexpr size_t kMaxRevisionBytes = 64;
  static constexpr size_t kMaxVariants = 64;
  static constexpr size_t kMaxTiers = 16;
  static constexpr int32_t kMinMarkupBps = -10'000;  // free of charge
  static constexpr int32_t kMaxMarkupBps = 10'000'000;

  // Fails with kInvalidValue, the place in `param`, unless: the revision is not longer than
  // kMaxRevisionBytes, the markup is in range, there are 1 to kMaxVariants variants of which the
  // last has no condition, windows are in the day and dates in order, and every list of tiers
  // rises and has at most kMaxTiers.
  static Result<std::shared_ptr<const PriceTable>> Make(Parts parts);

  // One variant without conditions.
  static std::shared_ptr<const PriceTable> Flat(const Rates& rates);

  // The first variant that holds. Never fails: the last always does.
  size_t IndexAt(UnixSeconds now, std::string_view service_tier) const;
  const PriceVariant& variant(size_t index) const { return parts_.variants[index]; }
  size_t variants() const { return parts_.variants.size(); }

  const std::string& revision() const { return parts_.revision; }
  int32_t markup_bps() const { return parts_.markup_bps; }

 private:
  explicit PriceTable(Parts parts) : parts_(std::move(parts)) {}

  const Parts parts_;
};

}  // namespace seekroute
