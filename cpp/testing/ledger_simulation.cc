#include "testing/ledger_simulation.h"

#include <algorithm>

#include "routing/auto/auto_router.h"

namespace seekroute::testing {
namespace {

constexpr ExchangeId kClients = 10;
constexpr size_t kMostEvents = 100'000;
constexpr int64_t kInputNano = 1000;  // a token
constexpr int64_t kOutputNano = 2000;
constexpr Money kReversed{-1'500'000};               // by a chargeback, in some runs
constexpr Duration kBusiest = Duration::Seconds(8);  // in which all clients come

std::string TagOf(std::string_view body) {
  const size_t at = body.find("tag");
  return std::string(body.substr(at, body.find('"', at) - at));
}

}  // namespace

// What the ledger answers reaches the engine later, as through its queue of commands.
class LedgerSimulation::Inbox : public EngineInbox {
 public:
  Inbox(const VirtualClock* clock, Agenda* agenda, SeededRng* rng)
      : clock_(clock), agenda_(agenda), rng_(rng) {}
  ~Inbox() override { *open_ = false; }

  void Post(std::function<void()> task) override {
    // In order, whatever the delays.
    last_ = std::max(last_, clock_->Now() + rng_->UpTo(Duration::Milliseconds(5)));
    agenda_->At(last_, [task = std::move(task), open = open_] {
      if (*open) task();
    });
  }

 private:
  const VirtualClock* const clock_;
  Agenda* const agenda_;
  SeededRng* const rng_;
  TimePoint last_{0};
  const std::shared_ptr<bool> open_ = std::make_shared<bool>(true);
};

// Between the gateway and its port: notes what was asked and what was said to be durable.
class LedgerSimulation::WatchedStore : public Store, private StoreObserver {
 public:
  WatchedStore(LedgerSimulation* world, Store* real) : world_(world), real_(real) {}

  void Hold(StoreTicket ticket, const ExchangeRecord& row, const HoldRequest& request,
            StoreObserver* observer) override {
    world_->generations_[ticket] = row.generation_id;
    Seen& seen = world_->requests_[row.generation_id];
    seen.asked = true;
    seen.second = ticket > kClients;
    observers_[ticket] = observer;
    real_->Hold(ticket, row, request, this);
  }

  void Settle(StoreTicket ticket, const ExchangeRecord& row, StoreObserver* observer) override {
    Seen& seen = world_->requests_[row.generation_id];
    world_->Expect(!seen.settle_asked, row.generation_id, "is settled once");
    seen.settle_asked = true;
    seen.settle_asked_at = world_->clock_.Now();
    seen.cost = row.cost;
    observers_[ticket] = observer;
    real_->Settle(ticket, row, this);
  }

  void Note(StoreTicket ticket, const ExchangeRecord& row) override { real_->Note(ticket, row); }

  void Flush() override { real_->Flush(); }

  void Forget(StoreTicket ticket) override {
    observers_.erase(ticket);
    real_->Forget(ticket);
  }

 private:
  void OnHeld(StoreTicket ticket, const HoldAnswer& answer) override {
    Seen& seen = world_->requests_[world_->generations_[ticket]];
    seen.held = answer.status.ok();
    seen.granted = answer.granted;
    if (const auto found = observers_.find(ticket); found != observers_.end()) {
      found->second->OnHeld(ticket, answer);
    }
  }

  void OnStored(StoreTicket ticket, const Status& status) override {
    Seen& seen = world_->requests_[world_->generations_[ticket]];
    seen.settled = status.ok();
    seen.refused = !status.ok();
    if (const auto found = observers_.find(ticket); found != observers_.end()) {
      found->second->OnStored(ticket, status);
    }
  }

