#include "billing/cost.h"

#include <algorithm>
#include <limits>

namespace seekroute {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr uint64_t kPicoPerNano = 1000;

Wide Product(int64_t units, Rate rate) {
  return units <= 0 ? Wide{0} : static_cast<Wide>(units) * rate.pico;
}

}  // namespace

Money CostOf(const Usage& usage, const Price& price) {
  const int64_t prompt = usage.prompt.value_or(0);
  const int64_t cached =
      std::clamp<int64_t>(usage.cached.value_or(0), 0, std::max<int64_t>(prompt, 0));
  const Wide pico = Product(prompt - cached, price.input) + Product(cached, price.cache_read) +
                    Product(usage.completion.value_or(0), price.output) +
                    Product(usage.images.value_or(0), price.per_image) +
                    Product(1, price.per_request);
  const Wide nano = (pico + kPicoPerNano - 1) / kPicoPerNano;
  constexpr auto kMost = std::numeric_limits<int64_t>::max();
  return nano > static_cast<Wide>(kMost) ? Money{kMost} : Money{static_cast<int64_t>(nano)};
}

bool IsFree(const Usage& usage, std::string_view finish_reason) {
  if (finish_reason == "error") return true;
  return finish_reason.empty() && usage.completion.value_or(0) == 0 &&
         usage.images.value_or(0) == 0;
}

Usage EstimateUsage(const TokenEstimate& prompt, const TokenEstimate& content) {
  Usage usage;
  usage.prompt = prompt.tokens;
  usage.completion = content.tokens;
  usage.total = prompt.tokens + content.tokens;
  return usage;
}

}  // namespace seekroute
