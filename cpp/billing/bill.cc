#include "billing/bill.h"

#include <algorithm>
#include <utility>

namespace seekroute {
namespace {

// Above this no count of a prompt, or of the answer of a choice, is one: no model holds as much.
constexpr int64_t kMostBelievable = int64_t{1} << 24;

class Biller {
 public:
  Biller(const Used& used, const BillPolicy& policy, const PriceTable& price, UnixSeconds created)
      : used_(used), policy_(policy), price_(price), created_(created) {}

  Bill Whole() const;
  Bill Partial() const;
  void CutToConsistent(Bill* bill) const;
  bool IsImpossible(const Usage& usage) const;
  Charge CostNow(const Usage& usage) const {
    return CostOf(usage, price_, created_, used_.service_tier);
  }

 private:
  TokenEstimate Prompt() const { return used_.prompt ? used_.prompt() : TokenEstimate{}; }
  Usage Estimate() const;
  void PriceMediaWithinHold(Bill* bill) const;
  bool IsBilled(const Usage& usage) const;

  const Used& used_;
  const BillPolicy& policy_;
  const PriceTable& price_;
  const UnixSeconds created_;
};

// What is delivered and not told by the provider, counted by the gateway. Media count within the
// length that is held for, and at their own rates where what is held covers those, else as text.
Usage Biller::Estimate() const {
  const TokenEstimate content = used_.content ? used_.content() : TokenEstimate{};
  Usage usage = EstimateUsage(Prompt(), content, used_.media);
  if (used_.media == DeliveredMedia{} || !used_.most_output) return usage;
  return CutMedia(usage, *used_.most_output);
}

// An estimate is no reason to charge more than is held.
void Biller::PriceMediaWithinHold(Bill* bill) const {
  Usage& usage = bill->usage;
  if (!policy_.held || !bill->estimated) return;
  if (!usage.image_completion && !usage.audio_completion) return;
  if (CostNow(usage).total <= *policy_.held) return;
  usage.image_completion.reset();
  usage.audio_completion.reset();
}

// More than the endpoint can hold, and than the request was bounded by. A prompt within its bound
// is a count like any other, however short the catalog knows the context.
bool Biller::IsImpossible(const Usage& usage) const {
  if (used_.context == 0) {
    return usage.prompt.value_or(0) > kMostBelievable ||
           usage.completion.value_or(0) > kMostBelievable * used_.choices;
  }
  const int64_t prompt = std::max(used_.context, used_.bound_prompt);
  return usage.prompt.value_or(0) > prompt ||
         usage.completion.value_or(0) > used_.context * used_.choices;
}

// Whether such a count is charged all the same, as far as the hold goes: the provider bills it, for
// what it has added to the prompt or for a context that the catalog does not know. A count that is
// cheaper than our own of what was delivered is none, and neither is one that no model can reach.
bool Biller::IsBilled(const Usage& usage) const {
  if (!policy_.held) return false;
  const int64_t most = std::max(kMostBelievable, used_.context);
  if (*usage.prompt > most || *usage.completion > most * used_.choices) return false;
  return CostNow(Consistent(usage)).total >= CostNow(Estimate()).total;
}

// Of an answer that is complete.
Bill Biller::Whole() const {
  Bill bill;
  bill.finish_reason = used_.finish_reason;
  bill.service_tier = used_.service_tier;
  bill.usage = used_.told;
  const bool counts =
      !used_.odd && bill.usage.complete() && (!IsImpossible(bill.usage) || IsBilled(bill.usage));
  if (!counts) {
    bill.usage = Estimate();
    bill.estimated = true;
    PriceMediaWithinHold(&bill);
  }
  bill.usage.total = *bill.usage.prompt + *bill.usage.completion;
  return bill;
}

// Of an answer as far as it has come: what the provider has told of the prompt, and what was
// delivered. What it tells of the output so far is counted here.
Bill Biller::Partial() const {
  Bill bill;
  if (!policy_.held || !used_.streamed) return bill;
  const Usage& told = used_.told;
  Usage input;
  input.prompt = told.prompt;
  const bool sane = told.prompt && !used_.odd && !IsImpossible(input);
  if (!sane && !used_.delivered) return bill;
  bill.service_tier = used_.service_tier;
  bill.estimated = used_.delivered;
  Usage& usage = bill.usage;
  usage.completion = 0;
  if (used_.delivered) usage = Estimate();
  usage.total.reset();
  if (sane) {
    usage.TakePrompt(told);
  } else {
    usage.prompt = Prompt().tokens;
  }
  PriceMediaWithinHold(&bill);
  return bill;
}

// What contradicts itself is told as it is charged, and what the provider said beside it.
void Biller::CutToConsistent(Bill* bill) const {
  const Usage consistent = Consistent(bill->usage);
  if (consistent == bill->usage) return;
  bill->reported = std::exchange(bill->usage, consistent);
  bill->usage.total = consistent.prompt.value_or(0) + consistent.completion.value_or(0);
}

// The operator has chosen not to charge for it.
bool IsWaived(const Bill& bill, bool left, const BillPolicy& policy) {
  if (!policy.held) return false;
  if (left) return policy.on_client_abort == ChargePolicy::kFree;
  return bill.settlement == Settlement::kEstimated &&
         policy.on_missing_usage == ChargePolicy::kFree;
}

Settlement SettlementOf(const Bill& bill, const Used& used, bool left, bool failed) {
  if (failed && !bill.usage.complete()) return Settlement::kFailed;
  if ((failed || left) && !bill.whole) {
    return used.delivered ? Settlement::kPartial : Settlement::kCancelled;
  }
  if (IsFree(used.any_output, bill.finish_reason)) return Settlement::kFree;
  return bill.estimated ? Settlement::kEstimated : Settlement::kExact;
}

}  // namespace

Bill BillFor(Ending ending, const Used& used, const BillPolicy& policy, const PriceTable& price,
             UnixSeconds created) {
  const Biller biller(used, policy, price, created);
  const bool left = ending == Ending::kClientLeft || ending == Ending::kReadOut;
  Bill bill;
  switch (ending) {
    case Ending::kAnswered:
      bill = biller.Whole();
      break;
    case Ending::kReadOut:
    case Ending::kClientLeft:
      if (ending == Ending::kReadOut || used.told_whole) {
        bill = biller.Whole();
        bill.whole = !bill.estimated;
      }
      if (!bill.whole) {
        std::string reason = std::move(bill.finish_reason);
        bill = biller.Partial();
        bill.finish_reason = std::move(reason);
      }
      break;
    case Ending::kFailed:
      if (policy.on_upstream_failure == ChargePolicy::kCharge && used.delivered) {
        bill = biller.Partial();
      }
      break;
    case Ending::kStopped:
      break;
  }
  biller.CutToConsistent(&bill);
  const bool failed = ending == Ending::kFailed || ending == Ending::kStopped;
  bill.settlement = SettlementOf(bill, used, left, failed);
  bill.beyond = bill.usage.complete() && !bill.estimated && biller.IsImpossible(bill.usage);
  bill.priced = bill.settlement != Settlement::kFree && bill.usage.complete();
  if (!bill.priced) return bill;
  bill.charge = biller.CostNow(bill.usage);
  if (IsWaived(bill, left, policy)) {
    bill.settlement = Settlement::kFree;
    bill.charge.total = {};
  }
  return bill;
}

}  // namespace seekroute
