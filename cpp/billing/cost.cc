#include "billing/cost.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

namespace seekroute {
namespace {

using enum PriceClass;

__extension__ using Wide = unsigned __int128;

constexpr uint64_t kPicoPerNano = 1000;
constexpr int64_t kBpsOfOne = 10'000;
constexpr int64_t kMaxUnits = int64_t{1} << 53;

constexpr std::array kPromptClasses = {kInput,      kCacheRead,      kCacheWrite, kCacheWrite1h,
                                       kAudioInput, kAudioCacheRead, kImageInput};
constexpr std::array kCompletionClasses = {kOutput, kReasoning, kAudioOutput, kImageOutput,
                                           kPerImage};

// In pico-USD. At most 2^53 units of each of 13 classes at less than 2^64: under 2^121.
template <size_t n>
Wide SumOf(const std::array<PriceClass, n>& classes, const ByPriceClass<int64_t>& units,
           const Rates& rates) {
  Wide sum = 0;
  for (const PriceClass c : classes) {
    sum += static_cast<Wide>(static_cast<uint64_t>(units[c])) * rates[c].pico;
  }
  return sum;
}

Wide WithMarkup(Wide pico, int32_t bps) {
  const auto factor = static_cast<uint64_t>(kBpsOfOne + bps);
  Wide product = 0;
  return __builtin_mul_overflow(pico, factor, &product) ? ~Wide{0} : product;
}

// `amount` / `unit`, rounded up.
Money RoundUp(Wide amount, uint64_t unit) {
  constexpr auto kMostNano = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  const Wide nano = amount / unit + (amount % unit != 0 ? 1 : 0);
  return {static_cast<int64_t>(std::min<Wide>(nano, kMostNano))};
}

// Takes counts out of a whole: what does not fit is odd and left out.
class Splitter {
 public:
  Splitter(const std::optional<int64_t>& whole, bool* odd) : odd_(odd), left_(kMaxUnits) {
    left_ = Take(whole);
  }

  // As much of `count` as is left, out of it.
  int64_t Take(const std::optional<int64_t>& count) {
    const int64_t taken = Part(count, left_);
    left_ -= taken;
    return taken;
  }

  // As much of `count` as is in `whole`.
  int64_t Part(const std::optional<int64_t>& count, int64_t whole) {
    const int64_t asked = count.value_or(0);
    const int64_t part = std::clamp<int64_t>(asked, 0, whole);
    if (part != asked) *odd_ = true;
    return part;
  }

  int64_t left() const { return left_; }