  LedgerSimulation* const world_;
  Store* const real_;
  std::map<StoreTicket, StoreObserver*> observers_;
};

LedgerSimulation::LedgerSimulation(uint64_t seed, DiskFault fault, int nth)
    : rng_(seed),
      auto_rng_(seed * 17 + 3),
      agenda_(&clock_),
      keys_(Secret("pepper")),
      fault_(fault),
      nth_(nth) {
  FaultyVfs::Get().Repair();
  options_.credits = true;
  options_.strict_bound = rng_.OneIn(4);
  const auto draw = [this] { return rng_.OneIn(2) ? ChargePolicy::kCharge : ChargePolicy::kFree; };
  options_.on_client_abort = rng_.OneIn(4) ? ChargePolicy::kFree : ChargePolicy::kCharge;
  options_.on_upstream_failure = draw();
  const Money lines[] = {{}, {}, {2'000'000}, kUnlimitedLine};
  keys_.Put(HmacSha256(Secret("pepper"), "good"),
            {.key_id = "k", .org_id = "o", .credit_line = lines[rng_.Below(4)]});
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->profiles.emplace("seekroute", Profile());
  snapshot->default_profile = "seekroute";
  PriceTable::Parts prices;
  prices.revision = "r";
  prices.variants.resize(1);
  prices.variants[0].rates[PriceClass::kInput] = Rate{kInputNano * 1000};
  prices.variants[0].rates[PriceClass::kOutput] = Rate{kOutputNano * 1000};
  const auto price = *PriceTable::Make(std::move(prices));
  Model model{.id = "a/m", .max_output = 400, .endpoints = {}};
  for (uint32_t i = 0; i < 2; ++i) {
    Provider provider;
    provider.id = "p" + std::to_string(i);
    provider.upstream.base_url = "https://" + provider.id;
    if (rng_.OneIn(2)) provider.on_abort = OnAbort::kReadOut;
    snapshot->providers.push_back(std::move(provider));
    model.endpoints.push_back({i, "up", price});
  }
  Catalog::Parts parts;
  parts.names = {{"m", "a/m"}, {"a/m", "a/m"}, {"a/n", "a/n"}};
  Model other = model;
  other.id = "a/n";
  parts.models.push_back(std::move(model));
  parts.models.push_back(std::move(other));
  parts.auto_names = {"auto"};
  snapshot->router = std::make_shared<const AutoRouter>(
      *AutoRouter::Make({{"a/m", 0.8, ""}, {"a/n", 0.6, ""}}, {}, nullptr));
  snapshot->catalog = std::move(*Catalog::Make(std::move(parts)));
  snapshot_ = std::move(snapshot);
}

LedgerSimulation::~LedgerSimulation() { FaultyVfs::Get().Repair(); }

void LedgerSimulation::Expect(bool holds, const std::string& generation,
                              const std::string& promise) {
  if (!holds) broken_.push_back("request " + generation + ": " + promise);
}

// A start of the process. What an earlier life has left of the file is what it finds.
void LedgerSimulation::OpenGateway() {
  ++life_;
  LedgerWriter::Options options;
  options.path = folder_.file();
  options.instance = "life-" + std::to_string(life_);
  options.vfs = FaultyVfs::kName;
  options.own_thread = false;
  options.background_check = false;
  auto opened = SqliteLedger::Open(options, &clock_);
  if (!opened) {
    broken_.push_back("life " + std::to_string(life_) +
                      " does not start: " + opened.error().message);
    return;
  }
  ledger_ = std::move(*opened);
  generations_.clear();
  idempotency_ = std::make_unique<IdempotencyTable>(100);
  mailbox_ = std::make_unique<Mailbox>();
  inbox_ = std::make_unique<Inbox>(&clock_, &agenda_, &rng_);
  port_ = ledger_->PortFor(inbox_.get());
  store_ = std::make_unique<WatchedStore>(this, port_.get());
  transport_ = std::make_unique<ScriptedTransport>(
      &agenda_, &clock_, [this](const TransportRequest& request) { return Direct(request); });
  pairs_ = std::make_unique<ShadowPairs>(options_);
  pairs_->SetRules({.share = ShadowRules::kMostShare,
                    .per_day = {auto_rng_.OneIn(2) ? kInputNano * 1'000'000 : kOutputNano * 500}});
  engine_ = std::make_unique<Engine>(ExchangeWorld{.options = &options_,
                                                   .clock = &clock_,
                                                   .rng = &rng_,
                                                   .keys = &keys_,
                                                   .idempotency = idempotency_.get(),
                                                   .read_outs = &read_outs_,
                                                   .store = store_.get(),
                                                   .transport = transport_.get(),
                                                   .stats = &stats_,
                                                   .host = nullptr,
                                                   .shadows = pairs_.get()});
}

// The process is killed: nothing that it has not written reaches the disk any more.
void LedgerSimulation::Die() {
  fault_happened_ = fault_happened_ || FaultyVfs::Get().happened();
  FaultyVfs::Get().Arm(DiskFault::kFull, 1);
  // What the dying objects still say is not part of what this life did.
  const std::map<std::string, Seen> known = requests_;
  engine_.reset();
  store_.reset();
  port_.reset();
  inbox_.reset();
  ledger_.reset();
  transport_.reset();
  requests_ = known;
  FaultyVfs::Get().Repair();
  ++crashes_;
}

UpstreamScript LedgerSimulation::Direct(const TransportRequest& request) {
  const ExchangeId id = std::strtoull(TagOf(request.body).c_str() + 3, nullptr, 10);
  // What is asked for a request that is settled is asked a second time.
  const bool second = requests_[generations_[id]].settle_asked;
  const std::string generation = generations_[second ? ShadowOf(id) : id];
  Seen& seen = requests_[generation];
  if (second) {
    Expect(seen.second && !seen.sent, generation, "a second request is one call");
    ++shadowed_;
  }
  Expect(seen.held, generation, "L14: is sent when its hold is durable, not before");
  seen.sent = true;
  UpstreamScript script;
  script.head_delay = rng_.UpTo(Duration::Milliseconds(800));
  const int64_t tokens = static_cast<int64_t>(1 + rng_.Below(40));
  const std::string usage =
      R"("usage":{"prompt_tokens":7,"completion_tokens":)" + std::to_string(tokens) + "}";
  const Duration longest = Duration::Milliseconds(400);
  if (request.body.find("\"stream\":true") != std::string::npos) {
    script.head.content_type = "text/event-stream";
    for (int64_t i = 0; i < tokens / 4 + 1; ++i) {
      script.pieces.push_back(
          {rng_.UpTo(longest),
           "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"}}]}\n\n"});
    }
    script.pieces.push_back({rng_.UpTo(longest),
                             "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
                             "\"stop\"}]," +
                                 usage + "}\n\ndata: [DONE]\n\n"});
  } else {
    script.pieces.push_back(
        {rng_.UpTo(longest), R"({"choices":[{"index":0,"message":{"role":"assistant","content":)"
                             R"("word"},"finish_reason":"stop"}],)" +
                                 usage + "}"});
  }
  const uint64_t fault = rng_.Below(8);
  if (fault == 0) script.connects = false;
  if (fault == 1) script.head.status = 503;
  if (fault == 2) {
    script.pieces.pop_back();
    script.ending = UpstreamScript::Ending::kBroken;
  }
  return script;
}

