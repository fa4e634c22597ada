// The money of an exchange: what is held before it is sent, and what is charged at its end.
#include <algorithm>
#include <utility>

#include "gateway/exchange.h"
#include "gateway/quote.h"
#include "wire/sanitize.h"

namespace seekroute {
namespace {

// Providers count a little more than they were told: what ends an answer, or the rest of a step
// that writes several tokens. So much is no fault: of each choice, and of the whole.
constexpr int64_t kCapSlackTokens = 16;
constexpr int64_t kCapSlackPart = 8;

// For the row of an attempt, whose own columns have what was charged.
std::string FiguresOf(const Usage& usage) {
  std::string text = "usage as reported:";
  const auto add = [&text](std::string_view name, const std::optional<int64_t>& count) {
    if (count) text += ' ' + std::string(name) + ' ' + std::to_string(*count);
  };
  add("prompt", usage.prompt);
  add("cached", usage.cached);
  add("cache_write", usage.cache_write);
  add("completion", usage.completion);
  add("reasoning", usage.reasoning);
  return text;
}

}  // namespace

// Finds how much the answer can cost, and how long it may get.
Status Exchange::BoundSpending() {
  bound_.emplace(ask(), admission_.route, *world_.options, row_.created);
  int64_t longest = bound_->longest();
  if (ask().max_cost) {
    const std::optional<int64_t> within = bound_->Within(*ask().max_cost);
    if (!within || *within < bound_->least()) {
      return bound_->MaxCostExceeded(*ask().max_cost);
    }
    longest = *within;
  }
  cap_ = bound_->Cap(longest, IsLimited());
  return {};
}

// Tokens a choice that the upstream is told: what is paid for, else what the client or the operator
// has named. Nothing: nobody has.
std::optional<int64_t> Exchange::ToldLength() const {
  if (!candidate_->answers_in_tokens()) return cap_;
  // More than this endpoint can answer in would be refused by some.
  if (cap_) return std::min(*cap_, bound_->LongestAt(*candidate_));
  std::optional<int64_t> named = ask().max_output;
  const int64_t most = world_.options->max_output_tokens;
  if (most > 0) named = std::min(named.value_or(most), most);
  return named;
}

// Tokens of thinking a choice that the upstream is told beside that: where its cap does not bound
// them, a field of its own does, and the answer is paid for by somebody's limited money.
std::optional<int64_t> Exchange::ToldReasoning() const {
  const bool apart = ThinksBeside(*candidate_->endpoint, ask().reasoning) &&
                     !candidate_->endpoint->form.reasoning_budget_field.empty();
  if (!cap_ || !apart) return std::nullopt;
  return ReasoningAt(*candidate_, ask().reasoning).Beside(*ToldLength());
}

// The provider went on far beyond what it was told.
bool Exchange::IgnoredCap(const Bill& bill) const {
  const std::optional<int64_t> told = ToldLength();
  if (!told || !bill.usage.completion) return false;
  const int64_t reasoning =
      ToldReasoning().value_or(ReasoningAt(*candidate_, ask().reasoning).most);
  const int64_t most = (*told + reasoning + ask().predicted) * ask().choices;
  int64_t slack = std::max(kCapSlackTokens * ask().choices, most / kCapSlackPart);
  if (bill.estimated) slack = std::max(slack, most);  // our own count may be far off
  return *bill.usage.completion > most + slack;
}

Money Exchange::CreditLine() const { return CreditLineOf(admission_.key.get()); }

// There is an amount that the request must not exceed.
bool Exchange::IsLimited() const { return seekroute::IsLimited(ask(), admission_.key.get()); }

// What is to be held. A client that named no length takes a shorter answer for less money, and no
// more than half of what is there: its next request may be on the way.
HoldRequest Exchange::WorstCase() const {
  const int64_t longest = cap_.value_or(bound_->longest());
  HoldRequest hold;
  hold.amount = bound_->Worst(cap_);
  hold.at_least = ask().max_output ? hold.amount : bound_->At(std::min(bound_->least(), longest));
  hold.share = !ask().max_output;
  if (admission_.key && admission_.key->limit) {
    KeyLimit& limit = hold.key_limit.emplace();
    limit.limit = *admission_.key->limit;
    limit.since = WindowStart(admission_.key->limit_reset, row_.created);
    limit.until = WindowEnd(admission_.key->limit_reset, row_.created).value_or(limit.until);
  }
  hold.line = CreditLine();
  hold.claim = claim_.claim();
  return hold;
}

void Exchange::Hold() {
  state_ = State::kHolding;
  waits_until_ = world_.clock->Now() + world_.options->hold_timeout;
  row_.price_revision = candidate_->price().revision();
  world_.store->Hold(in_.id, row_, WorstCase(), this);
}

void Exchange::OnHeld(StoreTicket, const HoldAnswer& answer) {
  if (state_ != State::kHolding) return;  // settled meanwhile: the store gives it back
  if (!answer.status.ok()) {
    error_ = answer.status.error();
    if (error_->code == ErrorCode::kInsufficientCredits) {
      error_ = Unaffordable(answer);
    }
    return EndError(*error_);
  }
  held_ = true;
  row_.held = answer.granted;
  if (cap_ && answer.granted < bound_->At(*cap_)) {
    cap_ = std::min(*cap_, bound_->Within(answer.granted).value_or(bound_->least()));
  }
  SendNext();
}

Error Exchange::Unaffordable(const HoldAnswer& answer) const {
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
    if (const auto resets = WindowEnd(admission_.key->limit_reset, row_.created)) {
      cure += ", or wait until " + FormatUtc(*resets);
      error.facts.push_back({"resets_at", std::to_string(resets->s)});
    }
  }
  if (candidate_->answers_in_tokens()) {
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

void Exchange::OnHoldTimer(TimePoint now) {
  if (now < std::min(waits_until_, deadline_)) return;
  Settle(MakeError(ErrorCode::kStoreUnavailable,
                   "the credits could not be looked up in time: send the request again"));
}

TokenEstimate Exchange::PromptEstimate() const {
  return prompt_ ? *prompt_ : admission_.surface->EstimatePrompt(in_.body);
}

// What is known of the answer that the running attempt gives.
Used Exchange::UsedSoFar() const {
  Used used;
  used.choices = ask().choices;
  used.delivered = content_sent_;
  used.prompt = [this] { return PromptEstimate(); };
  if (!attempt_) return used;
  Reading reading = attempt_->transcoder().reading();
  used.streamed = reading.streamed;
  used.any_output = reading.any_output;
  used.finish_reason = std::move(reading.finish_reason);
  if (candidate_->endpoint->pieces > 0) {  // charged by the piece: nobody counts its tokens
    used.told = EstimateUsage(PromptEstimate(), {});
    used.told.images = reading.usage.images;
    return used;
  }
  used.told = reading.usage;
  used.odd = reading.usage_odd;
  used.told_whole = reading.usage_whole;
  used.service_tier = std::move(reading.service_tier);
  used.media = reading.media;
  used.content = [this] { return attempt_->transcoder().CountContent(); };
  used.context = candidate_->context();
  if (bound_) used.bound_prompt = bound_->besides().prompt;
  used.most_output = ToldLength();
  if (!used.most_output && bound_) used.most_output = bound_->LongestAt(*candidate_);
  if (used.most_output) {
    *used.most_output += ask().predicted;
    *used.most_output *= ask().choices;
  }
  return used;
}

// The bill if the request ended so now.
Bill Exchange::BillNow(Ending ending) const {
  const GatewayOptions& options = *world_.options;
  BillPolicy policy{options.on_client_abort, options.on_upstream_failure, options.on_missing_usage,
                    std::nullopt};
  if (held_) policy.held = row_.held;
  return BillFor(ending, UsedSoFar(), policy, candidate_->price(), row_.created);
}

// Writes `bill` into `row`, whose last attempt it is of.
void Exchange::Enter(const Bill& bill, ExchangeRecord* row) const {
  row->settlement = bill.settlement;
  row->estimated = bill.estimated;
  if (!bill.finish_reason.empty()) row->finish_reason = bill.finish_reason;
  if (!bill.service_tier.empty()) row->service_tier = bill.service_tier;
  row->prompt_tokens = bill.usage.prompt.value_or(0);
  row->completion_tokens = bill.usage.completion.value_or(0);
  row->cached_tokens = bill.usage.cached.value_or(0);
  row->reasoning_tokens = bill.usage.reasoning.value_or(0);
  row->cache_write_tokens = bill.usage.cache_write.value_or(0);
  // Either way the provider goes on beyond what it was told, or what is known of it is wrong.
  row->cap_ignored = bill.beyond || IgnoredCap(bill);
  row->usage_odd = bill.priced && bill.reported.has_value();
  row->upstream_cost = bill.charge.upstream;
  row->cost = bill.charge.total;
  if (row->tried.empty()) return;
  AttemptRecord& last = row->tried.back();
  if (bill.priced) last.suspected = {};  // it is known now
  if (bill.reported) {
    last.words += (last.words.empty() ? "" : "; ") + FiguresOf(*bill.reported);
    CutText(kMaxAttemptWords, &last.words);
  }
}

// What the provider may charge for the attempt that has just failed: the prompt, and what it had
// sent. Of a whole answer that was not waited for nothing is seen, and it is written all the same:
// it counts in the usual length. The estimate is kept: a request may fail at several providers.
Money Exchange::SuspectedCost(std::string_view error, bool dispatched) {
  if (!dispatched || attempt_->refused()) return {};
  prompt_ = PromptEstimate();
  TokenEstimate sent;
  DeliveredMedia media;
  const Reading reading = attempt_->transcoder().reading();
  std::string_view tier;
  if (reading.streamed) {
    sent = attempt_->transcoder().CountContent();
    media = reading.media;
    tier = reading.service_tier;
  }
  const bool unseen = !reading.streamed &&
                      (error == kAbandoned || error == TraitsOf(ErrorCode::kUpstreamTimeout).name);
  if (unseen && candidate_->answers_in_tokens()) {
    const int64_t longest = ToldLength().value_or(kExpectedAnswerTokens);
    sent.tokens = std::min(longest, kExpectedAnswerTokens) * ask().choices;
  }
  Usage usage = EstimateUsage(*prompt_, sent, media);
  const int64_t pieces = candidate_->endpoint->pieces;
  if (unseen && pieces > 0) usage.images = pieces * ask().choices;
  return CostOf(usage, candidate_->price(), row_.created, tier).upstream;
}

void Exchange::NoteDelivery(TimePoint now) {
  const Duration interval = world_.options->note_interval;
  if (!held_ || interval.ns == 0 || note_at_ != TimePoint::Never()) return;
  note_at_ = now + interval;
}

// What the client would pay if it left now, should this process die.
void Exchange::NoteProgress() {
  note_at_ = TimePoint::Never();
  ExchangeRecord note = row_;
  note.tried.emplace_back();  // the attempt that runs, as if it had been counted
  Enter(BillNow(Ending::kClientLeft), &note);
  note.cost = std::min(note.cost, note.held);
  world_.store->Note(in_.id, note);
}

// The client has left. Reads the answer to its end where its provider charges for all of it anyway;
// bill_ is for what was delivered until here, should that fail.
bool Exchange::StartReadOut() {
  if (!held_ || !attempt_ || attempt_->provider().on_abort != OnAbort::kReadOut) return false;
  if (world_.options->on_client_abort == ChargePolicy::kFree) return false;
  reading_out_ = world_.read_outs->Take();
  if (reading_out_) attempt_->Resume();
  return reading_out_;
}

void Exchange::EndReadOut(bool answered) {
  world_.read_outs->Release();
  reading_out_ = false;
  if (answered) {
    Bill read_out = BillNow(Ending::kReadOut);
    if (read_out.whole) bill_ = std::move(read_out);
  }
  Settle(ClientLeft());
}

// Not the client's leaving: what it was sent is not charged, whatever the policies say.
void Exchange::Stop() {
  if (state_ == State::kSettling || state_ == State::kDone) return;  // its end is on its way
  AbandonAttempt();
  if (reading_out_) return EndReadOut(false);
  row_.stopped = true;
  claim_.SetSpent(false);
  Error error = MakeError(ErrorCode::kShuttingDown,
                          "this gateway was stopped before the answer was complete: nothing is "
                          "charged for it, send the request again in a moment");
  if (state_ != State::kAdmitting) return Settle(std::move(error));
  Identify();
  error_ = std::move(error);
  EndError(*error_);
}

}  // namespace seekroute