 private:
  bool* const odd_;
  int64_t left_;
};

// Moves up to `most` from one count to another; returns how many.
int64_t Move(int64_t most, int64_t* from, int64_t* to) {
  const int64_t moved = std::min(most, *from);
  *from -= moved;
  *to += moved;
  return moved;
}

void SplitPrompt(const Usage& usage, Breakdown* use) {
  ByPriceClass<int64_t>& units = use->units;
  Splitter text(usage.prompt, &use->odd);
  use->prompt = text.left();
  Splitter modes = text;  // the other way of cutting the same prompt: by kind of content
  const int64_t cached = text.Take(usage.cached);
  const int64_t written = text.Take(usage.cache_write);
  int64_t audio = modes.Take(usage.audio_prompt);
  int64_t image = modes.Take(usage.image_prompt);
  int64_t cached_audio = text.Part(usage.audio_cached, std::min(cached, audio));
  audio -= cached_audio;

  // More audio and images than prompt outside of the cache: the rest of them must be inside.
  int64_t inside = std::max<int64_t>(audio + image - text.left(), 0);
  if (!usage.audio_cached) inside -= Move(std::min(inside, cached), &audio, &cached_audio);
  int64_t as_text = 0;
  inside -= Move(inside, &image, &as_text);
  Move(inside, &audio, &as_text);

  units[kCacheRead] = cached - cached_audio;
  units[kAudioCacheRead] = cached_audio;
  units[kCacheWrite1h] = text.Part(usage.cache_write_1h, written);
  units[kCacheWrite] = written - units[kCacheWrite1h];
  units[kAudioInput] = audio;
  units[kImageInput] = image;
  units[kInput] = text.left() - audio - image;
}

void SplitCompletion(const Usage& usage, Breakdown* use) {
  Splitter text(usage.completion, &use->odd);
  use->completion = text.left();
  Splitter predicted = text;  // at the price of the completion: only looked at
  predicted.Take(usage.accepted_predictions);
  predicted.Take(usage.rejected_predictions);
  use->units[kReasoning] = text.Take(usage.reasoning);
  use->units[kAudioOutput] = text.Take(usage.audio_completion);
  use->units[kImageOutput] = text.Take(usage.image_completion);
  use->units[kOutput] = text.left();
}

Charge ChargeFor(const Breakdown& use, const Rates& rates, int32_t markup_bps) {
  Charge charge;
  charge.use = use;
  const Wide prompt = SumOf(kPromptClasses, use.units, rates);
  const Wide completion = SumOf(kCompletionClasses, use.units, rates);
  const Wide all = prompt + completion + rates[kPerRequest].pico;
  charge.total = RoundUp(WithMarkup(all, markup_bps), kPicoPerNano * kBpsOfOne);
  charge.upstream = RoundUp(all, kPicoPerNano);
  charge.upstream_prompt = RoundUp(prompt, kPicoPerNano);
  charge.upstream_completion = RoundUp(completion, kPicoPerNano);
  return charge;
}

}  // namespace

Breakdown Classify(const Usage& usage) {
  Breakdown use;
  SplitPrompt(usage, &use);
  SplitCompletion(usage, &use);
  use.units[kPerImage] = Splitter(usage.images, &use.odd).left();
  use.units[kPerRequest] = 1;
  return use;
}

Usage Consistent(const Usage& usage) {
  Usage told = usage;
  bool cut = false;
  const auto tell = [](std::optional<int64_t>* count, int64_t part) {
    if (*count) *count = part;
    return part;
  };
  Splitter text(usage.prompt, &cut);
  Splitter modes = text;
  tell(&told.prompt, text.left());
  const int64_t cached = tell(&told.cached, text.Take(usage.cached));
  const int64_t written = tell(&told.cache_write, text.Take(usage.cache_write));
  tell(&told.cache_write_1h, text.Part(usage.cache_write_1h, written));
  const int64_t audio = tell(&told.audio_prompt, modes.Take(usage.audio_prompt));
  tell(&told.image_prompt, modes.Take(usage.image_prompt));
  tell(&told.audio_cached, text.Part(usage.audio_cached, std::min(cached, audio)));

  Splitter output(usage.completion, &cut);
  Splitter predicted = output;
  tell(&told.completion, output.left());
  tell(&told.reasoning, output.Take(usage.reasoning));
  tell(&told.audio_completion, output.Take(usage.audio_completion));
  tell(&told.image_completion, output.Take(usage.image_completion));
  tell(&told.accepted_predictions, predicted.Take(usage.accepted_predictions));
  tell(&told.rejected_predictions, predicted.Take(usage.rejected_predictions));
  tell(&told.images, Splitter(usage.images, &cut).left());
  return told;
}

Charge CostOf(const Usage& usage, const PriceTable& price, UnixSeconds now,
              std::string_view service_tier) {
  const Breakdown use = Classify(usage);
  const size_t index = price.IndexAt(now, service_tier);
  const PriceVariant& variant = price.variant(index);
  const PriceTier* const tier = variant.TierFor(use.prompt);
  Charge charge = ChargeFor(use, tier != nullptr ? tier->rates : variant.rates, price.markup_bps());
  charge.variant = index;
  if (tier != nullptr) charge.tier_above = tier->above;
  return charge;
}

Charge CostAt(const Usage& usage, const Rates& rates, int32_t markup_bps) {
  return ChargeFor(Classify(usage), rates, markup_bps);
}

bool IsFree(bool delivered, std::string_view finish_reason) {
  return !delivered && finish_reason.empty();
}

Usage EstimateUsage(const TokenEstimate& prompt, const TokenEstimate& content,
                    const DeliveredMedia& media) {
  Usage usage;
  usage.prompt = prompt.tokens;
  usage.completion = content.tokens + media.picture_tokens() + media.sound_tokens();
  usage.total = prompt.tokens + *usage.completion;
  if (media.pictures > 0) usage.image_completion = media.picture_tokens();
  if (media.sound_bytes > 0) usage.audio_completion = media.sound_tokens();
  return usage;
}

Usage CutMedia(Usage usage, int64_t most) {
  int64_t over = std::max<int64_t>(usage.completion.value_or(0) - most, 0);
  for (std::optional<int64_t>* part : {&usage.image_completion, &usage.audio_completion}) {
    if (!*part) continue;
    const int64_t cut = std::min(over, **part);
    **part -= cut;
    *usage.completion -= cut;
    if (usage.total) *usage.total -= cut;
    over -= cut;
  }
  return usage;
}

}  // namespace seekroute
