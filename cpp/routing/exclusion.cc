#include "routing/exclusion.h"

namespace seekroute {
namespace {

using enum Excluded;

constexpr std::array<ExcludedTraits, kExcludedCount> kTable = {{
    {kConfigured, "no_key", "is not connected in this gateway",
     "are not connected in this gateway"},
    {kNeed, "dialect", "cannot be asked so", "cannot be asked so"},
    {kNotAllowed, "not_allowed", "is not among what this key may use",
     "are not among what this key may use"},
    {kOnly, "only", "is left out by provider.only", "are left out by provider.only"},
    {kIgnored, "ignored", "is left out by provider.ignore", "are left out by provider.ignore"},
    {kFallbackOff, "fallback_off", "is a fallback, and provider.allow_fallbacks is false",
     "are fallbacks, and provider.allow_fallbacks is false"},
    {kRegion, "region", "is not known to run in provider.regions",
     "are not known to run in provider.regions"},
    {kDataCollection, "data_collection", "may keep data", "may keep data"},
    {kZdr, "zdr", "may keep data", "may keep data"},
    {kQuantization, "quantization", "runs at another quantization", "run at other quantizations"},
    {kNotFree, "not_free", "is not free of charge", "are not free of charge"},
    {kInput, "input", "does not take the kind of input", "do not take the kind of input"},
    {kOutput, "output", "does not make the kind of output", "do not make the kind of output"},
    {kTools, "tools", "does not offer tools", "do not offer tools"},
    {kStructuredOutput, "structured_output", "does not offer structured output",
     "do not offer structured output"},
    {kReasoning, "reasoning", "does not offer reasoning", "do not offer reasoning"},
    {kLogprobs, "logprobs", "does not offer logprobs", "do not offer logprobs"},
    {kChoices, "choices", "does not offer several choices", "do not offer several choices"},
    {kParameter, "parameter", "is not known to take all parameters",
     "are not known to take all parameters"},
    {kContext, "context", "takes fewer tokens than this prompt has",
     "take fewer tokens than this prompt has"},
    {kMaxOutput, "max_output", "answers in fewer tokens than max_tokens",
     "answer in fewer tokens than max_tokens"},
    {kMaxPrice, "max_price", "costs more than provider.max_price",
     "cost more than provider.max_price"},
    {kPriceJump, "price_jump", "costs many times more than the cheapest",
     "cost many times more than the cheapest"},
    {kBudget, "budget", "may cost more than this request can pay",
     "may cost more than this request can pay"},
    {kDeadKey, "dead_key", "has no working key at present", "have no working key at present", true},
    {kEjected, "ejected", "failed just now", "failed just now", true},
    {kOutUntil, "out_until", "asked to be left alone", "asked to be left alone", true},
    {kUpstreamLimit, "upstream_limit", "is at its own limit", "are at their own limits", true},
}};

constexpr bool RowsMatchEnum() {
  for (size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<size_t>(kTable[i].why) != i) return false;
    if (kTable[i].passes != (kTable[i].why >= kDeadKey)) return false;
  }
  return true;
}
static_assert(RowsMatchEnum(), "the table must follow the order of Excluded");

}  // namespace

const ExcludedTraits& TraitsOf(Excluded why) { return kTable[static_cast<size_t>(why)]; }

}  // namespace seekroute
