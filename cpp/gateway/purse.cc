#include "gateway/purse.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/calendar.h"
#include "base/failpoint.h"

namespace seekroute {
namespace {

// Providers count a little more than they were told: what ends an answer, or the rest of a step
// that writes several tokens. So much is no fault: of each choice, and of the whole.
constexpr int64_t kCapSlackTokens = 16;
constexpr int64_t kCapSlackPart = 8;

}  // namespace

Purse::Purse(ExchangeId id, const Admission* admission, const ExchangeWorld& world,
             PurseOwner* owner)
    : id_(id), admission_(*admission), world_(world), owner_(owner) {}

Purse::~Purse() {
  if (holding_ || storing_) world_.store->Forget(id_);
}

Status Purse::Bound(bool pays, UnixSeconds created) {
  created_ = created;
  const std::optional<Money>& max_cost = ask().max_cost;
  if (!pays && !max_cost) return {};
  bound_.emplace(ask(), admission_.route, *world_.options, created);
  spending_ = {bound_->Tells(IsLimited(ask(), key())), max_cost, std::nullopt, !ask().max_output};
  if (!bound_->AtLeast(spending_)) return bound_->MaxCostExceeded(*max_cost);
  return {};
}

std::optional<int64_t> Purse::ToldLength(const Candidate& candidate) const {
  if (!candidate.answers_in_tokens()) return std::nullopt;
  if (spending_.tells) return bound_->CapAt(candidate, spending_);
  std::optional<int64_t> named = ask().max_output;
  const int64_t most = world_.options->max_output_tokens;
  if (most > 0) named = std::min(named.value_or(most), most);
  return named;
}

// Tokens of thinking a choice that the upstream is told beside that: where its cap does not bound
// them, a field of its own does, and the answer is paid for by somebody's limited money.
std::optional<int64_t> Purse::ToldReasoning(const Candidate& candidate, int64_t told) const {
  const bool apart = ThinksBeside(*candidate.endpoint, ask().reasoning) &&
                     !candidate.endpoint->form.reasoning_budget_field.empty();
  if (!spending_.tells || !apart) return std::nullopt;
  return ReasoningAt(candidate, ask().reasoning).Beside(told);
}

std::optional<AnswerCap> Purse::CapFor(const Candidate& candidate) const {
  const std::optional<int64_t> told = ToldLength(candidate);
  if (!told) return std::nullopt;
  return AnswerCap{*told, candidate.endpoint->form.cap_field, ToldReasoning(candidate, *told)};
}

void Purse::Judge(const Candidate& candidate, Used* used) const {
  used->choices = ask().choices;
  used->context = candidate.context();
  if (bound_) used->bound_prompt = bound_->besides().prompt;
  std::optional<int64_t> most = ToldLength(candidate);
  if (!most && bound_) most = bound_->LongestAt(candidate);
  if (most) used->most_output = (*most + ask().predicted) * ask().choices;
}

bool Purse::IgnoredCap(const Candidate& candidate, const Bill& bill) const {
  const std::optional<int64_t> told = ToldLength(candidate);
  if (!told || !bill.usage.completion) return false;
  const int64_t reasoning =
      ToldReasoning(candidate, *told).value_or(ReasoningAt(candidate, ask().reasoning).most);
  const int64_t most = (*told + reasoning + ask().predicted) * ask().choices;
  int64_t slack = std::max(kCapSlackTokens * ask().choices, most / kCapSlackPart);
  if (bill.estimated) slack = std::max(slack, most);  // our own count may be far off
  return *bill.usage.completion > most + slack;
}

// What is to be held. A client that named no length takes a shorter answer for less money, and no
// more than half of what is there: its next request may be on the way.
HoldRequest Purse::WorstCase() const {
  HoldRequest hold;
  hold.amount = bound_->Amount(spending_);
  hold.at_least = bound_->AtLeast(spending_).value_or(hold.amount);
  hold.share = !ask().max_output;
  if (key() != nullptr && key()->limit) {
    KeyLimit& limit = hold.key_limit.emplace();
    limit.limit = *key()->limit;
    limit.since = WindowStart(key()->limit_reset, created_);
    limit.until = WindowEnd(key()->limit_reset, created_).value_or(limit.until);
  }
  hold.line = CreditLineOf(key());
  return hold;
}

void Purse::Hold(const ExchangeRecord& opening, const std::optional<IdempotencyClaim>& claim) {
  holding_ = true;
  waits_until_ = world_.clock->Now() + world_.options->hold_timeout;
  HoldRequest hold = WorstCase();
  hold.claim = claim;
  world_.store->Hold(id_, opening, hold, this);
}

void Purse::OnHeld(StoreTicket, const HoldAnswer& answer) {
  // Settled meanwhile: the store gives it back.
  if (!std::exchange(holding_, false)) return;
  waits_until_ = TimePoint::Never();
  if (!answer.status.ok()) {
    const Error& refusal = answer.status.error();
    return owner_->OnHeld(refusal.code == ErrorCode::kInsufficientCredits ? Unaffordable(answer)
                                                                          : refusal);
  }
  held_ = answer.granted;
  if (answer.granted < bound_->Amount(spending_)) spending_.granted = answer.granted;
  owner_->OnHeld({});
}

Error Purse::Unaffordable(const HoldAnswer& answer) const {
  const Money needed = WorstCase().at_least;
  const Money available = std::max(answer.available, Money{});
  // It may be enough when those requests have ended: SDKs are told to try again.
  // Not when more is spent than a line or limit allows, which has been lowered since.
  const bool passes =
      answer.held > Money{} && needed.nano <= answer.held.nano + answer.available.nano;
  Error error = MakeError(passes ? ErrorCode::kCreditsHeld : ErrorCode::kInsufficientCredits,
                          "this request may cost " + FormatUsd(needed) + " USD and " +
                              (answer.key_limited ? "the limit of this API key leaves "
                                                  : "the credits available are ") +
                              FormatUsd(available) + " USD");
  error.facts.push_back({"needed", FormatUsd(needed)});
  error.facts.push_back({"available", FormatUsd(available)});
  if (answer.held > Money{}) {
    error.message += ", while running requests hold " + FormatUsd(answer.held) + " USD";
    error.facts.push_back({"held", FormatUsd(answer.held)});
  }
  std::string cure = passes ? "wait until those have ended, or add credits" : "add credits";
  if (answer.key_limited) {
    cure = passes ? "wait until those have ended, or raise the limit" : "raise the limit";
    if (const auto resets = WindowEnd(key()->limit_reset, created_)) {
      cure += ", or wait until " + FormatUtc(*resets);
      error.facts.push_back({"resets_at", std::to_string(resets->s)});
    }
  }
  if (admission_.route.candidates.front().answers_in_tokens()) {
    const int64_t tokens = bound_->Within(available).value_or(0);
    error.message += tokens > 0
                         ? ": send max_tokens of at most " + std::to_string(tokens) + ", or " + cure
                         : std::string(answer.key_limited ? ": the limit" : ": the balance") +
                               " does not cover even the prompt: " + cure;
    error.facts.push_back({"affordable_max_tokens", std::to_string(tokens)});
  } else {
    error.message += ": " + cure;
  }
  bound_->ExplainPrompt(&error);
  return error;
}

void Purse::Delivered(TimePoint now) {
  const Duration interval = world_.options->note_interval;
  if (!held_ || interval.ns == 0 || note_at_ != TimePoint::Never()) return;
  note_at_ = now + interval;
}

void Purse::Note(ExchangeRecord record) {
  note_at_ = TimePoint::Never();
  record.cost = std::min(record.cost, held());
  world_.store->Note(id_, record);
}

void Purse::Settle(ExchangeRecord* record, Bill* bill) {
  holding_ = false;
  storing_ = true;
  waits_until_ = world_.clock->Now() + world_.options->settle_patience;
  if (held_ && record->cost > *held_) {
    // The client pays no more than was held. The store is told all of a measured cost, to book what
    // is above it as the operator's loss; an estimate is no loss.
    ExchangeRecord full = *record;
    if (record->settlement != Settlement::kExact) full.cost = *held_;
    record->cost = *held_;
    bill->charge.total = *held_;
    world_.store->Settle(id_, full, this);
  } else {
    world_.store->Settle(id_, *record, this);
  }
  if (storing_) world_.host->OnDeadline(id_, waits_until_);
}

void Purse::OnStored(StoreTicket, const Status& status) {
  if (!std::exchange(storing_, false)) return;
  // A store that failed does not take a finished answer from the client: the answer is there and
  // the failure is the operator's, counted and alarmed on.
  if (!status.ok()) world_.stats->CountError("seekroute_" + std::string(status.error().name()));
  owner_->OnSettled();
}

}  // namespace seekroute
