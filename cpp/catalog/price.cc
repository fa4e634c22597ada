#include "catalog/price.h"

#include <utility>

namespace seekroute {
namespace {

constexpr int32_t kMinutesADay = 24 * 60;
constexpr int64_t kSecondsADay = int64_t{kMinutesADay} * 60;

constexpr std::array<std::string_view, kPriceClassCount> kNames = {
    "input",       "cache_read",       "cache_write",  "cache_write_1h",
    "audio_input", "audio_cache_read", "image_input",  "output",
    "reasoning",   "audio_output",     "image_output", "per_image",
    "per_request",
};

bool InDay(int32_t minute) { return minute >= 0 && minute <= kMinutesADay; }

Error Bad(std::string path, std::string_view why) {
  std::string message = path + ": " + std::string(why);
  return MakeError(ErrorCode::kInvalidValue, std::move(message), std::move(path));
}

Status CheckVariant(const PriceVariant& variant, const std::string& path) {
  if (!InDay(variant.day_start)) return Bad(path + ".day_start", "expected minutes of a day");
  if (!InDay(variant.day_end)) return Bad(path + ".day_end", "expected minutes of a day");
  if (variant.until.s != 0 && variant.until <= variant.from) {
    return Bad(path + ".until", "expected an instant after `from`");
  }
  if (variant.tiers.size() > PriceTable::kMaxTiers) return Bad(path + ".tiers", "too many");
  int64_t below = 0;
  for (size_t i = 0; i < variant.tiers.size(); ++i) {
    if (variant.tiers[i].above <= below) {
      return Bad(path + ".tiers[" + std::to_string(i) + "].above",
                 "expected tiers by rising threshold, the first above 0");
    }
    below = variant.tiers[i].above;
  }
  return {};
}

bool IsUnconditional(const PriceVariant& variant) {
  return variant.service_tier.empty() && variant.from.s == 0 && variant.until.s == 0 &&
         variant.day_start == variant.day_end;
}

}  // namespace

std::string_view NameOf(PriceClass c) { return kNames[static_cast<size_t>(c)]; }

bool PriceVariant::HoldsAt(UnixSeconds now, std::string_view tier) const {
  if (!service_tier.empty() && service_tier != tier) return false;
  if (from.s != 0 && now < from) return false;
  if (until.s != 0 && now >= until) return false;
  if (day_start == day_end) return true;
  // Of an instant before 1970 the remainder is negative.
  const int64_t second = (now.s % kSecondsADay + kSecondsADay) % kSecondsADay;
  const auto minute = static_cast<int32_t>(second / 60);
  if (day_start < day_end) return minute >= day_start && minute < day_end;
  return minute >= day_start || minute < day_end;
}

const PriceTier* PriceVariant::TierFor(int64_t prompt_tokens) const {
  const PriceTier* found = nullptr;
  for (const PriceTier& tier : tiers) {
    if (prompt_tokens > tier.above) found = &tier;
  }
  return found;
}

Result<std::shared_ptr<const PriceTable>> PriceTable::Make(Parts parts) {
  if (parts.revision.size() > kMaxRevisionBytes) return Bad("revision", "too long");
  if (parts.markup_bps < kMinMarkupBps || parts.markup_bps > kMaxMarkupBps) {
    return Bad("markup_bps", "expected -10000 (free) to 10000000 basis points");
  }
  if (parts.variants.empty()) return Bad("variants", "expected at least one");
  if (parts.variants.size() > kMaxVariants) return Bad("variants", "too many");
  for (size_t i = 0; i < parts.variants.size(); ++i) {
    Status checked = CheckVariant(parts.variants[i], "variants[" + std::to_string(i) + "]");
    if (!checked) return std::move(checked.error());
  }
  if (!IsUnconditional(parts.variants.back())) {
    return Bad("variants[" + std::to_string(parts.variants.size() - 1) + "]",
               "the last variant must have no condition, so that one always holds");
  }
  return std::shared_ptr<const PriceTable>(new PriceTable(std::move(parts)));
}

std::shared_ptr<const PriceTable> PriceTable::Flat(const Rates& rates) {
  Parts parts;
  parts.variants.emplace_back().rates = rates;
  return std::shared_ptr<const PriceTable>(new PriceTable(std::move(parts)));
}

size_t PriceTable::IndexAt(UnixSeconds now, std::string_view service_tier) const {
  const size_t last = parts_.variants.size() - 1;
  for (size_t i = 0; i < last; ++i) {
    if (parts_.variants[i].HoldsAt(now, service_tier)) return i;
  }
  return last;
}

}  // namespace seekroute
