#include "gateway/tries.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/failpoint.h"
#include "billing/cost.h"
#include "gateway/quote.h"
#include "wire/protocols/protocols.h"
#include "wire/request_echo.h"
#include "wire/sanitize.h"

namespace seekroute {
namespace {

// In rows, the word of an attempt that we ended: its client left or the time was up.
constexpr std::string_view kAbandoned = "abandoned";

// A body is kept to the end of its request, should the provider report no usage, unless it is
// longer: then its estimate is made at once, which takes several times as long as relaying it.
constexpr size_t kMaxKeptBody = size_t{2} << 20;

// What is measured of an answer says little below these.
constexpr Duration kLeastSpan = Duration::Milliseconds(200);
constexpr int64_t kLeastTokens = 20;
constexpr Duration kWorthNoting = Duration::Seconds(1);

// A try that was given less, when the time was up, has proved nothing.
constexpr Duration kFairTime = Duration::Seconds(5);

// As the profile has the name of the model that answers.
std::string AnswerModelOf(const Admission& admission, const Model& model) {
  switch (admission.profile->answer_model) {
    case AnswerModel::kAsAsked:
      // What another model answers is not called by the name of the first, nor by that of a list.
      if (admission.automatic || model.id != admission.model->id ||
          admission.route.strategy == "virtual" || admission.route.strategy == "fallback") {
        return model.id;
      }
      return admission.request->ask.model;
    case AnswerModel::kBare:
      return model.id.substr(model.id.find('/') + 1);
    case AnswerModel::kCanonical:
      break;
  }
  return model.id;
}

}  // namespace

Tries::Tries(const TriesPlan& plan, const ExchangeWorld& world, TriesOwner* owner)
    : plan_(plan),
      world_(world),
      owner_(owner),
      turns_(plan.admission, plan.snapshot, plan.purse, plan.gate, &world) {}

Tries::~Tries() { ReleaseSlot(); }

bool Tries::won_beside() const { return won_ && current_->hedge && tries_.front()->lost; }

void Tries::ReleaseSlot() {
  if (std::exchange(has_slot_, false)) world_.read_outs->Release();
}

const Provider& Tries::ProviderOf(const Candidate& candidate) const {
  return plan_.snapshot->providers[candidate.endpoint->provider];
}

const Candidate& Tries::candidate() const {
  if (current_ != nullptr) return *current_->candidate;
  const std::vector<Candidate>& candidates = plan_.admission->route.candidates;
  const size_t next = turns_.FirstPlace();
  return next < candidates.size() ? candidates[next] : candidates.front();
}

size_t Tries::selected() const {
  if (current_ == nullptr) return 0;
  return static_cast<size_t>(current_->candidate - plan_.admission->route.candidates.data()) + 1;
}

TokenEstimate Tries::Prompt() const {
  if (!prompt_) prompt_ = ask().prompt;
  if (!prompt_) prompt_ = plan_.admission->surface->EstimatePrompt(*plan_.body);
  return *prompt_;
}

void Tries::Send(Turns::Turn turn, bool repeats) {
  const bool anew = running_ == 0;
  const Candidate& candidate = plan_.admission->route.candidates[turn.place];
  Result<std::unique_ptr<Transcoder>> transcoder = Open(candidate, repeats);
  if (!transcoder) return OnUnsaid(std::move(transcoder.error()));
  ++sent_;
  const size_t key = turn.permit.key();
  if (!repeats) {
    turns_.Begin(turn.place, key, anew);
  } else if (anew) {
    turns_.BeginAnew();
  }
  auto made = std::make_unique<Try>();
  made->candidate = &candidate;
  made->place = turn.place;
  made->key = key;
  made->permit = std::move(turn.permit);
  made->reservation = std::move(turn.reservation);
  made->repeats = repeats;
  Attempt::Plan plan{&ProviderOf(candidate), candidate.endpoint, key, made->permit.secret(),
                     std::move(*transcoder)};
  // Half of the time, where somebody may be asked behind one that was too slow.
  if (world_.options->retry.retry_ambiguous && turns_.AnyLeft()) {
    const TimePoint now = world_.clock->Now();
    plan.patience = now + Duration{(until_ - now).ns / 2};
  }
  AttemptOwner* const owner = this;
  made->attempt = std::make_unique<Attempt>(std::move(plan), *world_.options, *world_.clock,
                                            world_.transport, owner);
  current_ = made.get();
  tries_.push_back(std::move(made));
  ++running_;
  const bool last = NobodyNeedsBody();
  current_->attempt->Send();
  if (last) ReleaseBody();
}

// How the request is said to the endpoint, and its answer to the client.
Result<std::unique_ptr<Transcoder>> Tries::Open(const Candidate& candidate, bool repeats) const {
  const Endpoint& endpoint = *candidate.endpoint;
  const GatewayOptions& options = *world_.options;
  const size_t media = options.max_media_event_bytes;
  TranscoderPlan plan;
  plan.surface = plan_.admission->surface->id();
  plan.request = plan_.admission->request.get();
  plan.body = *plan_.body;
  plan.upstream_model = endpoint.upstream_model;
  plan.form = &endpoint.form;
  plan.names = names_;
  plan.names.model = AnswerModelOf(*plan_.admission, *candidate.model);
  plan.cap = plan_.purse->CapFor(candidate);
  plan.usage = AskForUsage(candidate, repeats);
  plan.may_fall_back = turns_.AnyLeft();
  plan.max_answer_bytes = options.max_answer_bytes;
  plan.sse = candidate.model->other_output ? SseParser::Limits{media, media} : options.sse;
  return DialectOf(endpoint.dialect).Open(std::move(plan));
}

Asking Tries::AskForUsage(const Candidate& candidate, bool repeats) const {
  const Provider& provider = ProviderOf(candidate);
  const bool streams = ask().stream && candidate.answers_in_tokens();
  if (!streams || !provider.stream_options || repeats) return Asking::kNo;
  return world_.quirks->NextStream(provider.upstream.base_url, candidate.endpoint->upstream_model);
}

Tries::Try& Tries::TryOf(const Attempt* attempt) {
  return **std::ranges::find_if(
      tries_, [attempt](const auto& each) { return each->attempt.get() == attempt; });
}

void Tries::Resume() {
  if (running_ > 0) current_->attempt->Resume();
}

bool Tries::EndWhole() { return running_ > 0 && current_->attempt->EndWhole(); }

void Tries::Abandon() {
  pause_.reset();
  hedge_at_ = TimePoint::Never();
  AbandonAllBut(nullptr);
}

// The current one last: the bill is of the last record.
void Tries::AbandonAllBut(const Try* winner) {
  const auto abandon = [this, winner](Try* each) {
    if (each->over) return;
    Tell(each, VerdictOnAbandoned(*each->attempt));
    each->lost = winner != nullptr;
    Count(each, winner != nullptr ? kHedgeLost : kAbandoned, true);
    each->attempt->Abandon();
    FreeSlotOf(each);
  };
  for (const auto& each : tries_) {
    if (each.get() != winner && each.get() != current_) abandon(each.get());
  }
  if (current_ != nullptr && current_ != winner) abandon(current_);
}

bool Tries::ReadOut() {
  if (running_ != 1 || current_->over) return false;
  if (current_->attempt->provider().on_abort != OnAbort::kReadOut) return false;
  if (!world_.read_outs->Take()) return false;
  reading_out_ = has_slot_ = true;
  current_->attempt->Resume();
  return true;
}

Duration Tries::waited() const {
  Duration longest;
  for (const auto& each : tries_) {
    if (!each->over) longest = std::max(longest, each->attempt->waited());
  }
  return waited_ + longest;
}

bool Tries::quiet() const {
  return std::ranges::all_of(tries_,
                             [](const auto& each) { return each->attempt->transfer_done(); });
}

// The repeat is being answered: it was that member. A refusal for another reason is refused again,
// and teaches nothing. Nor does one of a request with members that may be the reason: a provider
// may refuse the member beside them alone.
void Tries::NoteQuirk(const Try& of) const {
  const std::string_view url = ProviderOf(*of.candidate).upstream.base_url;
  const std::string_view model = of.candidate->endpoint->upstream_model;
  if (of.repeats) {
    if (ask().is_ordinary) world_.quirks->NoteRefusedStreamOptions(url, model);
  } else if (of.attempt->transcoder().adds_member()) {
    world_.quirks->NoteTakenStreamOptions(url, model);
  }
}

void Tries::Win(Try* winner) {
  won_ = true;
  current_ = winner;
  hedge_at_ = TimePoint::Never();
  if (winner->hedge) world_.stats->CountHedge("won");
  NoteQuirk(*winner);
  AbandonAllBut(winner);
}

// After the last attempt was sent: nothing but an estimate needs the body.
void Tries::ReleaseBody() {
  if (plan_.body->size() <= kMaxKeptBody) return;
  (void)Prompt();
  std::string().swap(*plan_.body);
}

// Neither the transport nor this has a large body any more, where nobody else will be asked.
void Tries::OnSent(Attempt* attempt) {
  TryOf(attempt).sent = true;
  const bool all =
      std::ranges::all_of(tries_, [](const auto& each) { return each->over || each->sent; });
  if (all && plan_.body->empty() && !won_) owner_->OnBodyGone();
}

// At once: by the end of its answer it is old.
void Tries::OnTold(Attempt* attempt, const ToldLimits& told) {
  const Permit& permit = TryOf(attempt).permit;
  if (permit.valid()) world_.health->Tell(permit, told, world_.clock->Now());
}

Flow Tries::OnOutput(Attempt* attempt, std::string_view bytes) {
  if (!won_) {
    Win(&TryOf(attempt));
    ReleaseBody();  // no other provider will be asked
  }
  return owner_->OnContent(bytes);
}

void Tries::OnAnswered(Attempt* attempt) {
  SR_FAILPOINT("after_upstream_end");
  Try& answered = TryOf(attempt);
  if (!won_) Win(&answered);
  Tell(&answered, Answered());
  Count(&answered, {}, true);
  owner_->OnAnswered();
}

// How a provider is reached, and why it is not, is for the operator to know and to mend. A program
// that has the gateway in it is the operator's.
void Tries::TellOperator(const Attempt& attempt, Error* error) const {
  const bool unreached =
      error->code == ErrorCode::kUpstreamTls || error->code == ErrorCode::kUpstreamError;
  if (!unreached || error->said_by_upstream || attempt.upstream_status() > 0) return;
  error->words = error->message;
  if (plan_.origin != Origin::kInProcess) error->message = "the provider is unavailable";
}

void Tries::OnFailed(Attempt* attempt, Error error, bool dispatched) {
  Try& failed = TryOf(attempt);
  // Told by the words as they came: those of a long body's refusal are cut down to names.
  const Transcoder& transcoder = attempt->transcoder();
  failed.may_repeat = !won_ && transcoder.adds_member() && transcoder.RefusesAdded(error);
  const bool comparable = !plan_.body->empty() && plan_.body->size() <= kMaxKeptBody;
  error.words = comparable
                    ? WithoutEcho(error.words, *plan_.body, plan_.admission->request->model_value)
                    : NameInWords(error.words);
  TellOperator(*attempt, &error);
  const FailedAttempt judged = Judge(*attempt, error, dispatched);
  Tell(&failed, VerdictOn(judged));
  Count(&failed, error.name(), dispatched, error.words);
  // A refusal of the gateway's own member says nothing of the request.
  if (!failed.may_repeat) turns_.Failed(failed.place, judged);
  if (running_ > 0) {  // it may answer
    current_ = std::ranges::find(tries_, false, [](const auto& each) { return each->over; })->get();
    return;
  }
  current_ = &failed;
  GoOn(failed, judged);
}

FailedAttempt Tries::Judge(const Attempt& attempt, const Error& error, bool dispatched) const {
  const int status = attempt.upstream_status();
  return {.error = error,
          .dispatched = dispatched,
          .content_relayed = won_,
          .in_answer = status >= 200 && status < 300,
          .own_limit = attempt.met_own_limit(),
          .of_client = attempt.stalled() || (hurried_ && attempt.met_patience())};
}

// What the end of a try says to whoever asks next.
void Tries::Tell(Try* ended, const AttemptVerdict& verdict) {
  if (!ended->permit.valid()) return;
  const Attempt& attempt = *ended->attempt;
  const Transcoder& transcoder = attempt.transcoder();
  const bool ok = verdict.outcome == Outcome::kOk;
  Measured measured;
  if (transcoder.streams()) {
    measured.first_content = attempt.first_content();
    // One that was not waited for would have taken longer.
    const bool waited =
        attempt.running() >= kWorthNoting && verdict.outcome != Outcome::kOriginFault;
    if (!ok && !attempt.content_relayed() && waited) measured.first_content = attempt.running();
    const Duration span = ok ? attempt.in_content() : Duration{};
    if (span >= kLeastSpan) {
      const int64_t tokens = transcoder.reading().usage.completion.value_or(0);
      if (tokens >= kLeastTokens) {
        measured.tokens_per_second = static_cast<double>(tokens) * 1000 / span.ms();
      }
    }
  }
  uint64_t body = 0;
  if (IsFault(verdict.outcome) && !plan_.body->empty()) {
    body = std::hash<std::string_view>{}(*plan_.body) | 1;
  }
  const uint64_t random = ok ? 0 : Random();
  (void)world_.health->Report(std::move(ended->permit), verdict, body, measured, random,
                              world_.clock->Now());
}

// Whoever is left, or loses, has done nothing wrong; but for one that used up the time of a request
// that had all of it.
AttemptVerdict Tries::VerdictOnAbandoned(const Attempt& attempt) const {
  const bool late = !hurried_ && world_.clock->Now() >= until_ && !attempt.content_relayed();
  if (late && attempt.running() >= kFairTime) return {Outcome::kFault, {}, {}};
  return {};
}

void Tries::OnTransferOver(Attempt* attempt) {
  FreeSlotOf(&TryOf(attempt));
  owner_->OnQuiet();
}

// Whoever is asked has room again once nothing of it runs there.
void Tries::FreeSlotOf(Try* ended) {
  if (ended->over && ended->attempt->transfer_done()) ended->reservation = {};
}

// Books a try that has ended, however it did. `error`: why it failed; empty: it answered. `words`:
// the provider's, about that.
void Tries::Count(Try* ended, std::string_view error, bool dispatched, std::string words) {
  const Attempt& attempt = *ended->attempt;
  const Money suspected = error.empty() ? Money{} : SuspectedCost(*ended, error, dispatched);
  // Who is abandoned is waited for until then, however silent.
  const bool abandoned = error == kHedgeLost || error == kAbandoned;
  const Duration waited = abandoned ? attempt.running() : attempt.waited();
  CutText(kMaxAttemptWords, &words);
  const std::string& provider = attempt.provider().id;
  records_.push_back({provider, attempt.upstream_status(), std::string(error), waited, suspected,
                      std::move(words), ended->candidate->model->id});
  world_.stats->CountAttempt(provider, ended->candidate->model->id, attempt.upstream_status(),
                             waited);
  if (ended->hedge && !(won_ && ended == current_)) world_.stats->CountHedge("lost");
  ended->over = true;
  // What runs beside it counts the time that both have run.
  Duration beside;
  for (const auto& each : tries_) {
    if (!each->over) beside = std::max(beside, each->attempt->running());
  }
  waited_ = waited_ + std::max(waited - beside, Duration{});
  --running_;
  if (ended->reservation.holds()) {
    const bool charged = error.empty() || (dispatched && !attempt.refused());
    ended->reservation.Settle(UsedBy(attempt, charged, [this] { return Prompt(); }),
                              {world_.clock->Now(), world_.clock->WallTime()});
    FreeSlotOf(ended);
  }
  ReleaseSlot();
}

// What the provider may charge for a try that has failed: the prompt, and what it had sent. Of a
// whole answer that was not waited for nothing is seen, and it is written all the same: it counts
// in the usual length. The estimate is kept: a request may fail at several providers.
Money Tries::SuspectedCost(const Try& of, std::string_view error, bool dispatched) const {
  if (!dispatched || of.attempt->refused()) return {};
  const Candidate& candidate = *of.candidate;
  TokenEstimate sent;
  DeliveredMedia media;
  const Reading reading = of.attempt->transcoder().reading();
  std::string_view tier;
  if (reading.streamed) {
    sent = of.attempt->transcoder().CountContent();
    media = reading.media;
    tier = reading.service_tier;
  }
  const bool unseen = !reading.streamed && (error == kAbandoned || error == kHedgeLost ||
                                            error == TraitsOf(ErrorCode::kUpstreamTimeout).name);
  if (unseen && candidate.answers_in_tokens()) {
    const int64_t longest = plan_.purse->ToldLength(candidate).value_or(kExpectedAnswerTokens);
    sent.tokens = std::min(longest, kExpectedAnswerTokens) * ask().choices;
  }
  Usage usage = EstimateUsage(Prompt(), sent, media);
  const int64_t pieces = candidate.endpoint->pieces;
  if (unseen && pieces > 0) usage.images = pieces * ask().choices;
  return CostOf(usage, candidate.price(), created_, tier).upstream;
}

}  // namespace seekroute
