// What is known of an exchange at any time: its bill, its record, and what its client is told of
// both.
#include <algorithm>
#include <string>
#include <utility>

#include "billing/cost.h"
#include "gateway/exchange.h"
#include "gateway/routing_report.h"
#include "wire/sanitize.h"

namespace seekroute {
namespace {

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

std::string_view FaultName(Fault fault) {
  switch (fault) {
    case Fault::kCaller:
      return "caller_";
    case Fault::kPolicy:
      return "policy_";
    case Fault::kProvider:
      return "provider_";
    case Fault::kGateway:
      break;
  }
  return "seekroute_";
}

}  // namespace

void Exchange::AddChoice(ResponseHead* head) const {
  constexpr std::string_view kName = "x-seekroute-route";
  const std::optional<AutoRoute>& chosen = admission_.route.automatic;
  // What is sent again has the choice of its first time.
  const auto is_it = [&](const auto& each) { return each.first == kName; };
  if (!chosen || std::ranges::any_of(head->headers, is_it)) return;
  const std::string choice = WriteChoice(*chosen, admission_.profile->usage_cost);
  if (!choice.empty()) head->Add(kName, choice);
}

// What is known of the answer that the current try gives.
Used Exchange::UsedSoFar() const {
  Used used;
  const Candidate& candidate = tries_.candidate();
  const Transcoder* const transcoder = tries_.transcoder();
  used.choices = ask().choices;
  used.delivered = outbox_.has_content();
  used.prompt = [this] { return tries_.Prompt(); };
  if (transcoder == nullptr) return used;
  Reading reading = transcoder->reading();
  used.streamed = reading.streamed;
  used.any_output = reading.any_output;
  used.finish_reason = std::move(reading.finish_reason);
  if (candidate.endpoint->pieces > 0) {  // charged by the piece: nobody counts its tokens
    used.told = EstimateUsage(tries_.Prompt(), {});
    used.told.images = reading.usage.images;
    return used;
  }
  used.told = reading.usage;
  used.odd = reading.usage_odd;
  used.told_whole = reading.usage_whole;
  used.service_tier = std::move(reading.service_tier);
  used.media = reading.media;
  used.content = [transcoder] { return transcoder->CountContent(); };
  purse_.Judge(candidate, &used);
  return used;
}

// The bill if the request ended so now.
Bill Exchange::BillNow(Ending ending) const {
  const GatewayOptions& options = *world_.options;
  BillPolicy policy{options.on_client_abort, options.on_upstream_failure, options.on_missing_usage,
                    std::nullopt};
  if (purse_.holds()) policy.held = purse_.held();
  Bill bill = BillFor(ending, UsedSoFar(), policy, tries_.candidate().price(), record_.created);
  // Nothing is sold to the operator.
  if (in_.origin == Origin::kShadow) bill.charge.total = bill.charge.upstream;
  return bill;
}

void Exchange::Compose(const Bill& bill) {
  record_.total = world_.clock->Now() - in_.submitted;
  record_.overhead = std::max(record_.total - tries_.waited() - gate_.queue().Waited(), Duration{});
  record_.queued = gate_.queue().Waited();
  record_.settlement = bill.settlement;
  const bool unanswered =
      state_ == State::kAdmitting || state_ == State::kQueued || state_ == State::kHolding;
  if (error_) {
    record_.error = error_->name();
    record_.status = error_->status();
    record_.availability = error_->availability;
    for (const ErrorFact& fact : error_->facts) {
      if (fact.name == "limit") record_.limit = fact.value;
    }
  } else if (!unanswered) {
    record_.status = 200;
  }
  if (admission_.route.candidates.empty()) return;

  const Candidate& candidate = tries_.candidate();
  record_.model = candidate.model->id;
  record_.price_revision = candidate.price().revision();
  record_.held = purse_.held();
  record_.attempts = tries_.sent();
  if (const Attempt* const attempt = tries_.current()) record_.provider = attempt->provider().id;
  if (outbox_.has_content()) record_.first_content = outbox_.first_content() - in_.submitted;
  record_.estimated = bill.estimated;
  record_.finish_reason = bill.finish_reason;
  record_.service_tier = bill.service_tier;
  record_.prompt_tokens = bill.usage.prompt.value_or(0);
  record_.completion_tokens = bill.usage.completion.value_or(0);
  record_.cached_tokens = bill.usage.cached.value_or(0);
  record_.reasoning_tokens = bill.usage.reasoning.value_or(0);
  record_.cache_write_tokens = bill.usage.cache_write.value_or(0);
  // Either way the provider goes on beyond what it was told, or what is known of it is wrong.
  record_.cap_ignored = bill.beyond || purse_.IgnoredCap(candidate, bill);
  record_.usage_odd = bill.priced && bill.reported.has_value();
  record_.upstream_cost = bill.charge.upstream;
  record_.cost = bill.charge.total;

  record_.tried.assign(tries_.records().begin(), tries_.records().end());
  if (tries_.running()) record_.tried.emplace_back();  // as if it had ended
  if (record_.tried.empty()) return;
  AttemptRecord& last = record_.tried.back();
  if (bill.priced) last.suspected = {};  // it is known now
  if (bill.reported) {
    last.words += (last.words.empty() ? "" : "; ") + FiguresOf(*bill.reported);
    CutText(kMaxAttemptWords, &last.words);
  }
}

// A second request is no client's: shadow pairs are counted by themselves.
void Exchange::CountEnd() const {
  if (in_.origin == Origin::kShadow) return;
  std::string error_type;
  if (error_) {
    const ErrorTraits& traits = TraitsOf(error_->code);
    error_type = std::string(FaultName(traits.fault)) + std::string(traits.name);
  }
  world_.stats->CountExchange(admission_.surface->label(), record_, error_type);
}

UsageReport Exchange::Report() const {
  UsageReport report{bill_.usage, std::nullopt, Routing()};
  report.reported = bill_.reported;
  if (admission_.profile->usage_cost) {
    report.cost = {.cost = bill_.charge.total,
                   .details = admission_.profile->upstream_cost,
                   .upstream = bill_.charge.upstream,
                   .upstream_prompt = bill_.charge.upstream_prompt,
                   .upstream_completion = bill_.charge.upstream_completion};
  }
  return report;
}

// Costs the writer of the ledger nothing where the row alone tells all.
void Exchange::KeepRouting() {
  const Duration queued = gate_.queue().Waited();
  // Of a second answer also where its hold came too late: that leaves a row, too.
  if (in_.shadow_of.empty()) {
    if (!purse_.holds()) return;
    const bool asked = in_.explain != Explain::kNo || record_.tried.size() > 1;
    if (!asked && queued.ns == 0 && !HasLeftOut(admission_.route, tries_.skipped())) return;
  }
  record_.routing = WriteStoredRouting(admission_.route, tries_.skipped(), queued, in_.shadow_of);
}

std::string Exchange::Routing() const {
  if (in_.explain == Explain::kNo || admission_.model == nullptr) return {};
  return WriteRouting(in_.explain, record_, admission_.route, *in_.snapshot, tries_.selected(),
                      tries_.skipped(), world_.stats, gate_.Report());
}

// Who has answered knows how the prompt begins. What the client has not named counts only where a
// cache did, and a quicker second call proves nothing of the first. A chosen model stays for the
// conversation, whoever's cache knows it.
void Exchange::Remember() const {
  const StickyKey& key = admission_.sticky;
  if (world_.sticky == nullptr || !key.valid() || tries_.won_beside()) return;
  const Endpoint& endpoint = *tries_.candidate().endpoint;
  const bool cached = record_.cached_tokens > 0 || record_.cache_write_tokens > 0;
  const bool helps = HasCachePrice(endpoint) && (key.named || cached);
  if (!helps && !admission_.keeps_model) return;
  world_.sticky->Put(key, endpoint.id, world_.clock->Now());
}

// Of whole answers that their provider has counted: an estimate knows nothing of its thinking.
void Exchange::LearnLength() const {
  const std::optional<AutoRoute>& chosen = admission_.route.automatic;
  if (world_.answers == nullptr || !chosen || record_.estimated) return;
  if (record_.completion_tokens <= 0 || !tries_.candidate().answers_in_tokens()) return;
  const int64_t each = record_.completion_tokens / std::max<int64_t>(1, ask().choices);
  const bool cut = record_.finish_reason == "length";
  world_.answers->Learn(record_.model, chosen->difficulty, each, cut);
}

}  // namespace seekroute
