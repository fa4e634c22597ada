// The money of an exchange: what is held before it is sent, and what is charged at its end.
#include <algorithm>
#include <utility>

#include "gateway/exchange.h"
#include "gateway/quote.h"
#include "wire/openai/chat_prompt.h"
#include "wire/sanitize.h"

namespace seekroute {
namespace {

// Providers count a little more than they were told: what ends an answer, or the rest of a step
// that writes several tokens. So much is no fault: of each choice, and of the whole.
constexpr int64_t kCapSlackTokens = 16;
constexpr int64_t kCapSlackPart = 8;

// Above this no count of a prompt, or of the answer of a choice, is one: no model holds as much.
constexpr int64_t kMostBelievable = int64_t{1} << 24;

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
  if (!prompt_) prompt_ = EstimateChatPrompt(in_.body);
  bound_.emplace(request_, *model_, *prompt_, *world_.options, row_.created);
  int64_t longest = bound_->longest();
  if (request_.max_cost) {
    const std::optional<int64_t> within = bound_->Within(*request_.max_cost);
    if (!within || *within < bound_->least()) {
      return bound_->MaxCostExceeded(*request_.max_cost);
    }
    longest = *within;
  }
  cap_ = bound_->Cap(longest, IsLimited());
  return {};
}

// Tokens a choice that the upstream is told: what is paid for, else what the client or the operator
// has named. Nothing: nobody has.
std::optional<int64_t> Exchange::ToldLength() const {
  if (model_->output != Output::kText) return cap_;
  // More than this endpoint can answer in would be refused by some.
  if (cap_) return endpoint_ ? std::min(*cap_, bound_->LongestAt(*endpoint_)) : *cap_;
  std::optional<int64_t> named = request_.max_tokens;
  const int64_t most = world_.options->max_output_tokens;
  if (most > 0) named = std::min(named.value_or(most), most);
  return named;
}

// Tokens of thinking a choice that the upstream is told beside that: where its cap does not bound
// them, a field of its own does, and the answer is paid for by somebody's limited money.
std::optional<int64_t> Exchange::ToldReasoning() const {
  const bool apart = ThinksBeside(*endpoint_, AskedReasoning(request_)) &&
                     !endpoint_->reasoning_budget_field.empty();
  if (!cap_ || !apart) return std::nullopt;
  return ReasoningAt(*endpoint_, *model_, AskedReasoning(request_)).Beside(*ToldLength());
}

// The provider went on far beyond what it was told.
bool Exchange::IgnoredCap() const {
  const std::optional<int64_t> told = ToldLength();
  if (!told || !usage_.completion) return false;
  const int64_t reasoning =
      ToldReasoning().value_or(ReasoningAt(*endpoint_, *model_, AskedReasoning(request_)).most);
  const int64_t most =
      (*told + reasoning + static_cast<int64_t>(request_.predicted_bytes)) * request_.choices;
  int64_t slack = std::max(kCapSlackTokens * request_.choices, most / kCapSlackPart);
  if (row_.estimated) slack = std::max(slack, most);  // our own count may be far off
  return *usage_.completion > most + slack;
}

Money Exchange::CreditLine() const { return CreditLineOf(key_.get()); }

// There is an amount that the request must not exceed.
bool Exchange::IsLimited() const { return seekroute::IsLimited(request_, key_.get()); }

// What is to be held. A client that named no length takes a shorter answer for less money, and no
// more than half of what is there: its next request may be on the way.
HoldRequest Exchange::WorstCase() const {
  const int64_t longest = cap_.value_or(bound_->longest());
  HoldRequest ask;
  ask.amount = bound_->Worst(cap_);
  ask.at_least = request_.max_tokens ? ask.amount : bound_->At(std::min(bound_->least(), longest));
  ask.share = !request_.max_tokens;
  if (key_ && key_->limit) {
    KeyLimit& limit = ask.key_limit.emplace();
    limit.limit = *key_->limit;
    limit.since = WindowStart(key_->limit_reset, row_.created);
    limit.until = WindowEnd(key_->limit_reset, row_.created).value_or(limit.until);
  }
  ask.line = CreditLine();
  ask.claim = claimed_;
  return ask;
}

void Exchange::Hold() {
  state_ = State::kHolding;
  waits_until_ = world_.clock->Now() + world_.options->hold_timeout;
  row_.price_revision = model_->endpoints.front().price->revision();
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
    if (const auto resets = WindowEnd(key_->limit_reset, row_.created)) {
      cure += ", or wait until " + FormatUtc(*resets);
      error.facts.push_back({"resets_at", std::to_string(resets->s)});
    }
  }
  if (model_->output == Output::kText) {
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
  return prompt_ ? *prompt_ : EstimateChatPrompt(in_.body);
}

TokenEstimate Exchange::ContentEstimate() const {
  return request_.stream ? attempt_->stream().content_tokens()
                         : EstimateChatAnswer(attempt_->body());
}

// What is delivered and not told by the provider, counted by the gateway. Media count within the
// length that is held for, and at their own rates where what is held covers those, else as text.
Usage Exchange::Estimate() const {
  const DeliveredMedia& media =
      request_.stream ? attempt_->stream().media() : attempt_->answer().media;
  Usage usage = EstimateUsage(PromptEstimate(), ContentEstimate(), media);
  if (media == DeliveredMedia{}) return usage;
  std::optional<int64_t> most = ToldLength();
  if (!most && bound_) most = bound_->LongestAt(*endpoint_);
  if (most) {
    const auto predicted = static_cast<int64_t>(request_.predicted_bytes);
    usage = CutMedia(usage, (*most + predicted) * request_.choices);
  }
  return usage;
}

// An estimate is no reason to charge more than is held.
void Exchange::PriceMediaWithinHold() {
  if (!held_ || !row_.estimated) return;
  if (!usage_.image_completion && !usage_.audio_completion) return;
  const Money own = CostOf(usage_, *endpoint_->price, row_.created, row_.service_tier).total;
  if (own <= row_.held) return;
  usage_.image_completion.reset();
  usage_.audio_completion.reset();
}

// More than the endpoint can hold, and than the request was bounded by. A prompt within its bound
// is a count like any other, however short the catalog knows the context.
bool Exchange::IsImpossible(const Usage& usage) const {
  const int64_t context = model_->ContextAt(*endpoint_);
  if (context == 0) return false;
  const int64_t prompt = std::max(context, bound_ ? bound_->besides().prompt : 0);
  return usage.prompt.value_or(0) > prompt ||
         usage.completion.value_or(0) > context * request_.choices;
}

// Whether such a count is charged all the same, as far as the hold goes: the provider bills it, for
// what it has added to the prompt or for a context that the catalog does not know. A count that is
// cheaper than our own of what was delivered is none, and neither is one that no model can reach.
bool Exchange::IsBilled(const Usage& usage) const {
  if (!held_) return false;
  const int64_t most = std::max(kMostBelievable, model_->ContextAt(*endpoint_));
  if (*usage.prompt > most || *usage.completion > most * request_.choices) return false;
  const auto cost = [this](const Usage& of) {
    return CostOf(of, *endpoint_->price, row_.created, row_.service_tier).total;
  };
  return cost(Consistent(usage)) >= cost(Estimate());
}

void Exchange::FillUsage() {
  delivered_ = true;
  bool odd = false;
  row_.estimated = false;
  switch (model_->output) {
    case Output::kImage:
      usage_ = EstimateUsage(PromptEstimate(), {});
      usage_.images = static_cast<int64_t>(attempt_->images().size());
      row_.finish_reason = "stop";
      return;
    case Output::kText:
      if (request_.stream) {
        usage_ = attempt_->stream().usage();
        odd = attempt_->stream().usage_odd();
        delivered_ = attempt_->stream().any_content();
        row_.finish_reason = attempt_->stream().finish_reason();
        row_.service_tier = attempt_->stream().service_tier();
      } else {
        usage_ = attempt_->answer().usage;
        odd = attempt_->answer().usage_odd;
        delivered_ = attempt_->answer().has_content;
        row_.finish_reason = attempt_->answer().finish_reason;
        row_.service_tier = attempt_->answer().service_tier;
      }
  }
  if (odd || !usage_.complete() || (IsImpossible(usage_) && !IsBilled(usage_))) {
    usage_ = Estimate();
    row_.estimated = true;
    PriceMediaWithinHold();
  }
  usage_.total = *usage_.prompt + *usage_.completion;
}

// The client leaves an answer of which nothing but [DONE] is missing: the provider's own count of
// it is here.
bool Exchange::FillWholeUsage() {
  if (!request_.stream || !attempt_ || !attempt_->is_stream()) return false;
  if (!attempt_->stream().HasFinalUsage()) return false;
  FillUsage();
  whole_ = !row_.estimated;
  if (!whole_) usage_ = {};
  row_.estimated = false;
  return whole_;
}

// What was used of an answer that the client left: what the provider has told of the prompt, and
// what was delivered.
void Exchange::FillPartialUsage() {
  if (!held_ || !attempt_ || !attempt_->is_stream()) return;
  const ChatStream& stream = attempt_->stream();
  const Usage told = stream.usage();
  Usage input;  // what is told of the output so far is counted here
  input.prompt = told.prompt;
  const bool sane = told.prompt && !stream.usage_odd() && !IsImpossible(input);
  if (!sane && !content_sent_) return;
  usage_ = {};
  row_.service_tier = stream.service_tier();
  row_.estimated = content_sent_;
  usage_.completion = 0;
  if (content_sent_) usage_ = Estimate();
  usage_.total.reset();
  if (sane) {
    usage_.prompt = told.prompt;
    usage_.cached = told.cached;
    usage_.cache_write = told.cache_write;
    usage_.cache_write_1h = told.cache_write_1h;
    usage_.audio_prompt = told.audio_prompt;
    usage_.audio_cached = told.audio_cached;
    usage_.image_prompt = told.image_prompt;
  } else {
    usage_.prompt = PromptEstimate().tokens;
  }
  PriceMediaWithinHold();
}

// The operator has chosen not to charge for it.
bool Exchange::IsWaived(bool left) const {
  const GatewayOptions& options = *world_.options;
  if (!held_) return false;
  if (left) return options.on_client_abort == ChargePolicy::kFree;
  return row_.settlement == Settlement::kEstimated &&
         options.on_missing_usage == ChargePolicy::kFree;
}

// What contradicts itself is told as it is charged, and what the provider said beside it.
void Exchange::CutToConsistent() {
  const Usage consistent = Consistent(usage_);
  if (consistent == usage_) return;
  reported_ = std::exchange(usage_, consistent);
  if (!row_.tried.empty()) {
    std::string& words = row_.tried.back().words;
    words += (words.empty() ? "" : "; ") + FiguresOf(*reported_);
    CutText(kMaxAttemptWords, &words);
  }
  usage_.total = usage_.prompt.value_or(0) + usage_.completion.value_or(0);
}

void Exchange::TellUsage() {
  row_.prompt_tokens = usage_.prompt.value_or(0);
  row_.completion_tokens = usage_.completion.value_or(0);
  row_.cached_tokens = usage_.cached.value_or(0);
  row_.reasoning_tokens = usage_.reasoning.value_or(0);
  row_.cache_write_tokens = usage_.cache_write.value_or(0);
}

// A provider that failed in the middle is paid for by who got the first half, if so chosen.
void Exchange::FillUsageOfFailure() {
  const bool charged = world_.options->on_upstream_failure == ChargePolicy::kCharge;
  if (charged && content_sent_) FillPartialUsage();
}

// What the provider may charge for the attempt that has just failed: the prompt, and what it had
// sent. Of a whole answer that was not waited for nothing is seen, and it is written all the same:
// it counts in the usual length. The estimate is kept: a request may fail at several providers.
Money Exchange::SuspectedCost(std::string_view error, bool dispatched) {
  if (!dispatched || attempt_->refused()) return {};
  if (!prompt_) prompt_ = EstimateChatPrompt(in_.body);
  TokenEstimate sent;
  DeliveredMedia media;
  std::string_view tier;
  if (attempt_->is_stream()) {
    sent = attempt_->stream().content_tokens();
    media = attempt_->stream().media();
    tier = attempt_->stream().service_tier();
  }
  // Pictures are asked for whole, also where their client wants a stream.
  const bool images = model_->output == Output::kImage;
  const bool unseen = !attempt_->is_stream() && (images || !request_.stream) &&
                      (error == kAbandoned || error == TraitsOf(ErrorCode::kUpstreamTimeout).name);
  if (unseen && !images) {
    const int64_t longest = ToldLength().value_or(kExpectedAnswerTokens);
    sent.tokens = std::min(longest, kExpectedAnswerTokens) * request_.choices;
  }
  Usage usage = EstimateUsage(*prompt_, sent, media);
  if (unseen && images) usage.images = request_.choices;
  return CostOf(usage, *endpoint_->price, row_.created, tier).upstream;
}

// The client has left. Reads the answer to its end where its provider charges for all of it anyway;
// what was delivered until here is in usage_, should that fail.
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
    const Usage delivered = std::exchange(usage_, {});
    const bool guessed = row_.estimated;
    FillUsage();
    whole_ = !row_.estimated;
    if (!whole_) {
      usage_ = delivered;
      row_.estimated = guessed;
    }
  }
  Settle(ClientLeft());
}

