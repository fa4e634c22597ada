#include "testing/outage_simulation.h"

#include <algorithm>
#include <cstdlib>

namespace seekroute::testing {
namespace {

constexpr Duration kLength = Duration::Seconds(400);
constexpr size_t kMostBroken = 20;

std::string Body(const std::string& tag) {
  return R"({"model":"a/m","messages":[{"role":"user","content":")" + tag + R"("}],"stream":true})";
}

std::string HostOf(const std::string& url) { return url.substr(8, url.find('/', 8) - 8); }

size_t NumberOf(const std::string& host) {
  return static_cast<size_t>(std::strtoull(host.c_str() + 1, nullptr, 10));
}

}  // namespace

OutageSimulation::OutageSimulation(uint64_t seed)
    : rng_(seed),
      agenda_(&clock_),
      keys_(Secret("pepper")),
      health_(options_.health, options_.retry_budget),
      transport_(&agenda_, &clock_, [this](const TransportRequest& r) { return Direct(r); }),
      engine_({.options = &options_,
               .clock = &clock_,
               .rng = &rng_,
               .keys = &keys_,
               .idempotency = &idempotency_,
               .read_outs = &read_outs_,
               .store = &store_,
               .transport = &transport_,
               .stats = &stats_,
               .host = nullptr,
               .health = &health_}) {
  options_.require_key = false;
  options_.first_byte_timeout = options_.first_content_timeout = Duration::Seconds(10);
  options_.total_timeout = Duration::Seconds(60);
  options_.retry.retry_ambiguous = rng_.OneIn(2);
  const size_t count = 1 + rng_.Below(6);
  first_is_well_ = rng_.OneIn(2);
  for (size_t i = 0; i < count; ++i) {
    Host& host = hosts_.emplace_back();
    keys_of_.push_back(1 + rng_.Below(3));
    TimePoint at = clock_.Now();
    while (at < clock_.Now() + kLength) {
      at = at + Duration::Seconds(static_cast<int64_t>(5 + rng_.Below(80)));
      const bool well = (i == 0 && first_is_well_) || rng_.OneIn(2);
      host.phases.emplace_back(at, well ? Mode::kWell : static_cast<Mode>(rng_.Below(kModes)));
    }
    host.phases.emplace_back(TimePoint::Never(), Mode::kWell);
  }
  out_.resize(count);
  snapshot_ = MakeSnapshot();
  health_.Learn(*snapshot_, clock_.Now());
  TimePoint at = clock_.Now();
  for (ExchangeId id = 1; at < clock_.Now() + kLength; ++id) {
    at = at + Duration::Milliseconds(static_cast<int64_t>(20 + rng_.Below(800)));
    clients_[id].bad = rng_.OneIn(10);
    agenda_.At(at, [this, id] { Submit(id); });
  }
}

std::shared_ptr<const Snapshot> OutageSimulation::MakeSnapshot() {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->profiles.emplace("seekroute", Profile());
  snapshot->default_profile = "seekroute";
  Model model{.id = "a/m", .endpoints = {}};
  // Whoever is well throughout is the last to be asked.
  for (size_t i = hosts_.size(); i-- > 0;) {
    if (hosts_[i].absent) continue;
    Provider provider;
    provider.id = "h" + std::to_string(i);
    provider.upstream.base_url = "https://" + provider.id;
    for (size_t k = 0; k < keys_of_[i]; ++k) {
      provider.keys.push_back({std::to_string(k), Secret("key" + std::to_string(k)), 1});
    }
    Endpoint endpoint;
    endpoint.provider = static_cast<uint32_t>(snapshot->providers.size());
    endpoint.upstream_model = "up";
    endpoint.price = PriceTable::Flat({});
    endpoint.id = 1 + i;
    SetDialect(DialectId::kOpenAiChat, &endpoint);
    snapshot->providers.push_back(std::move(provider));
    model.endpoints.push_back(std::move(endpoint));
  }
  Catalog::Parts parts;
  parts.names.emplace("a/m", "a/m");
  parts.models.push_back(std::move(model));
  snapshot->catalog = std::move(*Catalog::Make(std::move(parts)));
  return snapshot;
}

OutageSimulation::Mode OutageSimulation::ModeOf(const Host& host) const {
  for (const auto& [until, mode] : host.phases) {
    if (clock_.Now() < until) return mode;
  }
  return Mode::kWell;
}

void OutageSimulation::Expect(bool holds, const std::string& promise) {
  if (!holds && broken_.size() < kMostBroken) {
    broken_.push_back(std::to_string((clock_.Now().ns - 1'000'000'000) / 1'000'000) +
                      " ms: " + promise);
  }
}

void OutageSimulation::Submit(ExchangeId id) {
  Client& client = clients_[id];
  client.submitted = clock_.Now();
  // For as long as it takes to notice, two others may be in the way of one.
  client.healthy_host = first_is_well_ && hosts_.size() <= 2;
  if (rng_.OneIn(50)) {  // a reload: nothing is forgotten, but whoever has gone is asked no more
    if (hosts_.size() > 1 && rng_.OneIn(2)) {
      Host& host = hosts_[1 + rng_.Below(hosts_.size() - 1)];
      host.absent = !host.absent;
    }
    snapshot_ = MakeSnapshot();
    health_.Learn(*snapshot_, clock_.Now());
  }
  Submission submission;
  submission.id = id;
  submission.body = Body((client.bad ? "bad" : "tag") + std::to_string(id));
  submission.submitted = clock_.Now();
  submission.snapshot = snapshot_;
  submission.outlet =
      std::make_unique<MailboxOutlet>(&mailbox_, id, std::make_shared<FlowWindow>(1 << 20));
  engine_.Submit(std::move(submission));
}

UpstreamScript OutageSimulation::Direct(const TransportRequest& request) {
  const std::string name = HostOf(request.upstream->base_url + "/");
  const size_t number = NumberOf(name);
  Host& host = hosts_[number];
  const std::string key(request.credentials().Reveal());
  const bool bad = request.body.find("\"bad") != std::string::npos;
  const size_t at = request.body.find(bad ? "bad" : "tag") + 3;
  Client& client = clients_[std::strtoull(request.body.c_str() + at, nullptr, 10)];
  ++client.calls;
  // Again where it is the only one that can be asked.
  const int before = client.asked[name + key]++;
  Expect(before == 0 || (before == 1 && client.calls == 2),
         "an endpoint is asked once with each key");
  Expect(!host.absent, "a provider that has gone is not asked");
  const auto told = host.told.find(key);
  Expect(told == host.told.end() || clock_.Now() >= told->second,
         "who has no request left is left alone until its reset, or for a minute");
  const HealthView view = health_.ViewOf(1 + number, clock_.Now());
  const bool out = view.state == HealthState::kEjected || view.state == HealthState::kHalfOpen;
  Expect(view.state != HealthState::kOut, "who asked to be left alone is");
  Expect(view.state != HealthState::kEjected || view.last_resort,
         "an ejected endpoint is not asked before it is due");
  const auto died = host.died.find(key);
  Expect(died == host.died.end() || clock_.Now() - died->second >= Duration::Seconds(300),
         "a dead key is not used before its probe");

  UpstreamScript script;
  script.head_delay = Duration::Milliseconds(static_cast<int64_t>(20 + rng_.Below(300)));
  script.head.content_type = "text/event-stream";
  script.pieces = {
      {{}, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n"},
      {Duration::Milliseconds(100),
       "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],"
       "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}\n\ndata: [DONE]\n\n"}};
  const auto refuse = [&script](int status, int64_t retry_after_ms = -1) {
    script.head.status = status;
    script.head.content_type = "application/json";
    script.head.retry_after_ms = retry_after_ms;
    script.pieces = {{{}, R"({"error":{"message":"no"}})"}};
  };
  const auto pause = static_cast<int64_t>(1000 + rng_.Below(20'000));
  const bool first = key == "key0";
  Mode mode = ModeOf(host);
  if (mode == Mode::kHalfFails) mode = rng_.OneIn(2) ? Mode::kWell : Mode::kFails;
  switch (mode) {
    case Mode::kFails:
      refuse(500);
      break;
    case Mode::kOverloaded:
      refuse(503);
      break;
    case Mode::kBusyFor:
      refuse(503, pause);
      break;
    case Mode::kLimits:
      refuse(429);
      break;
    case Mode::kLimitsFor:
      refuse(429, pause);
      break;
    case Mode::kRefuses:
      script.connects = false;
      script.pieces.clear();
      break;
    case Mode::kSilent:
      script.sends_head = false;
      script.ending = UpstreamScript::Ending::kHang;
      break;
    case Mode::kBreaksOff:
      script.pieces.clear();
      script.ending = UpstreamScript::Ending::kBroken;
      break;
    case Mode::kErrorInStream:
      script.pieces = {
          {{}, "data: {\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n\n"}};
      break;
    case Mode::kBadKey:
    case Mode::kNoCredit:
      if (first) {
        refuse(mode == Mode::kBadKey ? 401 : 402);
        // A 402 may be of the one request: it is believed of two.
        const bool certain = mode == Mode::kBadKey;
        agenda_.After(script.head_delay, [this, number, key, certain] {
          Host& of = hosts_[number];
          if (certain || ++of.unpaid[key] > 1) of.died[key] = clock_.Now();
        });
      } else if (bad) {
        refuse(400);
      }
      break;
    case Mode::kForbids:
      refuse(403);
      break;
    case Mode::kTells:
    case Mode::kTellsOddly: {
      if (bad) refuse(400);
      const int64_t reset_s = 1 + static_cast<int64_t>(rng_.Below(120));
      const bool odd = mode == Mode::kTellsOddly;
      script.head.wanted = {{"x-ratelimit-limit-requests", odd ? "-1" : "60"},
                            {"x-ratelimit-remaining-requests", odd ? "-1" : "0"},
                            {"x-ratelimit-reset-requests", std::to_string(reset_s) + "s"}};
      if (odd) break;
      agenda_.At(clock_.Now() + script.head_delay, [this, number, key, reset_s] {
        const Duration span = Duration::Seconds(std::min<int64_t>(reset_s, 60));
        hosts_[number].told[key] = clock_.Now() + span;
      });
      break;
    }
    default:
      if (bad) refuse(400);
      break;
  }
  Duration length = script.head_delay;
  for (const UpstreamScript::Piece& piece : script.pieces) length = length + piece.delay;
  if (script.head.status != 402) {
    agenda_.After(length, [this, number, key] { hosts_[number].unpaid[key] = 0; });
  }
  // One that is out is probed by one at a time; it is over after its answer, or its timeout.
  if (out) {
    Expect(host.probing == 0, "one attempt probes an endpoint at a time");
    ++host.probing;
    if (!script.sends_head) length = Duration::Seconds(10);
    agenda_.After(length, [this, number] { --hosts_[number].probing; });
  }
  return script;
}

void OutageSimulation::Watch() {
  size_t excluded = 0, present = 0;
  for (size_t i = 0; i < hosts_.size(); ++i) {
    if (hosts_[i].absent) continue;
    ++present;
    const HealthView view = health_.ViewOf(1 + i, clock_.Now());
    const bool ejected = view.state == HealthState::kEjected;
    if (ejected && !out_[i]) ++ejections_;
    out_[i] = ejected;
    if (ejected && !view.last_resort) ++excluded;
  }
  Expect(excluded <= present / 2, "half of the endpoints are out at most");
}

void OutageSimulation::Deliver() {
  for (Delivery& delivery : mailbox_.TakeAll()) {
    Client& client = clients_[delivery.exchange];
    if (delivery.head) {
      client.status = delivery.head->status;
      for (const auto& [name, value] : delivery.head->headers) {
        if (name == "retry-after-ms") client.retry_after_ms = value;
      }
    }
    if (!delivery.end) continue;
    client.ended = clock_.Now();
    client.row = *delivery.end;
    CheckClient(delivery.exchange, client);
  }
}

void OutageSimulation::CheckClient(ExchangeId id, const Client& client) {
  const std::string who = "request " + std::to_string(id) + ": ";
  const std::string& error = client.row.error;
  if (error.empty()) ++answered_;
  Expect(client.calls <= options_.retry.max_attempts, who + "attempt cap");
  Expect(static_cast<size_t>(client.calls) == client.row.tried.size(), who + "a row an attempt");
  if (client.calls == 0) {
    ++unserved_;
    Expect(error == "no_upstream" || error == "upstream_rate_limited",
           who + "nobody was asked: " + error);
    Expect(client.ended - client.submitted <= Duration::Milliseconds(50), who + "is told at once");
    Expect(!client.retry_after_ms.empty(), who + "is told when to try again");
  }
  const auto refused = [](const AttemptRecord& tried) {
    return tried.error == "upstream_invalid_request";
  };
  const auto refusals = std::ranges::count_if(client.row.tried, refused);
  Expect(refusals <= 1 && (refusals == 0 || error == "upstream_invalid_request"),
         who + "a bad request is refused once, and told");
  if (client.bad || !client.healthy_host) return;
  ++good_;
  if (error.empty()) ++good_served_;
}

std::vector<std::string> OutageSimulation::Run() {
  while (!agenda_.empty() || engine_.NextTimer() != TimePoint::Never()) {
    if (agenda_.Next() <= engine_.NextTimer()) {
      agenda_.RunNext();
    } else {
      clock_.MoveTo(std::max(clock_.Now(), engine_.NextTimer()));
    }
    engine_.Advance();
    Deliver();
    Watch();
  }
  for (const auto& [id, client] : clients_) {
    Expect(client.ended != TimePoint::Never(), "every request ends");
  }
  for (const HealthRow& row : health_.Rows(clock_.Now())) {
    Expect(row.in_flight == 0, "nothing runs at the end");
  }
  // What fails before its content may be repeated elsewhere, where that costs nothing.
  if (options_.retry.retry_ambiguous && good_ > 100) {
    Expect(good_served_ * 100 >= good_ * 95,
           "a provider that is well serves nearly all: " + std::to_string(good_served_) + " of " +
               std::to_string(good_));
  }
  return broken_;
}

}  // namespace seekroute::testing
