#include "gateway/exchange.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/failpoint.h"
#include "base/key_shapes.h"
#include "gateway/answer_head.h"
#include "gateway/ids.h"
#include "wire/protocols/protocols.h"

namespace seekroute {
namespace {

Error ClientClosed() {
  return MakeError(ErrorCode::kClientClosed, "the client closed the connection");
}

}  // namespace

// Every move there is.
struct Exchange::Table {
  using enum State;
  using enum Event;
  static constexpr std::array kMoves = std::to_array<Transition>({
      {kAdmitting, kRefused, kDone, &Exchange::Refuse},
      {kAdmitting, kRepeated, kDone, &Exchange::Close},
      {kAdmitting, kWaits, kQueued, &Exchange::Wait},
      {kAdmitting, kPays, kHolding, &Exchange::Hold},
      {kAdmitting, kFree, kAsking, &Exchange::StartTries},
      {kAdmitting, kStop, kDone, &Exchange::Refuse},

      // It holds nothing but its Idempotency-Key.
      {kQueued, kWaits, kQueued, &Exchange::Wait},
      {kQueued, kRefused, kDone, &Exchange::Refuse},
      {kQueued, kPays, kHolding, &Exchange::Hold},
      {kQueued, kFree, kAsking, &Exchange::StartTries},
      {kQueued, kLeft, kDone, &Exchange::Refuse},  // nobody can be told it
      {kQueued, kStop, kDone, &Exchange::Refuse},

      {kHolding, kHeld, kAsking, &Exchange::StartTries},
      {kHolding, kRefused, kDone, &Exchange::Refuse},
      // These settle a hold that may still be on its way: the store gives it back.
      {kHolding, kHoldLate, kSettling, &Exchange::Settle},
      {kHolding, kLeft, kSettling, &Exchange::Settle},
      {kHolding, kStop, kSettling, &Exchange::Settle},

      {kAsking, kRefused, kDone, &Exchange::Refuse},  // nobody can be told it
      {kAsking, kContent, kRelaying, &Exchange::SendHead},
      {kAsking, kAnswered, kSettling, &Exchange::Settle},
      {kAsking, kOutOfTries, kSettling, &Exchange::Settle},
      {kAsking, kLeft, kSettling, &Exchange::Settle},
      {kAsking, kLeftReadable, kReadingOut, &Exchange::ReadOn},
      {kAsking, kDeadline, kSettling, &Exchange::Settle},
      {kAsking, kStop, kSettling, &Exchange::Settle},

      {kRelaying, kAnswered, kSettling, &Exchange::Settle},
      {kRelaying, kOutOfTries, kSettling, &Exchange::Settle},
      {kRelaying, kLeft, kSettling, &Exchange::Settle},
      {kRelaying, kLeftReadable, kReadingOut, &Exchange::ReadOn},
      {kRelaying, kDeadline, kSettling, &Exchange::Settle},
      {kRelaying, kStop, kSettling, &Exchange::Settle},

      // The bill of what was delivered stands, unless the answer comes whole.
      {kReadingOut, kAnswered, kSettling, &Exchange::Settle},
      {kReadingOut, kOutOfTries, kSettling, &Exchange::Settle},
      {kReadingOut, kDeadline, kSettling, &Exchange::Settle},
      {kReadingOut, kStop, kSettling, &Exchange::Settle},

      {kSettling, kSettled, kDone, &Exchange::Deliver},
      {kSettling, kSettleLate, kDone, &Exchange::DeliverLate},

      {kDone, kSettled, kDone, &Exchange::TellHost},  // its client did not wait for it
  });

  // The place of each move in kMoves, by state and event; kMoves.size() where there is none.
  using Index = std::array<std::array<uint8_t, kEvents>, kStates>;
  static constexpr Index kIndex = [] {
    Index index{};
    for (auto& row : index) row.fill(kMoves.size());
    for (size_t i = 0; i < kMoves.size(); ++i) {
      index[static_cast<size_t>(kMoves[i].in)][static_cast<size_t>(kMoves[i].event)] =
          static_cast<uint8_t>(i);
    }
    return index;
  }();

