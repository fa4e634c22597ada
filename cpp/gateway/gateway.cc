#include "gateway/gateway.h"

#include <algorithm>

#include "gateway/answer_head.h"
#include "gateway/gate.h"
#include "gateway/health_samples.h"
#include "gateway/ids.h"
#include "gateway/kept_state.h"
#include "gateway/quote.h"
#include "gateway/upstream_gate.h"
#include "wire/protocols/protocols.h"

namespace seekroute {
namespace {

HealthRules RulesOf(const GatewayOptions& options) {
  HealthRules rules = options.health;
  rules.leave_out = options.leave_out_failing;
  return rules;
}

// Of a clock that has gone back: none.
Duration AgeOf(const KeptState& state, UnixMillis now) {
  constexpr int64_t kDaysMs = int64_t{1000} * 86'400'000;  // more is as old
  return Duration::Milliseconds(std::clamp<int64_t>(now.ms - state.wall_ms, 0, kDaysMs));
}

ErrorPlace PlaceOf(std::string_view request_id, Origin origin) {
  return {request_id, origin == Origin::kServerApiV1, {}, {}};
}

}  // namespace

Gateway::Gateway(GatewayOptions options, std::shared_ptr<LedgerKeeper> ledger)
    : options_(std::move(options)),
      keys_(options_.pepper),
      idempotency_(options_.max_idempotency_keys, options_.max_stored_answers_bytes),
      health_(RulesOf(options_), options_.retry_budget),
      hedges_(options_.hedge),
      sticky_(options_.sticky),
      shadows_(options_),
      read_outs_(options_.max_read_outs),
      limiter_(options_.queue),
      ledger_(std::move(ledger)),
      scans_(&options_, &keys_, &limiter_, &clock_,
             [this](Submission submission) { OnScanned(std::move(submission)); }) {
  if (ledger_) {
    // A ledger that cannot be read holds no money either: nothing will be sent.
    const auto kept = ledger_->Claims(options_.max_idempotency_keys);
    if (kept) idempotency_.Restore(*kept);
  }
  const int threads = std::max(1, options_.engine_threads);
  const ExchangeWorld shared{.options = &options_,
                             .clock = &clock_,
                             .keys = &keys_,
                             .idempotency = &idempotency_,
                             .read_outs = &read_outs_,
                             .limiter = &limiter_,
                             .upstream_limiter = &upstream_limiter_,
                             .stats = &stats_,
                             .health = &health_,
                             .hedges = options_.leave_out_failing ? &hedges_ : nullptr,
                             .sticky = &sticky_,
                             .shadows = &shadows_,
                             .decisions = &decisions_,
                             .answers = &answers_};
  for (int i = 0; i < threads; ++i) {
    engines_.push_back(std::make_unique<EngineThread>(shared, ledger_.get(), &mailbox_));
  }
}

Gateway::~Gateway() { Close(); }

Status Gateway::Install(std::shared_ptr<const Snapshot> snapshot) {
  if (!snapshot->profiles.contains(snapshot->default_profile)) {
    return MakeError(ErrorCode::kInvalidValue, "the default profile '" + snapshot->default_profile +
                                                   "' is not among the profiles");
  }
  MutexLock installing(&installing_);
  health_.Learn(*snapshot, clock_.Now());
  const std::shared_ptr<const Snapshot> before = CurrentSnapshot();
  SetUpstreamLimits(before.get(), *snapshot, {clock_.Now(), clock_.WallTime()}, &upstream_limiter_);
  shadows_.SetRules(snapshot->router ? snapshot->shadow : ShadowRules());
  MutexLock lock(&mu_);
  snapshot_ = std::move(snapshot);
  return {};
}

void Gateway::SetRouter(std::shared_ptr<const AutoRouter> router) {
  MutexLock installing(&installing_);
  const std::shared_ptr<const Snapshot> before = CurrentSnapshot();
  if (before == nullptr) return;
  auto next = std::make_shared<Snapshot>(*before);
  next->router = std::move(router);
  health_.Learn(*next, clock_.Now());
  MutexLock lock(&mu_);
  snapshot_ = std::move(next);
}

std::shared_ptr<const Snapshot> Gateway::CurrentSnapshot() const {
  MutexLock lock(&mu_);
  return snapshot_;
}

bool Gateway::AskAsOperator(std::string body, std::string tag, std::string of) {
  if (shutting_down_.load() || closed_.load()) return false;
  Submission submission;
  size_t engine = 0;
  {
    MutexLock lock(&mu_);
    if (!snapshot_) return false;
    const ExchangeId own = ++last_id_;
    engine = own % engines_.size();
    submission.id = ShadowOf(own);
    submission.snapshot = snapshot_;
  }
  submission.outlet = VerdictOutlet(submission.id, std::move(tag), &shadows_);
  if (submission.outlet == nullptr) return false;
  submission.body = std::move(body);
  submission.origin = Origin::kShadow;
  submission.options.timeout = kLongestShadow;
  submission.submitted = clock_.Now();
  submission.shadow_of = std::move(of);
  engines_[engine]->Submit(std::move(submission));
  engines_[engine]->Flush();
  return true;
}

ExchangeId Gateway::Submit(GatewayRequest request) {
  const TimePoint now = clock_.Now();
  Submission submission;
  size_t engine = 0;
  bool overloaded = false;
  {
    MutexLock lock(&mu_);
    submission.id = ++last_id_;
    engine = submission.id % engines_.size();
    overloaded = live_.size() >= options_.max_active || !snapshot_;
    submission.snapshot = snapshot_;
    auto window = std::make_shared<FlowWindow>(options_.window_bytes);
    live_.emplace(submission.id, Live{engine, window});
    submission.outlet =
        std::make_unique<MailboxOutlet>(&mailbox_, submission.id, std::move(window));
  }
  const ExchangeId id = submission.id;
  if (shutting_down_.load() || closed_.load()) {
    Refuse(id, request,
           MakeError(ErrorCode::kShuttingDown,
                     "this gateway is shutting down: send the request again in a moment"));
    return id;
  }
  if (overloaded) {
    Refuse(id, request,
           MakeError(ErrorCode::kOverloaded,
                     "this gateway serves as many requests as it may: send it again in a moment"));
    return id;
  }
  submission.body = std::move(request.body);
  submission.authorization = std::move(request.authorization);
  submission.request_id = std::move(request.request_id);
  submission.idempotency_key = std::move(request.idempotency_key);
  submission.origin = request.origin;
  submission.surface = request.surface;
  submission.explain = request.explain;
  submission.options = std::move(request.options);
  submission.submitted = now;
  if (submission.body.size() > kMostReadInTurn) {
    {
      MutexLock lock(&mu_);
      live_.at(id).scanning = true;
    }
    scans_.Submit(std::move(submission));
  } else {
    engines_[engine]->Submit(std::move(submission));
  }
  return id;
}

void Gateway::Refuse(ExchangeId id, const GatewayRequest& request, const Error& error) {
  ReadyAnswer answer =
      WriteError(error, request.request_id, request.authorization, request.origin, request.surface);
  ExchangeRecord row;
  row.status = answer.head.status;
  row.error = error.name();
  row.created = clock_.WallTime().seconds();
  stats_.CountExchange(SurfaceOf(request.surface).label(), row, "seekroute_" + row.error);
  mailbox_.PutHead(id, std::move(answer.head));
  mailbox_.PutBody(id, answer.body);
  mailbox_.PutEnd(id, std::move(row));
  mailbox_.Announce();
}

void Gateway::Tell(ExchangeId id, Told what) {
  size_t engine = 0;
  {
    MutexLock lock(&mu_);
    const auto found = live_.find(id);
    if (found == live_.end()) return;
    if (found->second.scanning) {
      found->second.told = what;
      return;
    }
    engine = found->second.engine;
  }
  what == Told::kStop ? engines_[engine]->StopExchange(id) : engines_[engine]->Cancel(id);
}

// A scan thread.
void Gateway::OnScanned(Submission submission) {
  const ExchangeId id = submission.id;
  EngineThread& engine = *engines_[id % engines_.size()];
  engine.Submit(std::move(submission));
  Told told = Told::kNothing;
  {
    MutexLock lock(&mu_);
    const auto found = live_.find(id);
    if (found != live_.end()) {
      found->second.scanning = false;
      told = found->second.told;
    }
  }
  if (told == Told::kNothing) return engine.Flush();
  told == Told::kStop ? engine.StopExchange(id) : engine.Cancel(id);
}

void Gateway::Cancel(ExchangeId id) { Tell(id, Told::kCancel); }

void Gateway::Stop(ExchangeId id) { Tell(id, Told::kStop); }

void Gateway::BeginShutdown() {
  shutting_down_.store(true);
  for (const auto& engine : engines_) engine->StopWaiting();
}

void Gateway::Stop() {
  BeginShutdown();
  scans_.Stop();
  for (const auto& engine : engines_) engine->StopExchanges();
}

void Gateway::Ack(ExchangeId id, size_t size) {
  size_t engine = 0;
  {
    MutexLock lock(&mu_);
    const auto found = live_.find(id);
    if (found == live_.end() || !found->second.window->Take(size)) return;
    engine = found->second.engine;
  }
  engines_[engine]->Resume(id);
}

void Gateway::Flush() {
  for (const auto& engine : engines_) engine->Flush();
}

void Gateway::Forget(ExchangeId id) {
  MutexLock lock(&mu_);
  live_.erase(id);
}

void Gateway::SetLimits(LimitScope scope, std::string_view id,
                        std::shared_ptr<const LimitSet> limits) {
  limiter_.Set(scope, id, std::move(limits), {clock_.Now(), clock_.WallTime()});
}

uint64_t Gateway::Census() {
  limiter_.Census();
  return limiter_.figures().leaks;
}

std::string Gateway::ExportState() const {
  const LimitTime now{clock_.Now(), clock_.WallTime()};
  return WriteKeptState({.wall_ms = now.wall.ms,
                         .routing = health_.Keep(now.now),
                         .limits = limiter_.Keep(now),
                         .upstream_limits = upstream_limiter_.Keep(now),
                         .answers = answers_.Keep()});
}

uint64_t Gateway::StateRevision() const {
  return health_.revision() + limiter_.revision() + upstream_limiter_.revision() +
         answers_.revision();
}

Status Gateway::RestoreState(std::string_view bytes) {
  Result<KeptState> state = ReadKeptState(bytes);
  if (!state) return std::move(state.error());
  const LimitTime now{clock_.Now(), clock_.WallTime()};
  const Duration age = AgeOf(*state, now.wall);
  if (age > KeptState::kLongestAge) {
    return MakeError(ErrorCode::kInvalidValue, "it is older than a day");
  }
  state->Age(age);
  health_.Restore(state->routing, now.now);
  limiter_.Restore(state->limits, now);
  upstream_limiter_.Restore(state->upstream_limits, now);
  answers_.Restore(state->answers);
  return {};
}

size_t Gateway::active() const {
  MutexLock lock(&mu_);
  return live_.size();
}

void Gateway::Close() {
  if (closed_.exchange(true)) return;
  scans_.Close();
  for (const auto& engine : engines_) engine->Stop();
  std::shared_ptr<LedgerKeeper> last;  // may wait for the disk when it goes: after the lock
  {
    MutexLock lock(&mu_);
    last.swap(ledger_);
  }
}

std::string Gateway::RequestId(std::string_view offered) {
  if (IsAcceptableRequestId(offered)) return std::string(offered);
  const UnixMillis now = clock_.WallTime();
  MutexLock lock(&mu_);
  return NewRequestId(now, &rng_);
}

ReadyAnswer Gateway::WriteError(const Error& error, std::string_view offered_request_id,
                                const std::optional<Secret>& authorization, Origin origin,
                                SurfaceId surface) {
  static const Profile kPlain;
  const std::string request_id = RequestId(offered_request_id);
  const std::shared_ptr<const Snapshot> snapshot = CurrentSnapshot();
  const auto key = keys_.Find(authorization, clock_.WallTime().seconds());
  const Profile& profile =
      snapshot ? snapshot->ProfileNamed(key ? (*key)->profile.str() : snapshot->default_profile)
               : kPlain;
  ReadyAnswer answer;
  answer.body = SurfaceOf(surface).WriteError(error, profile, PlaceOf(request_id, origin));
  answer.head = ErrorHead(error, request_id, answer.body.size());
  if (key) AddLimits(SubjectOf(key->get(), {}), &answer.head);
  return answer;
}

void Gateway::RaiseToday(LimitScope scope, std::string_view org, std::string_view id,
                         int64_t requests, int64_t tokens) {
  limiter_.RaiseToday(scope, org, id, requests, tokens, {clock_.Now(), clock_.WallTime()});
}

ResponseHead Gateway::LimitHeaders(const std::optional<Secret>& authorization) {
  ResponseHead head;
  const auto key = keys_.Find(authorization, clock_.WallTime().seconds());
  if (key) AddLimits(SubjectOf(key->get(), {}), &head);
  return head;
}

// What is left of them now.
void Gateway::AddLimits(const LimitSubject& who, ResponseHead* head) {
  if (limiter_.IsFree(who)) return;
  AddLimitHeaders(limiter_.Look(who, {clock_.Now(), clock_.WallTime()}),
                  options_.ietf_ratelimit_headers, head);
}

ReadyAnswer Gateway::Quote(const GatewayRequest& request) {
  const std::shared_ptr<const Snapshot> snapshot = CurrentSnapshot();
  if (!snapshot) {
    return WriteError(MakeError(ErrorCode::kOverloaded, "this gateway has no configuration yet"),
                      request.request_id, request.authorization, request.origin, request.surface);
  }
  const UnixSeconds now = clock_.WallTime().seconds();
  AdmissionRules rules{.keys = &keys_,
                       .require_key = options_.require_key,
                       .origin = request.origin,
                       .now = now,
                       .scope = {.prompt = true},
                       .moment = clock_.Now(),
                       .health = &health_,
                       .simulate = request.simulate,
                       .explain = true,
                       .options = &options_,
                       .answers = &answers_};
  if (request.as) {
    rules.as = keys_.At(*request.as);
    if (!rules.as) {
      return WriteError(MakeError(ErrorCode::kInvalidApiKey, "this gateway has no such key"),
                        request.request_id, {}, request.origin, request.surface);
    }
  }
  if (request.seed) {
    rules.seed = *request.seed;
  } else {
    MutexLock lock(&mu_);
    rules.seed = rng_.Next() >> kSeedShift;
  }
  Admission admission;
  Status quoted = Admit(SurfaceOf(request.surface), request.body, request.authorization, *snapshot,
                        rules, &admission);
  const std::string request_id = RequestId(request.request_id);
  ReadyAnswer answer;
  if (quoted.ok()) {
    const ExchangeWorld world{.options = &options_,
                              .clock = &clock_,
                              .keys = &keys_,
                              .idempotency = &idempotency_,
                              .read_outs = &read_outs_,
                              .upstream_limiter = &upstream_limiter_,
                              .stats = &stats_,
                              .health = &health_};
    std::vector<Skip> skipped = PassedOverByLimits(admission, *snapshot, world);
    quoted = LookAtLimits(admission, request.options, options_, {clock_.Now(), clock_.WallTime()},
                          &limiter_, &skipped);
    Result<std::string> quote = WriteQuote(admission, *snapshot, options_, now, skipped);
    if (!quote) {
      quoted = std::move(quote.error());
    } else if (quoted.ok()) {
      answer.body = std::move(*quote);
    }
  }
  if (quoted.ok()) {
    answer.head = QuoteHead(request_id, answer.body.size());
  } else {
    answer.body =
        SurfaceOf(request.surface)
            .WriteError(quoted.error(), *admission.profile, PlaceOf(request_id, request.origin));
    answer.head = ErrorHead(quoted.error(), request_id, answer.body.size());
  }
  if (admission.key) {
    const Model* const model = FirstModelOf(admission);
    AddLimits(SubjectOf(admission.key.get(), model != nullptr ? model->id : std::string_view()),
              &answer.head);
  }
  return answer;
}

void Gateway::AddLimitSamples(std::vector<Sample>* samples) const {
  uint64_t forgiven = 0, leaks = 0;
  for (Limiter* const limiter : {&limiter_, &upstream_limiter_}) {  // no scope is of both
    limiter->Census();
    const Limiter::Figures figures = limiter->figures();
    for (size_t i = 0; i < kLimitScopes; ++i) {
      for (size_t k = 0; k < kLimitDimensions; ++k) {
        if (figures.refused[i][k] == 0) continue;
        samples->push_back({"seekroute_limit_refused_total",
                            {{"scope", std::string(NameOf(static_cast<LimitScope>(i)))},
                             {"dimension", std::string(NameOf(static_cast<LimitDimension>(k)))}},
                            static_cast<double>(figures.refused[i][k])});
      }
    }
    forgiven += figures.forgiven;
    leaks += figures.leaks;
  }
  samples->push_back({"seekroute_limit_forgiven_total", {}, static_cast<double>(forgiven)});
  samples->push_back({"seekroute_limit_leaks_total", {}, static_cast<double>(leaks)});
  const int64_t waiting = limiter_.figures().waiting;
  samples->push_back({"seekroute_queue_depth", {}, static_cast<double>(waiting)});
}

std::vector<HealthRow> Gateway::HealthRows() const {
  const LimitTime now{clock_.Now(), clock_.WallTime()};
  std::vector<HealthRow> rows = health_.Rows(now.now);
  AddUsedUpLimits(now, &upstream_limiter_, &rows);
  return rows;
}

std::vector<Sample> Gateway::Samples() const {
  std::vector<Sample> samples = stats_.Samples();
  const auto add = [&samples](std::string name, auto value) {
    samples.push_back({std::move(name), {}, static_cast<double>(value)});
  };
  add("seekroute_active_requests", active());
  add("seekroute_active_read_outs", read_outs_.taken());
  add("seekroute_auto_decisions_dropped_total", decisions_.dropped());
  AddLimitSamples(&samples);
  shadows_.AddSamples(&samples);
  AddHealthSamples(HealthRows(), &samples);
  std::shared_ptr<LedgerKeeper> ledger;
  {
    MutexLock lock(&mu_);
    ledger = ledger_;
  }
  if (!ledger) return samples;
  const LedgerFigures figures = ledger->figures();
  add("seekroute_ledger_ready", figures.ready ? 1 : 0);
  add("seekroute_ledger_commits_total", figures.commits);
  add("seekroute_ledger_waiting_settles", figures.waiting_settles);
  add("seekroute_ledger_live_holds", figures.live_holds);
  add("seekroute_ledger_drift_nano", figures.drift.nano);
  add("seekroute_operator_revenue_nano", figures.revenue.nano);
  add("seekroute_operator_loss_nano", figures.loss.nano);
  return samples;
}

}  // namespace seekroute