void LedgerSimulation::AddClients() {
  for (ExchangeId id = 1; id <= kClients; ++id) {
    agenda_.After(rng_.UpTo(kBusiest), [this, id] { Submit(id); });
    if (rng_.OneIn(4)) {
      agenda_.After(rng_.UpTo(kBusiest), [this, id] {
        if (engine_) engine_->Cancel(id);
      });
    }
  }
  if (rng_.OneIn(3)) {
    agenda_.After(rng_.UpTo(kBusiest), [this] {
      if (!ledger_) return;
      const LedgerOrder order{LedgerOrder::Kind::kChargeback, "c", "o", {}, kReversed, {}};
      ledger_->writer().Order(order, [this](const OrderAnswer& answer) {
        reversed_ = reversed_ || answer.status.ok();
      });
    });
  }
  if (rng_.OneIn(2)) agenda_.After(rng_.UpTo(kBusiest), [this] { Die(); });
  // A disk that was full has room again.
  agenda_.After(kBusiest + rng_.UpTo(Duration::Seconds(5)), [this] {
    fault_happened_ = fault_happened_ || FaultyVfs::Get().happened();
    FaultyVfs::Get().Repair();
  });
}

void LedgerSimulation::Submit(ExchangeId id) {
  if (!engine_) return;
  Submission submission;
  submission.id = id;
  const std::string model = auto_rng_.OneIn(2) ? "auto" : "m";
  submission.body = R"({"model":")" + model + R"(","messages":[{"role":"user","content":"tag)" +
                    std::to_string(id) + R"("}])";
  if (rng_.OneIn(2)) submission.body += R"(,"stream":true)";
  if (rng_.OneIn(3)) {
    submission.body += R"(,"max_tokens":)" + std::to_string(1 + rng_.Below(300));
  }
  submission.body += "}";
  submission.authorization = Secret("Bearer good");
  submission.submitted = clock_.Now();
  submission.snapshot = snapshot_;
  submission.outlet = std::make_unique<MailboxOutlet>(
      mailbox_.get(), submission.id, std::make_shared<FlowWindow>(options_.window_bytes));
  engine_->Submit(std::move(submission));
}

void LedgerSimulation::Deliver() {
  for (Delivery& delivery : mailbox_->TakeAll()) {
    if (!delivery.end || !delivery.end->error.empty()) continue;
    const std::string& generation = delivery.end->generation_id;
    Seen& seen = requests_[generation];
    seen.answered = true;
    seen.paid = delivery.end->cost;
    Expect(seen.settled || seen.refused ||
               clock_.Now() >= seen.settle_asked_at + options_.settle_patience,
           generation, "the last byte waits for the settlement, for as long as it may");
  }
}

// The ledger's thread has its turns now and then; more often than not at once.
void LedgerSimulation::StepLedger() {
  if (!ledger_) return;
  ledger_->writer().Step();
  const Duration pause =
      rng_.OneIn(30) ? rng_.UpTo(Duration::Seconds(2)) : rng_.UpTo(Duration::Milliseconds(20));
  agenda_.After(pause + Duration::Milliseconds(1), [this] { StepLedger(); });
}