  static constexpr const Transition* Find(State in, Event event) {
    const size_t at = kIndex[static_cast<size_t>(in)][static_cast<size_t>(event)];
    return at < kMoves.size() ? &kMoves[at] : nullptr;
  }

  static constexpr bool NamesNothingTwice() {
    for (const Transition& move : kMoves) {
      if (Find(move.in, move.event) != &move) return false;
    }
    return true;
  }

  // From each state, and it is never left.
  static constexpr bool EndsEverywhere() {
    std::array<bool, kStates> ends{};
    ends[static_cast<size_t>(kDone)] = true;
    for (size_t round = 0; round < kStates; ++round) {
      for (const Transition& move : kMoves) {
        if (move.in == kDone && move.to != kDone) return false;
        if (ends[static_cast<size_t>(move.to)]) ends[static_cast<size_t>(move.in)] = true;
      }
    }
    return std::ranges::all_of(ends, [](bool each) { return each; });
  }
};

bool Exchange::Knows(Event event) const { return Table::Find(state_, event) != nullptr; }

void Exchange::Fire(Event event) {
  static_assert(Table::NamesNothingTwice());
  static_assert(Table::EndsEverywhere());
  const Transition* const move = Table::Find(state_, event);
  if (move == nullptr) return;
  state_ = move->to;
  (this->*move->act)();
}

Exchange::Exchange(Submission submission, const ExchangeWorld& world)
    : in_(std::move(submission)),
      world_(world),
      admission_{.surface = &SurfaceOf(in_.surface),
                 .profile = &in_.snapshot->ProfileNamed(in_.snapshot->default_profile)},
      gate_(&admission_, &in_, world_),
      outbox_(std::move(in_.outlet), world.clock, world.options->keep_alive,
              admission_.surface->keep_alive()),
      purse_(in_.id, &admission_, world_, this),
      tries_({&admission_, in_.snapshot.get(), &purse_, &in_.body, in_.origin, &gate_}, world_,
             this) {}

Exchange::~Exchange() = default;

const Ask& Exchange::ask() const {
  static const Ask kNone;
  return admission_.request ? admission_.request->ask : kNone;
}

void Exchange::Identify() {
  const UnixMillis now = world_.clock->WallTime();
  record_.created = now.seconds();
  record_.request_id = IsAcceptableRequestId(in_.request_id) ? std::move(in_.request_id)
                                                             : NewRequestId(now, world_.rng);
}

void Exchange::Start() {
  if (world_.options->server_timing || in_.explain != Explain::kNo) laps_ = Laps(world_.clock);
  laps_.Begin();
  Identify();
  Status taken = TakeIn();
  std::shared_ptr<const StoredAnswer> stored;
  if (taken.ok() && !in_.idempotency_key.empty()) taken = Claim(&stored);
  if (stored) return Replay(*stored);
  if (taken.ok()) return PassGate();
  error_ = std::move(taken.error());
  Fire(Event::kRefused);
}

// Takes the request in, and what the record tells of it.
Status Exchange::TakeIn() {
  BodyScan* const scan = in_.scan ? &*in_.scan : nullptr;
  const AdmissionRules rules{.keys = world_.keys,
                             .require_key = world_.options->require_key,
                             .origin = in_.origin,
                             .now = record_.created,
                             .scope = {.prompt = world_.options->credits},
                             .scan = scan,
                             .gate = &gate_,
                             .seed = world_.rng->Next() >> kSeedShift,
                             .moment = world_.clock->Now(),
                             .health = world_.health,
                             .explain = in_.explain != Explain::kNo,
                             .laps = &laps_,
                             .sticky = world_.sticky,
                             .session = in_.options.session_id,
                             .salt = &world_.options->pepper,
                             .options = world_.options,
                             .answers = world_.answers};
  Status admitted =
      Admit(*admission_.surface, in_.body, in_.authorization, *in_.snapshot, rules, &admission_);
  in_.authorization.reset();
  if (admission_.key) {
    record_.key_id = admission_.key->key_id;
    record_.org_id = admission_.key->org_id;
  } else if (world_.options->credits) {
    record_.org_id = world_.options->local_org;
  }
  // What the catalog knows is the operator's word, whatever it looks like.
  if (admitted.ok()) world_.stats->CountSticky(admission_.route.sticky);
  const Model* const model = admission_.model;
  record_.requested_model = model != nullptr ? ask().model : WithoutKeys(ask().model);
  record_.streamed = ask().stream;
  if (model != nullptr) record_.model = model->id;
  world_.stats->CountExcluded(admission_.route.excluded);
  if (!admitted.ok()) return admitted;
  record_.generation_id =
      NewGenerationId(admission_.profile->id_prefix, world_.clock->WallTime(), world_.rng);
  return {};
}

// What the most patient of the endpoints is given: each attempt keeps to its own. The gateway's,
// until the model is known.
Duration Exchange::MostTime() const {
  Duration longest;
  for (const Candidate& candidate : admission_.route.candidates) {
    longest =
        std::max(longest, OwnOr(candidate.endpoint->timeouts.total, world_.options->total_timeout));
  }
  return OwnOr(longest, world_.options->total_timeout);
}

TimePoint Exchange::Deadline() const {
  const Duration most = MostTime();
  return in_.submitted + std::min(most, OwnOr(in_.options.timeout, most));
}

// Its client gives it less time than the gateway would.
bool Exchange::Hurried() const {
  return in_.options.timeout.ns > 0 && in_.options.timeout < MostTime();
}

// How it ends that is not answered whole. Who ends it before its time, or takes nothing of it,
// pays for what was delivered as if it had left.
Ending Exchange::EndingOf(bool in_time) const {
  const Attempt* const attempt = tries_.current();
  const bool stalled = attempt != nullptr && attempt->stalled();
  return stalled || (!in_time && Hurried()) ? Ending::kClientLeft : Ending::kFailed;
}

// Fails where the request is a repetition, with `stored` if that is answered as the first one was.
Status Exchange::Claim(std::shared_ptr<const StoredAnswer>* stored) {
  Status checked = IdempotencyTable::CheckHeader(in_.idempotency_key);
  if (!checked.ok()) return checked;
  const bool stores = admission_.key && admission_.key->store_answers;
  const Mac body = in_.scan ? in_.scan->digest : IdempotencyTable::DigestOf(in_.body);
  const IdempotencyClaim claim =
      IdempotencyTable::ClaimOf(record_.key_id, in_.idempotency_key, body);
  Status taken = world_.idempotency->Claim(claim, record_.generation_id, record_.created,
                                           stores ? stored : nullptr);
  if (!taken.ok()) return taken;
  claim_ = ClaimGuard(world_.idempotency, claim);
  if (stores) outbox_.Record(std::make_unique<AnswerRecorder>());
  return taken;
}

// As the first client was answered, but for the id of this request. Nothing is sent, held, charged
// or stored.
void Exchange::Replay(const StoredAnswer& stored) {
  record_.generation_id = stored.generation_id;
  bill_.settlement = Settlement::kFree;
  Compose(bill_);
  record_.status = stored.head.status;
  ResponseHead head = stored.head;
  std::erase_if(head.headers, [](const auto& each) {
    return each.first.starts_with("x-ratelimit-") || each.first.starts_with("ratelimit");
  });
  for (auto& [name, value] : head.headers) {
    if (name == "x-request-id") value = record_.request_id;
  }
  head.Add("x-seekroute-idempotent-replay", "true");
  PutHead(std::move(head));
  outbox_.Rest(stored.body);
  Fire(Event::kRepeated);
}

void Exchange::PutHead(ResponseHead head) {
  if (laps_.on()) head.Add("server-timing", laps_.Header());
  gate_.AddHeaders(&head);
  AddChoice(&head);
  outbox_.Head(std::move(head));
}

void Exchange::Hold() {
  Compose({});
  purse_.Hold(record_, claim_.claim());
}

void Exchange::OnHeld(Status held) {
  laps_.End("hold");
  if (held.ok()) return Fire(Event::kHeld);
  error_ = std::move(held.error());
  Fire(Event::kRefused);
}

void Exchange::StartTries() {
  claim_.SetSpent(true);
  AnswerNames names{record_.generation_id, admission_.profile->object, {}, record_.created.s};
  names.repeats_reasoning =
      in_.origin == Origin::kServerApiV1 || admission_.profile->reasoning_on_v1;
  tries_.Start(std::move(names), record_.created, Deadline(), Hurried());
}

void Exchange::SendHead() {
  if (outbox_.head_sent()) return;  // it was told where it stood in a queue
  Compose({});
  laps_.End("ttfb");
  PutHead(StreamHead(record_, *admission_.profile, tries_.transcoder()->Ignored()));
}

Flow Exchange::OnContent(std::string_view bytes) {
  Fire(Event::kContent);
  if (state_ != State::kRelaying) return Flow::kContinue;
  if (tries_.current()->content_relayed()) outbox_.NoteContent();
  const Flow flow = outbox_.Body(bytes);
  purse_.Delivered(outbox_.last_sent());
  SR_FAILPOINT("mid_stream");
  return flow;
}

void Exchange::OnAnswered() {
  if (!outbox_.head_sent()) laps_.End("ttfb");
  if (state_ == State::kReadingOut) return End(Event::kAnswered, Ending::kReadOut, ClientClosed());
  // Content that came in one piece with its end waits for the settlement.
  if (ask().stream && tries_.transcoder()->has_content()) outbox_.NoteContent();
  End(Event::kAnswered, Ending::kAnswered, std::nullopt);
}

void Exchange::OnOutOfTries(Error error) {
  claim_.SetSpent(tries_.sent() > 0);
  if (tries_.sent() == 0 && !purse_.holds()) {
    error_ = std::move(error);
    return Fire(Event::kRefused);
  }
  End(Event::kOutOfTries, EndingOf(true), std::move(error));
}

void Exchange::ClientLeft() {
  if (state_ == State::kDone || outbox_.gone()) return;
  outbox_.Leave();
  if (!Knows(Event::kLeft)) return;
  bill_ = BillNow(Ending::kClientLeft);
  if (Knows(Event::kLeftReadable) && MayReadOut() && !bill_.whole && tries_.ReadOut()) {
    return Fire(Event::kLeftReadable);
  }
  EndBilled(Event::kLeft, ClientClosed());
}

// Not the client's leaving: what it was sent is not charged, whatever the policies say.
void Exchange::Stop() {
  Error error = MakeError(ErrorCode::kShuttingDown,
                          "this gateway was stopped before the answer was complete: nothing is "
                          "charged for it, send the request again in a moment");
  if (!Knows(Event::kStop)) return;  // its end is on its way
  if (state_ == State::kReadingOut) return End(Event::kStop, Ending::kClientLeft, ClientClosed());
  record_.stopped = true;
  claim_.SetSpent(false);
  if (state_ != State::kAdmitting) return End(Event::kStop, Ending::kStopped, std::move(error));
  Identify();
  error_ = std::move(error);
  Fire(Event::kStop);
}

void Exchange::End(Event event, Ending ending, std::optional<Error> error) {
  if (!Knows(event)) return;
  if (state_ != State::kReadingOut) {
    bill_ = BillNow(ending);
  } else {
    // bill_ is of what was delivered, should the answer not have come whole.
    if (ending == Ending::kReadOut) {
      if (Bill read_out = BillNow(ending); read_out.whole) bill_ = std::move(read_out);
    }
    error = ClientClosed();
  }
  EndBilled(event, std::move(error));
}

void Exchange::EndBilled(Event event, std::optional<Error> error) {
  error_ = std::move(error);
  tries_.Abandon();
  Fire(event);
}

void Exchange::Settle() {
  Compose(bill_);
  KeepRouting();
  if (record_.cap_ignored) {
    world_.stats->CountCapIgnored(record_.provider, record_.model);
  } else if (record_.finish_reason == "length" && purse_.ToldLength(tries_.candidate())) {
    world_.stats->NoteCapKept(record_.provider, record_.model);
  }
  const bool failed = record_.settlement == Settlement::kFailed;
  int64_t tokens = failed ? 0 : record_.prompt_tokens + record_.completion_tokens;
  // Where no money is held, nobody has counted what a client got that left.
  if (!failed && tokens == 0 && gate_.holds() && outbox_.has_content()) {
    tokens = tries_.Prompt().tokens + tries_.transcoder()->CountContent().tokens;
  }
  if (!error_) Remember();
  if (!error_ && !failed) LearnLength();
  if (!failed && world_.decisions != nullptr && IsToBeLearned(admission_, *in_.snapshot)) {
    const bool empty = record_.completion_tokens == 0 && !outbox_.has_content();
    world_.decisions->Put(DecisionOf(admission_, record_, empty));
  }
  gate_.Settle({tokens, record_.cached_tokens});
  purse_.Settle(&record_, &bill_);
}

void Exchange::DeliverLate() {
  world_.stats->CountLateSettle();
  Deliver();
}

void Exchange::Deliver() {
  // A whole answer is recorded also for a client that left in its last moments: it will be back.
  const bool unwanted = outbox_.gone() && (error_ || !outbox_.records());
  if (!unwanted) error_ ? WriteError(*error_) : WriteAnswer();
  Close();
}

void Exchange::Refuse() {
  Compose(bill_);
  WriteError(*error_);
  Close();
}

void Exchange::WriteAnswer() {
  Transcoder& transcoder = *tries_.transcoder();
  const Profile& profile = *admission_.profile;
  std::string out;
  transcoder.Finish(Report(), &out);
  if (!outbox_.head_sent()) {
    laps_.End("relay");
    const std::string ignored = transcoder.Ignored();
    PutHead(ask().stream ? StreamHead(record_, profile, ignored)
                         : AnswerHead(record_, profile, out.size(), ignored));
  }
  outbox_.Rest(out);
}

void Exchange::WriteError(const Error& error) {
  const std::string routing = Routing();
  const ErrorPlace place{record_.request_id, in_.origin == Origin::kServerApiV1, record_.provider,
                         routing};
  if (outbox_.head_sent()) {
    std::string out;
    if (Transcoder* const transcoder = tries_.transcoder()) {
      transcoder->Fail(error, *admission_.profile, place, &out);
    } else {
      out = admission_.surface->WriteErrorEvent(error, *admission_.profile, place,
                                                record_.generation_id, record_.model,
                                                record_.created.s);
    }
    return (void)outbox_.Rest(out);
  }
  const std::string body = admission_.surface->WriteError(error, *admission_.profile, place);
  ResponseHead head = ErrorHead(error, record_.request_id, body.size());
  // There is a row of it, to be looked up.
  if (purse_.holds()) head.Add("x-generation-id", record_.generation_id);
  PutHead(std::move(head));
  outbox_.Rest(body);
}

// After the last byte of whatever the client got.
void Exchange::Close() {
  claim_.End(error_ ? nullptr : outbox_.TakeRecorded(record_.generation_id));
  CountEnd();
  outbox_.End(std::move(record_));
  gate_.Settle({});  // nothing was used, or it is settled
  FreeSlots();
  world_.host->OnFinished(in_.id);
}

// Others may run once the client has its end, and nothing of this asks an upstream any more.
void Exchange::FreeSlots() {
  if (state_ == State::kDone && tries_.quiet()) gate_.Leave();
}

void Exchange::OnQuiet() {
  FreeSlots();
  world_.host->OnFinished(in_.id);
}

}  // namespace seekroute
