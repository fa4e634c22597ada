#include "testing/simulation.h"
#include "wire/protocols/protocols.h"

#include <algorithm>
#include <cstdlib>

namespace seekroute::testing {
namespace {

constexpr size_t kClients = 12;
constexpr uint32_t kModels = 6;  // model i is served by i providers; more than the attempt cap
constexpr size_t kMostEvents = 200'000;  // of one run: more means a loop that feeds itself

constexpr int64_t kLongestThinking = 700;  // tokens

uint32_t ProviderOf(const std::string& body) {
  const size_t model = body.find("\"model\":\"up") + 11;
  return static_cast<uint32_t>(std::strtoul(body.c_str() + model, nullptr, 10));
}

// In a member of `body`; 0: it has none of that name.
int64_t NumberIn(const std::string& body, const std::string& name) {
  const std::string own = "\"" + name + "\":";
  const size_t at = body.find(own);
  return at == std::string::npos ? 0 : std::strtoll(body.c_str() + at + own.size(), nullptr, 10);
}

}  // namespace

Simulation::Simulation(uint64_t seed)
    : rng_(seed),
      agenda_(&clock_),
      keys_(Secret("pepper")),
      most_read_outs_(rng_.Below(4)),
      read_outs_(static_cast<int>(most_read_outs_)),
      store_(&agenda_, &clock_, &rng_, DrawBalance(),
             {.slow = rng_.OneIn(2), .failing = rng_.OneIn(2), .full = rng_.OneIn(4)}),
      second_rng_(seed * 13 + 4),
      operator_store_(
          &agenda_, &clock_, &second_rng_, {kOperatorNano},
          {.slow = second_rng_.OneIn(2), .failing = second_rng_.OneIn(2), .full = false}),
      stores_(StoresOfBoth(&store_, &operator_store_)),
      pairs_(GatewayOptions()),
      transport_(&agenda_, &clock_, [this](const TransportRequest& r) { return Direct(r); }),
      engine_({.options = &options_,
               .clock = &clock_,
               .rng = &rng_,
               .keys = &keys_,
               .idempotency = &idempotency_,
               .read_outs = &read_outs_,
               .limiter = &limiter_,
               .upstream_limiter = &upstream_limiter_,
               .store = stores_.get(),
               .transport = &transport_,
               .stats = &stats_,
               .host = nullptr,
               .shadows = &pairs_,
               .answers = &answers_}) {
  options_.window_bytes = kWindow;
  options_.max_answer_bytes = 4096;
  options_.sse = {2000, 4000};
  options_.first_byte_timeout = Duration::Seconds(60);
  options_.first_content_timeout = Duration::Seconds(120);
  options_.idle_timeout = Duration::Seconds(30);
  options_.total_timeout = Duration::Seconds(600);
  options_.retry.retry_ambiguous = rng_.OneIn(2);
  options_.credits = rng_.OneIn(2);
  options_.strict_bound = rng_.OneIn(4);
  if (rng_.OneIn(4)) options_.max_output_tokens = static_cast<int64_t>(1 + rng_.Below(500));
  DrawPolicies();
  ApiKey key{.key_id = "k", .org_id = "o", .credit_line = credit_line_};
  if (rng_.OneIn(4)) key.limit = Money{static_cast<int64_t>(rng_.Below(100'000'000))};
  key_limited_ = key.limit.has_value();
  if (rng_.OneIn(2)) key.limit_reset = Window::kMonthly;
  snapshot_ = MakeSnapshot();
  DrawLimits(seed);
  if (!limits_.empty()) key.limits = std::make_shared<const LimitSet>(limits_);
  keys_.Put(HmacSha256(Secret("pepper"), "good"), std::move(key));
  AddClients();
  DrawPatience(seed);
  DrawAuto(seed);
  DrawShadows(seed);
}

// Enough for everybody, for a few, or for hardly anything.
Money Simulation::DrawBalance() {
  constexpr int64_t kOneHold = 70'000'000;  // of an answer that nothing limits
  if (rng_.OneIn(3)) return {100 * kOneHold};
  return {static_cast<int64_t>(rng_.Below(rng_.OneIn(2) ? 3 * kOneHold : kOneHold / 10))};
}

void Simulation::DrawPolicies() {
  const auto draw = [this] { return rng_.OneIn(2) ? ChargePolicy::kCharge : ChargePolicy::kFree; };
  options_.on_client_abort = rng_.OneIn(4) ? ChargePolicy::kFree : ChargePolicy::kCharge;
  options_.on_upstream_failure = draw();
  options_.on_missing_usage = draw();
  if (rng_.OneIn(2)) options_.local_org = "operator";
  if (rng_.OneIn(3)) credit_line_ = {static_cast<int64_t>(rng_.Below(200'000'000))};
  if (rng_.OneIn(6)) credit_line_ = kUnlimitedLine;
  while (rng_.OneIn(4)) {
    const Money amount{static_cast<int64_t>(rng_.Below(100'000'000))};
    agenda_.After(rng_.UpTo(Duration::Seconds(40)), [this, amount] { store_.ChargeBack(amount); });
  }
}

std::string Simulation::CapFieldOf(uint32_t provider) const {
  return (cap_fields_ >> provider & 1) != 0 ? "max_completion_tokens" : "max_tokens";
}

// Of an endpoint: any of them may be its own.
CallTimeouts Simulation::DrawTimeouts() {
  const auto draw = [this](uint64_t from, uint64_t to) {
    if (!rng_.OneIn(3)) return Duration{};
    return Duration::Seconds(static_cast<int64_t>(from + rng_.Below(to - from)));
  };
  return {.first_byte = draw(10, 90),
          .first_content = draw(100, 180),
          .idle = draw(10, 60),
          .total = draw(300, 900)};
}

// Served by the first so many providers.
Model Simulation::MakeModel(std::string id, uint32_t providers, DialectId dialect,
                            const std::shared_ptr<const PriceTable>& price) {
  Model model{.id = std::move(id), .endpoints = {}};
  for (uint32_t k = 0; k < providers; ++k) {
    RequestForm form;
    form.cap_field = CapFieldOf(k);
    if ((budget_fields_ >> k & 1) != 0) form.reasoning_budget_field = "thinking_budget";
    model.endpoints.push_back({k, "up" + std::to_string(k) + ' ' + model.id, price, std::move(form),
                               DrawTimeouts(), (beside_ >> k & 1) != 0, kLongestThinking});
    Endpoint& endpoint = model.endpoints.back();
    if (rng_.OneIn(4)) endpoint.max_output = static_cast<int64_t>(1 + rng_.Below(3000));
    if (rng_.OneIn(6)) endpoint.context = static_cast<int64_t>(2000 + rng_.Below(20'000));
    SetDialect(dialect, &endpoint);
  }
  return model;
}

std::shared_ptr<const Snapshot> Simulation::MakeSnapshot() {
  cap_fields_ = rng_.Next();
  beside_ = rng_.Next();
  budget_fields_ = rng_.Next();
  auto snapshot = std::make_shared<Snapshot>();
  Profile profile;
  profile.usage_cost = rng_.OneIn(2);
  snapshot->profiles.emplace("seekroute", profile);
  snapshot->default_profile = "seekroute";
  PriceTable::Parts prices;
  prices.revision = "r";
  prices.variants.resize(2);
  for (PriceVariant& variant : prices.variants) {
    variant.rates[PriceClass::kOutput] = Rate{kOutputNano * 1000};
  }
  prices.variants[0].until = kPriceChange;
  prices.variants[0].rates[PriceClass::kInput] = Rate{3'000'000};
  prices.variants[1].rates[PriceClass::kInput] = Rate{1'000'000};
  const auto price = *PriceTable::Make(std::move(prices));
  Catalog::Parts parts;
  for (uint32_t i = 0; i < kModels; ++i) {
    Provider provider;
    provider.id = "p" + std::to_string(i);
    provider.upstream.base_url = "https://p" + std::to_string(i);
    if (rng_.OneIn(2)) provider.on_abort = OnAbort::kReadOut;
    snapshot->providers.push_back(std::move(provider));
    for (Model model :
         {MakeModel("a/m" + std::to_string(i), i, DialectId::kOpenAiChat, price),
          MakeModel("a/e" + std::to_string(i), i, DialectId::kOpenAiEmbeddings, price)}) {
      parts.names.emplace(model.id, model.id);
      parts.models.push_back(std::move(model));
    }
  }
  parts.auto_names = {"auto"};
  snapshot->catalog = std::move(*Catalog::Make(std::move(parts)));
  return snapshot;
}

void Simulation::AddClients() {
  for (ExchangeId id = 1; id <= kClients; ++id) {
    Client client;
    client.stream = rng_.OneIn(2);
    client.include_usage = client.stream && rng_.OneIn(2);
    client.dawdles = rng_.OneIn(3);
    client.local = rng_.OneIn(5);
    const uint64_t model = rng_.Below(kModels);
    client.body = R"({"model":"a/m)" + std::to_string(model) +
                  R"(","messages":[{"role":"user","content":"tag)" + std::to_string(id) + R"("}])";
    if (client.stream) client.body += R"(,"stream":true)";
    if (rng_.OneIn(3)) {
      client.max_tokens = static_cast<int64_t>(1 + rng_.Below(rng_.OneIn(2) ? 40 : 20'000));
      const auto say = [&client](const std::string& field, int64_t tokens) {
        client.body += ",\"" + field + "\":" + std::to_string(tokens);
      };
      const bool both = rng_.OneIn(3);
      const std::string own = rng_.OneIn(2) ? "max_tokens" : "max_completion_tokens";
      say(own, client.max_tokens);
      if (both) {
        say(own == "max_tokens" ? "max_completion_tokens" : "max_tokens",
            client.max_tokens + static_cast<int64_t>(rng_.Below(1000)));
      }
    }
    if (client.include_usage) client.body += R"(,"stream_options":{"include_usage":true})";
    client.body += "}";
    if (rng_.OneIn(6)) AskForEmbeddings(&client, id, model);
    client.valid = model != 0;
    if (rng_.OneIn(8)) {
      client.body.resize(rng_.Below(client.body.size()));
      client.valid = false;
    }
    client.submitted = clock_.Now() + rng_.UpTo(Duration::Seconds(20));
    if (rng_.OneIn(4)) {
      client.cancelled_at = client.submitted + rng_.UpTo(Duration::Seconds(60));
      agenda_.At(client.cancelled_at, [this, id] { Abort(id); });
    }
    agenda_.At(client.submitted, [this, id] { SubmitClient(id); });
    clients_.emplace(id, std::move(client));
  }
}

// In the place of the chat that it had in mind.
void Simulation::AskForEmbeddings(Client* client, ExchangeId id, uint64_t model) {
  client->stream = client->include_usage = false;
  client->max_tokens = 0;
  client->inputs = 1 + rng_.Below(3);
  client->body =
      R"({"model":"a/e)" + std::to_string(model) + R"(","input":["tag)" + std::to_string(id) + "\"";
  for (size_t i = 1; i < client->inputs; ++i) client->body += R"(,"and another")";
  client->body += "]}";
}

void Simulation::Abort(ExchangeId id) {
  Client& client = clients_[id];
  if (!client.cancelled) client.received_by_then = client.received.size();
  client.cancelled = client.cancelled || client.ends == 0;
  client.cancelled_at = std::min(client.cancelled_at, clock_.Now());
  engine_.Cancel(id);
}

void Simulation::SubmitClient(ExchangeId id) {
  Client& client = clients_[id];
  client.submitted = clock_.Now();
  client.window = std::make_shared<FlowWindow>(kWindow);
  if (client.automatic) FindChoice(id);
  Submission submission;
  submission.id = id;
  if (client.inputs > 0) submission.surface = SurfaceId::kEmbeddings;
  submission.body = client.body;
  if (!client.local) submission.authorization = Secret("Bearer good");
  if (client.local) submission.origin = Origin::kInProcess;
  submission.idempotency_key = "order-" + std::to_string(id);
  submission.options.queue = client.queue;
  submission.submitted = clock_.Now();
  submission.snapshot = snapshot_;
  submission.outlet = std::make_unique<MailboxOutlet>(&mailbox_, submission.id, client.window);
  if (id % 2 == 0) {  // as if it were large
    submission.scan.emplace(ScanBody(submission.body, SurfaceOf(submission.surface),
                                     snapshot_->ProfileNamed("seekroute"),
                                     snapshot_->excerpt_for()));
  }
  engine_.Submit(std::move(submission));
}

// What a provider that got `body` was told in the field that it reads; 0: nothing.
int64_t Simulation::ToldIn(const std::string& body) const {
  return NumberIn(body, CapFieldOf(ProviderOf(body)));
}

// The endpoint whose provider got `body`.
const Endpoint& Simulation::EndpointOf(const std::string& body) const {
  const size_t model = body.find("a/", body.find("\"model\":\"up"));
  return snapshot_->catalog.Find(body.substr(model, 4))->endpoints[ProviderOf(body)];
}

// What it may think beside that at most.
int64_t Simulation::ThinkingBeside(const std::string& body) const {
  const uint32_t provider = ProviderOf(body);
  if ((beside_ >> provider & 1) == 0 || body.find("\"input\"") != std::string::npos) return 0;
  const int64_t told = NumberIn(body, "thinking_budget");
  return told > 0 ? std::min(told, kLongestThinking) : kLongestThinking;
}

UpstreamScript Simulation::Direct(const TransportRequest& request) {
  const size_t at = request.body.find("tag");
  const std::string tag = request.body.substr(at, request.body.find('"', at) - at);
  // L14: what is sent has been paid for, and the upstream is told how far that goes.
  const ExchangeId id = ClientOf(request.body);
  const CreditStore::Booking* const booking = store_.Find(id);
  const auto expect = [&](bool holds, const std::string& promise) {
    if (!holds) early_.push_back("exchange " + tag + ": " + promise);
  };
  const Client& client = clients_[id];
  if (client.ends > 0) return DirectSecond(request);
  const int64_t cap = ToldIn(request.body);
  const bool named = client.max_tokens > 0 || options_.max_output_tokens > 0;
  expect(client.max_tokens == 0 || cap <= client.max_tokens, "no more than the client asked for");
  expect(options_.max_output_tokens == 0 || cap <= options_.max_output_tokens,
         "no more than the operator allows");
  if (IsBooked(client)) {
    const Money line = client.local ? kUnlimitedLine : credit_line_;
    expect(booking != nullptr && booking->asked.line == line,
           "its organization's credit line is asked");
    if (booking != nullptr && store_.balance() < Money{}) ++owed_;
    expect(booking != nullptr && booking->state == CreditStore::State::kHeld,
           "nothing is sent before its hold is durable");
    const bool limited = line != kUnlimitedLine || (!client.local && key_limited_) || named;
    const bool answers_in_tokens = client.inputs == 0;
    expect((cap > 0) == (limited && answers_in_tokens),
           "the upstream is told how long the answer may get");
    if (line != kUnlimitedLine || (!client.local && key_limited_)) {
      const Endpoint& endpoint = EndpointOf(request.body);
      const auto within = [cap](int64_t bound) { return bound == 0 || cap <= bound; };
      expect(within(endpoint.max_output) && within(endpoint.context),
             "no endpoint is told more than it can answer in");
    }
    const int64_t most = cap + ThinkingBeside(request.body);
    expect(booking == nullptr || most * kOutputNano <= booking->held.nano,
           "the hold pays for the longest answer");
  } else {
    expect(booking == nullptr, "nothing is held with credits off");
    expect((cap > 0) == (named && client.inputs == 0),
           "with credits off only a length that was named is told");
  }
  // Some send the other form, and either under any label.
  const bool streams = request.body.find("\"stream\":true") != std::string::npos;
  // Of one that is put together for a plain call only the text is compared.
  const bool calls = client.stream && rng_.OneIn(2);
  UpstreamScript script = client.inputs > 0           ? EmbeddingsScript(client.inputs)
                          : streams != rng_.OneIn(10) ? StreamScript(tag, calls)
                                                      : JsonScript(tag);
  const uint64_t fault = rng_.Below(15);
  script.connects = fault != 0;
  script.sends_head = fault != 1 && fault != 2;
  if (fault == 2) script.ending = UpstreamScript::Ending::kHang;
  if (fault == 3) {
    constexpr int kStatuses[] = {301, 400, 401, 404, 408, 413, 429, 500, 502, 503, 529};
    script.head.status = kStatuses[rng_.Below(std::size(kStatuses))];
  }
  if (fault == 4) script.head.content_encoding = "gzip";
  if (fault == 5) script.head.content_type = "text/html";
  script.well_formed = script.well_formed && fault > 4;
  const bool late = rng_.OneIn(12);
  script.head_delay = rng_.UpTo(late ? Duration::Seconds(90) : Duration::Seconds(3));
  script.prompt = script.prompt && !late && script.ending == UpstreamScript::Ending::kClean;
  return script;
}

void Simulation::Take(ExchangeId id, size_t size) {
  Client& client = clients_[id];
  client.unacked -= size;
  if (client.window->Take(size)) engine_.Resume(id);
}

void Simulation::Deliver() {
  for (Delivery& delivery : mailbox_.TakeAll()) {
    Client& client = clients_[delivery.exchange];
    if (delivery.head) {
      ++client.heads;
      client.status = delivery.head->status;
    }
    if (!delivery.body.empty()) {
      client.received += delivery.body;
      const size_t size = delivery.body.size();
      client.unacked += size;
      if (!delivery.end) client.most_unacked = std::max(client.most_unacked, client.unacked);
      const Duration delay = client.dawdles ? rng_.UpTo(Duration::Seconds(5)) : Duration{};
      agenda_.After(delay, [this, id = delivery.exchange, size] { Take(id, size); });
    }
    if (delivery.end) CheckLastByte(delivery.exchange, client);
    if (delivery.end) {
      const bool exact = delivery.end->settlement == Settlement::kExact;
      if (exact && !delivery.end->error.empty()) ++read_out_;
      ++client.ends;
      client.ended = clock_.Now();
      client.row = *delivery.end;
      ++(client.row.error.empty() ? answered_ : failed_);
    }
    for (const char c : delivery.body) {
      fingerprint_ = (fingerprint_ ^ static_cast<uint8_t>(c)) * 1099511628211u;
    }
    fingerprint_ = (fingerprint_ ^ static_cast<uint64_t>(clock_.Now().ns)) * 1099511628211u;
  }
}

// A client has its last byte when its settlement is stored, or has been waited for.
void Simulation::CheckLastByte(ExchangeId id, const Client& client) {
  const CreditStore::Booking* const booking = store_.Find(id);
  if (booking == nullptr || booking->state != CreditStore::State::kHeld) return;
  if (booking->settles == 1 && clock_.Now() >= booking->settle_asked + options_.settle_patience) {
    return;
  }
  early_.push_back("exchange " + std::to_string(id) + ": has its last byte before it is settled" +
                   (client.cancelled ? " (cancelled)" : ""));
}

std::vector<std::string> Simulation::Run() {
  std::vector<std::string> broken;
  while (!agenda_.empty() || engine_.NextTimer() != TimePoint::Never()) {
    if (++events_ == abort_at_) {
      for (const auto& [id, client] : clients_) {
        if (client.window && client.ends == 0) Abort(id);
      }
    }
    if (events_ == stop_at_) {
      stop_time_ = clock_.Now();
      engine_.Stop();
      engine_.Advance();
      Deliver();
    }
    if (events_ > kMostEvents) {
      broken.emplace_back("the run does not come to rest");
      return broken;
    }
    if (agenda_.Next() <= engine_.NextTimer()) {
      agenda_.RunNext();
    } else {
      clock_.MoveTo(std::max(clock_.Now(), engine_.NextTimer()));
    }
    engine_.Advance();
    Deliver();
    CheckSlots();
    if (read_outs_.taken() > static_cast<int>(most_read_outs_))
      early_.emplace_back("too many are read out");
  }
  Check(&broken);
  CheckShadows(&broken);
  CheckLimits(&broken);
  for (const auto& [id, client] : clients_) {
    CheckStop(id, client, &broken);
    if (client.automatic && !client.row.tried.empty()) ++chosen_;
  }
  CheckLengths(&broken);
  return broken;
}

}  // namespace seekroute::testing
