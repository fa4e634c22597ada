// What an answer costs: disjoint classes of use, integer arithmetic, one rounding a figure.
#pragma once

#include <string_view>

#include "base/money.h"
#include "base/time.h"
#include "catalog/price.h"
#include "wire/delivered_media.h"
#include "wire/token_estimate.h"
#include "wire/usage.h"

namespace seekroute {

// Use, split so that nothing is in two classes. The classes of the prompt add up to `prompt`, those
// of the completion to `completion`.
struct Breakdown {
  ByPriceClass<int64_t> units;
  int64_t prompt = 0;
  int64_t completion = 0;
  bool odd = false;  // the counts contradict one another; what does not fit was left out
};

// Splits `usage`, most specific first. An absent count is zero. A part that is larger than what it
// is a part of is odd, and cut to it: nothing is counted twice and nothing beyond the whole. Where
// it is not told how many audio or image tokens were cached, as few as the counts allow are; cached
// or written image tokens, and written audio, count as cached or written text.
Breakdown Classify(const Usage& usage);

// `usage` with the parts that it is charged by: what Classify() cuts is cut, what is absent stays
// so. The same where nothing is odd.
Usage Consistent(const Usage& usage);

// The price of one answer.
struct Charge {
  Money total;     // with the operator's markup
  Money upstream;  // what the provider charges
  // Of `upstream`: the classes of the prompt, and of the completion with its images. Each is
  // rounded on its own, and the fee per request is in neither.
  Money upstream_prompt;
  Money upstream_completion;
  size_t variant = 0;      // index of the variant it was priced by
  int64_t tier_above = 0;  // threshold of its tier; 0: base rates
  Breakdown use;
};

// Sum of (units x rate) over the classes, x (10000 + markup) / 10000 for `total`, in 128 bits; each
// figure is rounded once, up to the next nano-USD, and saturates at the largest Money. The variant
// is the table's first that holds at `now` for the service tier that the answer names; the tier is
// chosen by all tokens of the prompt. Pure; allocates nothing.
Charge CostOf(const Usage& usage, const PriceTable& price, UnixSeconds now,
              std::string_view service_tier);

// The same at rates that are chosen already; the place in the table is left at its default.
Charge CostAt(const Usage& usage, const Rates& rates, int32_t markup_bps);

// Zero-completion rule: an answer with no output at all and no finish reason is not charged. What
// was delivered decides, not what the provider counts.
bool IsFree(bool delivered, std::string_view finish_reason);

// Counts for an answer whose provider gave none: what is expected, not the upper bound. Flagged as
// an estimate wherever it is stored. `content` is the text of the answer, `media` what it holds
// beside that.
Usage EstimateUsage(const TokenEstimate& prompt, const TokenEstimate& content,
                    const DeliveredMedia& media = {});

// `usage`, an estimate, with the media in it cut so that the completion is at most `most` tokens.
// The text is left as it is.
Usage CutMedia(Usage usage, int64_t most);

}  // namespace seekroute
