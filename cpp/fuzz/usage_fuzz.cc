// Any usage object: what is read of it adds up, is charged at most as a whole, and survives being
// told to a client and read again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "billing/cost.h"
#include "wire/json/json.h"
#include "wire/openai/usage_object.h"
#include "wire/usage.h"

namespace {

using namespace seekroute;  // NOLINT

void Check(bool holds) {
  if (!holds) std::abort();
}

const PriceTable& Prices() {
  static const auto table = [] {
    PriceTable::Parts parts;
    parts.markup_bps = 550;
    parts.variants.resize(2);
    parts.variants[0].service_tier = "flex";
    for (PriceVariant& variant : parts.variants) {
      variant.tiers.resize(1);
      variant.tiers[0].above = 1000;
      for (size_t i = 0; i < kPriceClassCount; ++i) {
        variant.rates.values[i] = Rate{1000 * (i + 1)};
        variant.tiers[0].rates.values[i] = Rate{2000 * (i + 1)};
      }
    }
    return *PriceTable::Make(std::move(parts));
  }();
  return *table;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const UsageReading reading = ParseUsage(bytes);
  UsageReading twice = reading;
  twice.MergeMax(reading);
  Usage usage = reading.Counts();
  Check(twice.Counts().prompt == usage.prompt && twice.Counts().completion == usage.completion);

  // Sums of counts may pass the bound of each; such a usage is cut to it.
  constexpr int64_t kMost = int64_t{1} << 53;
  if (usage.prompt.value_or(0) > kMost || usage.completion.value_or(0) > kMost) return 0;

  const Charge charge = CostOf(usage, Prices(), {}, size % 2 == 0 ? "flex" : "");
  const Usage consistent = Consistent(usage);
  const Breakdown same = Classify(consistent);
  Check(!same.odd && same.units.values == charge.use.units.values);
  Check((consistent == usage) == !charge.use.odd);
  int64_t tokens = 0;
  for (const int64_t units : charge.use.units.values) {
    Check(units >= 0);
    tokens += units;
  }
  Check(tokens == charge.use.prompt + charge.use.completion + 1);
  Check(charge.use.prompt == usage.prompt.value_or(0));
  Check(charge.use.completion == usage.completion.value_or(0));
  Check(charge.upstream <= charge.total && charge.upstream_prompt <= charge.upstream &&
        charge.upstream_completion <= charge.upstream);

  usage.total.reset();  // as the gateway tells it: the sum
  UsageReport report{usage, CostReport{.cost = charge.total, .details = true}};
  const std::string told = WriteUsage(report);
  Check(CheckJson(told).ok());
  const UsageReading again = ParseUsage(told);
  Check(!again.odd && again.Counts().prompt == usage.prompt.value_or(0) &&
        again.Counts().completion == usage.completion.value_or(0) &&
        again.Counts().reasoning == usage.reasoning);
  return 0;
}