std::vector<std::string> LedgerSimulation::Run() {
  OpenGateway();
  // Enough for everybody, or for a few.
  paid_in_ = {static_cast<int64_t>(1 + rng_.Below(rng_.OneIn(2) ? 40'000'000 : 2'000'000))};
  ledger_->writer().Order({LedgerOrder::Kind::kTopup, "t", "o", {}, paid_in_, {}}, nullptr);
  ledger_->writer().Step();
  FaultyVfs::Get().Arm(fault_, nth_);
  AddClients();
  StepLedger();
  // Until everybody has been served or left; the ledger's own turns would go on for ever.
  const TimePoint end = clock_.Now() + kBusiest + Duration::Seconds(30);
  for (size_t events = 0; clock_.Now() < end && engine_; ++events) {
    if (events > kMostEvents) return {"the run does not come to rest"};
    if (agenda_.Next() <= engine_->NextTimer()) {
      agenda_.RunNext();
    } else {
      clock_.MoveTo(std::max(clock_.Now(), engine_->NextTimer()));
    }
    if (!engine_) break;
    engine_->Advance();
    Deliver();
  }
  // The next life has to come up with what is there, and a third one with nothing to mend.
  if (engine_) {
    Expect(engine_->size() == 0 || !ledger_->ready(), "any", "everything has ended");
    fault_happened_ = fault_happened_ || FaultyVfs::Get().happened();
    FaultyVfs::Get().Repair();
    engine_.reset();
    store_.reset();
    port_.reset();
    inbox_.reset();
    ledger_.reset();
  }
  for (int i = 0; i < 2; ++i) {
    OpenGateway();
    if (!ledger_) return broken_;
    Expect(i == 0 || ledger_->writer().expired_at_start() == 0, "any", "orphans are ended once");
    engine_.reset();
    store_.reset();
    port_.reset();
    inbox_.reset();
    ledger_.reset();
  }
  Check();
  return broken_;
}

void LedgerSimulation::Check() {
  if (const std::string rule = BrokenRule(folder_.file()); !rule.empty()) broken_.push_back(rule);
  Result<LedgerReader> reader = LedgerReader::Open(folder_.file());
  if (!reader) return;
  const Postings balance = *reader->Balance("o");
  Expect(balance.held == 0, "any", "L10: no hold outlives its owner");
  int64_t charged = 0;
  int64_t spent = 0;  // by the operator
  for (const auto& [generation, seen] : requests_) {
    const auto row = *reader->Generation(generation);
    Expect(row.has_value() || !seen.held, generation,
           "L12: an acknowledged hold is in the journal");
    if (!row) continue;
    std::map<std::string, LedgerCell> cells(row->begin(), row->end());
    const std::string state = std::get<std::string>(cells["state"]);
    const auto amount = [&](const std::string& name) {
      const auto* const value = std::get_if<int64_t>(&cells[name]);
      return value == nullptr ? 0 : *value;
    };
    const int64_t cost = amount("cost");
    (seen.second ? spent : charged) += cost;
    if (cost > 0) ++charged_;
    Expect(std::get<std::string>(cells["org"]) == (seen.second ? kOperatorOrg : "o"), generation,
           "is of whoever pays for it");
    Expect(!seen.held || amount("held") == seen.granted.nano, generation, "the hold is as granted");
    Expect(state != "held", generation, "R1: its row is complete");
    Expect(cost <= amount("held"), generation, "L8: no charge is above its hold");
    if (seen.settled) {
      Expect(state != "expired", generation, "L12: an acknowledged settlement is in the journal");
      Expect(cost == std::min(seen.cost.nano, seen.granted.nano), generation, "at its price");
      if (seen.answered) Expect(cost == seen.paid.nano, generation, "as the client was told");
    }
    Expect(state == "expired" || seen.settle_asked, generation, "nobody ends what was not ended");
    Expect(!seen.sent || seen.held, generation, "what was sent was held");
  }
  const int64_t cash = -reader->Balance("")->cash;
  Expect(cash == paid_in_.nano + kReversed.nano || (cash == paid_in_.nano && !reversed_), "any",
         "L12: an acknowledged order is in the journal");
  Expect(balance.available + balance.debt + charged == cash, "any",
         "L4: nothing is lost and nothing made");
  const Postings own = *reader->Balance(std::string(kOperatorOrg));
  Expect(own.held == 0 && own.available + own.debt + spent == 0, "any",
         "the operator owes what second requests have cost");
  if (balance.debt < 0) ++owing_;
}

}  // namespace seekroute::testing
