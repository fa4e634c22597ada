#include "gateway/exchange.h"

#include <algorithm>
#include <array>

#include "base/failpoint.h"
#include "base/key_shapes.h"
#include "gateway/answer_head.h"
#include "gateway/ids.h"
#include "wire/protocols/protocols.h"
#include "wire/request_echo.h"
#include "wire/sanitize.h"

namespace seekroute {
namespace {

// A body is kept to the end of its exchange, should the provider report no usage, unless it is
// longer: then its estimate is made at once, which takes several times as long as relaying it.
constexpr size_t kMaxKeptBody = size_t{2} << 20;

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

Exchange::Exchange(Submission submission, const ExchangeWorld& world)
    : in_(std::move(submission)),
      world_(world),
      deadline_(in_.submitted + world.options->total_timeout),
      outbox_(std::move(in_.outlet), world.clock, world.options->keep_alive,
              SurfaceOf(in_.surface).keep_alive()),
      admission_{.surface = &SurfaceOf(in_.surface),
                 .profile = &in_.snapshot->ProfileNamed(in_.snapshot->default_profile)} {}

Exchange::~Exchange() {
  if (storing_) world_.store->Forget(in_.id);
}

const Ask& Exchange::ask() const {
  static const Ask kNone;
  return admission_.request ? admission_.request->ask : kNone;
}

void Exchange::Identify() {
  const UnixMillis now = world_.clock->WallTime();
  row_.created = now.seconds();
  row_.request_id = IsAcceptableRequestId(in_.request_id) ? std::move(in_.request_id)
                                                          : NewRequestId(now, world_.rng);
}

void Exchange::Start() {
  Identify();
  Status taken = Take();
  std::shared_ptr<const StoredAnswer> stored;
  if (taken.ok() && !in_.idempotency_key.empty()) taken = ClaimIdempotency(&stored);
  if (stored) return Replay(*stored);
  if (taken.ok() && (IsCharged() || ask().max_cost)) taken = BoundSpending();
  if (!taken.ok()) {
    error_ = std::move(taken.error());
    EndError(*error_);
    return;
  }
  if (IsCharged()) return Hold();
  SendNext();
}

// Takes the request in, and what the row tells of it.
Status Exchange::Take() {
  BodyScan* const scan = in_.scan ? &*in_.scan : nullptr;
  const AdmissionRules rules{world_.keys,  world_.options->require_key,         in_.origin,
                             row_.created, {.prompt = world_.options->credits}, scan};
  Status admitted =
      Admit(SurfaceOf(in_.surface), in_.body, in_.authorization, *in_.snapshot, rules, &admission_);
  in_.authorization.reset();
  if (admission_.key) {
    row_.key_id = admission_.key->key_id;
    row_.org_id = admission_.key->org_id;
  } else if (world_.options->credits) {
    row_.org_id = world_.options->local_org;
  }
  prompt_ = ask().prompt;
  // What the catalog knows is the operator's word, whatever it looks like.
  const Model* const model = admission_.model;
  row_.requested_model = model != nullptr ? ask().model : WithoutKeys(ask().model);
  row_.streamed = ask().stream;
  if (model != nullptr) row_.model = model->id;
  if (!admitted.ok()) return admitted;
  candidate_ = &candidates().front();
  deadline_ = in_.submitted + LongestTotal();
  row_.generation_id =
      NewGenerationId(admission_.profile->id_prefix, world_.clock->WallTime(), world_.rng);
  return {};
}

// False: the request is a repetition, and was answered as such or refused.
Status Exchange::ClaimIdempotency(std::shared_ptr<const StoredAnswer>* stored) {
  Status checked = IdempotencyTable::CheckHeader(in_.idempotency_key);
  if (!checked.ok()) return checked;
  const bool stores = admission_.key && admission_.key->store_answers;
  const Mac body = in_.scan ? in_.scan->digest : IdempotencyTable::DigestOf(in_.body);
  const IdempotencyClaim claim = IdempotencyTable::ClaimOf(row_.key_id, in_.idempotency_key, body);
  Status taken =
      world_.idempotency->Claim(claim, row_.generation_id, row_.created, stores ? stored : nullptr);
  if (!taken.ok()) return taken;
  claim_ = ClaimGuard(world_.idempotency, claim);
  if (stores) outbox_.Record(std::make_unique<AnswerRecorder>());
  return taken;
}

// As the first client was answered, but for the id of this request. Nothing is sent, held, charged
// or stored.
void Exchange::Replay(const StoredAnswer& stored) {
  row_.generation_id = stored.generation_id;
  row_.status = stored.head.status;
  row_.settlement = Settlement::kFree;
  UpdateTimes();
  ResponseHead head = stored.head;
  for (auto& [name, value] : head.headers) {
    if (name == "x-request-id") value = row_.request_id;
  }
  head.Add("x-seekroute-idempotent-replay", "true");
  outbox_.Head(std::move(head));
  outbox_.Rest(stored.body);
  Done();
}

// What the most patient of the model's endpoints is given: each attempt keeps to its own.
Duration Exchange::LongestTotal() const {
  Duration longest;
  for (const Candidate& candidate : candidates()) {
    longest =
        std::max(longest, OwnOr(candidate.endpoint->timeouts.total, world_.options->total_timeout));
  }
  return OwnOr(longest, world_.options->total_timeout);
}

void Exchange::SendNext() {
  candidate_ = &candidates()[next_candidate_++];
  asking_.without = false;
  Send();
}

void Exchange::Send() {
  const Endpoint& endpoint = *candidate_->endpoint;
  const Provider& provider = in_.snapshot->providers[endpoint.provider];
  row_.provider = provider.id;
  row_.model = candidate_->model->id;
  row_.price_revision = endpoint.price->revision();
  ++row_.attempts;
  claim_.SetSpent(true);

  const bool last = next_candidate_ >= candidates().size() ||
                    row_.attempts - asking_.repeats >= world_.options->retry.max_attempts;
  Result<std::unique_ptr<Transcoder>> way = OpenWay(last);
  if (!way) {
    --row_.attempts;
    --next_candidate_;
    claim_.SetSpent(row_.attempts > 0);
    if (held_) return Settle(std::move(way.error()));
    error_ = std::move(way.error());
    EndError(*error_);
    return;
  }
  Attempt::Plan plan{&provider, &endpoint, std::move(*way)};
  state_ = State::kSending;
  AttemptOwner* const owner = this;
  attempt_ = std::make_unique<Attempt>(std::move(plan), *world_.options, *world_.clock,
                                       world_.transport, owner);
  attempt_->Send();
  // What may be sent once more, without a field of ours, is kept until it is answered.
  const bool adds_member = attempt_->transcoder().adds_member();
  if (last && candidate_->answers_in_tokens() && !adds_member) ReleaseBody();
}

// How the request is said to the endpoint, and its answer to the client.
Result<std::unique_ptr<Transcoder>> Exchange::OpenWay(bool last) {
  const Endpoint& endpoint = *candidate_->endpoint;
  const GatewayOptions& options = *world_.options;
  const size_t media = options.max_media_event_bytes;
  const auto told = ToldLength();
  TranscoderPlan plan;
  plan.surface = in_.surface;
  plan.request = admission_.request.get();
  plan.body = in_.body;
  plan.upstream_model = endpoint.upstream_model;
  plan.form = &endpoint.form;
  plan.names = Names();
  if (told) plan.cap = AnswerCap{*told, endpoint.form.cap_field, ToldReasoning()};
  plan.usage = AskForUsage();
  plan.may_fall_back = !last;
  plan.max_answer_bytes = options.max_answer_bytes;
  plan.sse = candidate_->model->other_output ? SseParser::Limits{media, media} : options.sse;
  return DialectOf(endpoint.dialect).Open(plan);
}

Asking Exchange::AskForUsage() const {
  const Provider& provider = in_.snapshot->providers[candidate_->endpoint->provider];
  if (!ask().stream || !provider.stream_options || asking_.without) return Asking::kNo;
  return world_.quirks->NextStream(provider.upstream.base_url,
                                   candidate_->endpoint->upstream_model);
}

// The provider refuses a field that the client has not sent: nothing ran there.
bool Exchange::RepeatsWithoutOptions(const Error& error) const {
  const Transcoder& way = attempt_->transcoder();
  return way.adds_member() && !outbox_.head_sent() && way.RefusesAdded(error);
}

// The repeat is being answered: it was that field. A refusal for another reason is refused again,
// and teaches nothing. Nor does one of a request with members that may be the reason: a provider
// may refuse the field beside them alone.
void Exchange::NoteQuirk() {
  const Provider& provider = in_.snapshot->providers[candidate_->endpoint->provider];
  const std::string_view url = provider.upstream.base_url;
  if (std::exchange(asking_.without, false)) {
    if (!ask().is_ordinary) return;
    world_.quirks->NoteRefusedStreamOptions(url, candidate_->endpoint->upstream_model);
  } else if (attempt_->transcoder().adds_member()) {
    world_.quirks->NoteTakenStreamOptions(url, candidate_->endpoint->upstream_model);
  }
}

// After the last attempt was sent: nothing but an estimate needs the body.
void Exchange::ReleaseBody() {
  if (in_.body.size() <= kMaxKeptBody) return;
  prompt_ = PromptEstimate();
  std::string().swap(in_.body);
}

// Neither the transport nor this has a large body any more, where nobody else will be asked.
void Exchange::OnSent() {
  if (in_.body.empty() && state_ == State::kSending) outbox_.BodyGone();
}

Flow Exchange::OnOutput(std::string_view bytes) {
  if (outbox_.gone()) return Flow::kContinue;
  if (!outbox_.head_sent()) {
    NoteQuirk();
    state_ = State::kRelaying;
    UpdateTimes();
    if (candidate_->answers_in_tokens()) ReleaseBody();  // no other provider will be asked
    row_.status = 200;
    outbox_.Head(StreamHead(row_, *admission_.profile, attempt_->transcoder().Ignored()));
  }
  if (!content_sent_ && attempt_->content_relayed()) {
    content_sent_ = true;
    row_.first_content = world_.clock->Now() - in_.submitted;
  }
  const Flow flow = outbox_.Body(bytes);
  NoteDelivery(outbox_.last_sent());
  SR_FAILPOINT("mid_stream");
  return flow;
}

// Books the attempt that has just ended, however it did. `error`: why it failed; empty: it
// answered. `words`: the provider's, about that.
void Exchange::CountAttempt(std::string_view error, bool dispatched, std::string words) {
  const Money suspected = error.empty() ? Money{} : SuspectedCost(error, dispatched);
  CutText(kMaxAttemptWords, &words);
  row_.tried.push_back({row_.provider, attempt_->upstream_status(), std::string(error),
                        attempt_->waited(), suspected, std::move(words)});
  world_.stats->CountAttempt(row_.provider, row_.model, attempt_->upstream_status(),
                             attempt_->waited());
  waited_ = waited_ + attempt_->waited();
}

// Ends the attempt that runs. It is kept: its callback may be the caller's caller.
void Exchange::AbandonAttempt() {
  if (!attempt_) return;
  CountAttempt(kAbandoned, true);
  attempt_->Abandon();
  retired_.push_back(std::move(attempt_));
}

void Exchange::OnAnswered() {
  SR_FAILPOINT("after_upstream_end");
  CountAttempt({}, true);
  NoteQuirk();
  if (reading_out_) return EndReadOut(true);
  // Content that came in one piece with its end waits for the settlement.
  const bool any = attempt_->transcoder().has_content();
  if (ask().stream && any && !content_sent_) {
    row_.first_content = world_.clock->Now() - in_.submitted;
  }
  bill_ = BillNow(Ending::kAnswered);
  Settle(std::nullopt);
}

// How a provider is reached, and why it is not, is for the operator to know and to mend. A program
// that has the gateway in it is the operator's.
void Exchange::TellOperator(Error* error) const {
  const bool unreached =
      error->code == ErrorCode::kUpstreamTls || error->code == ErrorCode::kUpstreamError;
  if (!unreached || error->said_by_upstream || attempt_->upstream_status() > 0) return;
  error->words = error->message;
  if (in_.origin != Origin::kInProcess) error->message = "the provider is unavailable";
}

void Exchange::OnFailed(Error error, bool dispatched) {
  // Told by the words as they came: those of a long body's refusal are cut down to names.
  const bool repeats = RepeatsWithoutOptions(error);
  const bool comparable = !in_.body.empty() && in_.body.size() <= kMaxKeptBody;
  error.words = comparable ? WithoutEcho(error.words, in_.body, admission_.request->model_value)
                           : NameInWords(error.words);
  TellOperator(&error);
  CountAttempt(error.name(), dispatched, error.words);
  if (reading_out_) return EndReadOut(false);
  const bool in_time = world_.clock->Now() < deadline_;
  if (in_time && repeats) {
    retired_.push_back(std::move(attempt_));
    asking_.without = true;
    ++asking_.repeats;
    return Send();
  }
  const FailedAttempt failed{error, row_.attempts - asking_.repeats, dispatched,
                             outbox_.head_sent()};
  if (in_time && next_candidate_ < candidates().size() &&
      world_.options->retry.MayTryNext(failed)) {
    const Endpoint& next = *candidates()[next_candidate_].endpoint;
    world_.stats->CountFallback(row_.provider, in_.snapshot->providers[next.provider].id,
                                error.name());
    retired_.push_back(std::move(attempt_));
    SendNext();
    return;
  }
  bill_ = BillNow(Ending::kFailed);
  Settle(std::move(error));
}

void Exchange::Settle(std::optional<Error> error) {
  error_ = std::move(error);
  state_ = State::kSettling;
  UpdateTimes();
  row_.status = error_ ? error_->status() : 200;
  if (error_) row_.error = error_->name();
  Enter(bill_, &row_);
  if (row_.cap_ignored) {
    world_.stats->CountCapIgnored(row_.provider, row_.model);
  } else if (row_.finish_reason == "length" && ToldLength()) {
    world_.stats->NoteCapKept(row_.provider, row_.model);
  }
  storing_ = true;
  waits_until_ = world_.clock->Now() + world_.options->settle_patience;
  if (held_ && row_.cost > row_.held) {
    // The client pays no more than was held. The store is told all of a measured cost, to book what
    // is above it as the operator's loss; an estimate is no loss.
    ExchangeRecord full = row_;
    if (row_.settlement != Settlement::kExact) full.cost = row_.held;
    row_.cost = row_.held;
    bill_.charge.total = row_.held;
    world_.store->Settle(in_.id, full, this);
  } else {
    world_.store->Settle(in_.id, row_, this);
  }
  if (state_ == State::kSettling) world_.host->OnDeadline(in_.id, waits_until_);
}

void Exchange::OnStored(StoreTicket, const Status& status) {
  if (!storing_) return;
  storing_ = false;
  // A store that failed does not take a finished answer from the client: the answer is there and
  // the failure is the operator's, counted and alarmed on.
  if (!status.ok()) world_.stats->CountError("seekroute_" + std::string(status.error().name()));
  if (state_ == State::kSettling) return EndExchange();
  world_.host->OnFinished(in_.id);  // its client did not wait
}

void Exchange::EndExchange() {
  // A whole answer is recorded also for a client that left in its last moments: it will be back.
  if (outbox_.gone() && (error_ || !outbox_.records())) {
    Done();
  } else if (error_) {
    EndError(*error_);
  } else {
    EndAnswer();
  }
}

void Exchange::EndAnswer() {
  Transcoder& way = attempt_->transcoder();
  std::string out;
  way.Finish(Report(), &out);
  if (!outbox_.head_sent()) {
    const Profile& profile = *admission_.profile;
    outbox_.Head(ask().stream ? StreamHead(row_, profile, way.Ignored())
                              : AnswerHead(row_, profile, out.size(), way.Ignored()));
  }
  outbox_.Rest(out);
  Done();
}

void Exchange::EndError(const Error& error) {
  row_.error = error.name();
  row_.status = error.status();
  UpdateTimes();
  const std::string routing = Routing();
  const ErrorPlace place{row_.request_id, in_.origin == Origin::kServerApiV1, row_.provider,
                         routing};
  if (outbox_.head_sent()) {
    std::string out;
    LastTranscoder().Fail(error, *admission_.profile, place, &out);
    outbox_.Rest(out);
  } else {
    const std::string body = admission_.surface->WriteError(error, *admission_.profile, place);
    ResponseHead head = ErrorHead(error, row_.request_id, body.size());
    // There is a row of it, to be looked up.
    if (held_) head.Add("x-generation-id", row_.generation_id);
    outbox_.Head(std::move(head));
    outbox_.Rest(body);
  }
  Done();
}

void Exchange::Done() {
  state_ = State::kDone;
  // After the last byte of whatever the client got.
  claim_.End(error_ ? nullptr : outbox_.TakeRecorded(row_.generation_id));
  std::string error_type;
  if (error_) {
    const ErrorTraits& traits = TraitsOf(error_->code);
    error_type = std::string(FaultName(traits.fault)) + std::string(traits.name);
  }
  world_.stats->CountExchange(admission_.surface->label(), row_, error_type);
  outbox_.End(std::move(row_));
  world_.host->OnFinished(in_.id);
}

void Exchange::Cancel() {
  if (state_ == State::kDone || outbox_.gone()) return;
  outbox_.Leave();
  if (state_ == State::kSettling) return;
  bill_ = BillNow(Ending::kClientLeft);
  if (!bill_.whole && StartReadOut()) return;
  AbandonAttempt();
  Settle(ClientLeft());
}

Error Exchange::ClientLeft() {
  return MakeError(ErrorCode::kClientClosed, "the client closed the connection");
}

void Exchange::Resume() {
  if (attempt_) attempt_->Resume();
}

TimePoint Exchange::NextDeadline() const {
  if (state_ == State::kSettling) return waits_until_;
  if (state_ == State::kHolding) return std::min(waits_until_, deadline_);
  TimePoint next = attempt_ ? attempt_->NextDeadline() : TimePoint::Never();
  if (state_ == State::kDone) return next;
  next = std::min(next, deadline_);
  if (state_ == State::kRelaying && !reading_out_) {
    next = std::min({next, outbox_.NextKeepAlive(), note_at_});
  }
  return next;
}

void Exchange::OnTimer(TimePoint now) {
  if (state_ == State::kSettling) {
    if (now < waits_until_) return;
    world_.stats->CountLateSettle();
    return EndExchange();
  }
  if (state_ == State::kHolding) return OnHoldTimer(now);
  if (state_ != State::kDone && now >= deadline_) {
    // An answer of which nothing but [DONE] is missing is complete, whatever ends it.
    if (attempt_ && attempt_->EndWhole()) return;
    if (!reading_out_) bill_ = BillNow(Ending::kFailed);
    AbandonAttempt();
    if (reading_out_) return EndReadOut(false);
    return Settle(
        MakeError(ErrorCode::kUpstreamTimeout, "the request took longer than this gateway allows"));
  }
  if (attempt_) attempt_->OnTimer(now);
  if (state_ != State::kRelaying || reading_out_) return;
  if (now >= note_at_) NoteProgress();
  outbox_.KeepAlive(now);
}

void Exchange::UpdateTimes() {
  row_.total = world_.clock->Now() - in_.submitted;
  const Duration waited = state_ == State::kRelaying || state_ == State::kSending
                              ? waited_ + (attempt_ ? attempt_->waited() : Duration{})
                              : waited_;
  row_.overhead = std::max(row_.total - waited, Duration{});
}

}  // namespace seekroute