// Not the client's leaving: what it was sent is not charged, whatever the policies say.
void Exchange::Stop() {
  if (state_ == State::kSettling || state_ == State::kDone) return;  // its end is on its way
  AbandonAttempt();
  if (reading_out_) return EndReadOut(false);
  row_.stopped = true;
  Error error = MakeError(ErrorCode::kShuttingDown,
                          "this gateway was stopped before the answer was complete: nothing is "
                          "charged for it, send the request again in a moment");
  if (state_ != State::kAdmitting) return Settle(std::move(error));
  Identify();
  error_ = std::move(error);
  EndError(*error_);
}

// The customer pays when the answer is complete, or when it walked away itself.
void Exchange::DecideCharge() {
  CutToConsistent();
  const bool left = error_ && error_->code == ErrorCode::kClientClosed;
  if (error_ && !left && !usage_.complete()) {
    row_.settlement = Settlement::kFailed;
  } else if (error_ && !whole_) {
    row_.settlement = content_sent_ ? Settlement::kPartial : Settlement::kCancelled;
  } else if (IsFree(delivered_, row_.finish_reason)) {
    row_.settlement = Settlement::kFree;
  } else {
    row_.settlement = row_.estimated ? Settlement::kEstimated : Settlement::kExact;
  }
  if (!error_ || usage_.complete()) TellUsage();
  // Either way the provider goes on beyond what it was told, or what is known of it is wrong.
  const bool beyond = usage_.complete() && !row_.estimated && model_->output == Output::kText &&
                      IsImpossible(usage_);
  row_.cap_ignored = beyond || IgnoredCap();
  const bool charged = row_.settlement != Settlement::kFree && usage_.complete();
  if (!charged) return;
  // The prices of the moment of admission: a change, or an hour that ends, is for later requests.
  charge_ = CostOf(usage_, *endpoint_->price, row_.created, row_.service_tier);
  row_.usage_odd = reported_.has_value();
  row_.upstream_cost = charge_.upstream;
  if (error_) row_.tried.back().suspected = {};  // it is known now
  if (IsWaived(left)) {
    row_.settlement = Settlement::kFree;
    charge_.total = {};
  }
  row_.cost = charge_.total;
}

}  // namespace seekroute
