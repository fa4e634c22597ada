#include "testing/simulation.h"

#include <algorithm>
#include <cstdlib>

namespace seekroute::testing {
namespace {

constexpr size_t kClients = 12;
constexpr uint32_t kModels = 6;  // model i is served by i providers; more than the attempt cap
constexpr size_t kWindow = 400;
constexpr size_t kLargestPiece = 300;
// Most clients come before it, and many of their answers end after it.
constexpr UnixSeconds kPriceChange{1'800'000'008};
constexpr int64_t kOutputNano = 2000;    // a token
constexpr size_t kMostEvents = 200'000;  // of one run: more means a loop that feeds itself
// Bookkeeping at the same instant is not a delay; a second is far more than any timer's slack.
constexpr Duration kSlack = Duration::Seconds(1);

std::string Chunk(const std::string& delta, const std::string& finish, const std::string& usage) {
  std::string chunk =
      R"(data: {"id":"up","object":"chat.completion.chunk","created":1,"model":"m",)"
      R"("choices":[{"index":0,"delta":)" +
      delta + R"(,"finish_reason":)" + finish + "}]";
  if (!usage.empty()) chunk += R"(,"usage":)" + usage;
  return chunk + "}\n\n";
}

size_t Count(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

// The concatenated delta.content of a client's stream; the simulator's words need no unescaping.
std::string ContentOf(const std::string& stream) {
  const std::string mark = R"("content":")";
  std::string content;
  for (size_t at = stream.find(mark); at != std::string::npos; at = stream.find(mark, at)) {
    at += mark.size();
    const size_t end = stream.find('"', at);
    content += stream.substr(at, end - at);
    at = end;
  }
  return content;
}

}  // namespace

Simulation::Simulation(uint64_t seed)
    : rng_(seed),
      agenda_(&clock_),
      keys_(Secret("pepper")),
      store_(&agenda_, &clock_, &rng_, DrawBalance(),
             {.slow = rng_.OneIn(2), .failing = rng_.OneIn(2), .full = rng_.OneIn(4)}),
      transport_(&agenda_, &clock_, [this](const TransportRequest& r) { return Direct(r); }),
      engine_({.options = &options_,
               .clock = &clock_,
               .rng = &rng_,
               .keys = &keys_,
               .idempotency = &idempotency_,
               .store = &store_,
               .transport = &transport_,
               .mailbox = &mailbox_,
               .stats = &stats_,
               .host = nullptr}) {
  options_.window_bytes = kWindow;
  options_.max_answer_bytes = 4096;
  options_.sse = {2000, 4000};
  options_.retry.retry_ambiguous = rng_.OneIn(2);
  options_.credits = rng_.OneIn(2);
  options_.strict_bound = rng_.OneIn(4);
  if (rng_.OneIn(4)) options_.max_output_tokens = static_cast<int64_t>(1 + rng_.Below(500));
  ApiKey key{.key_id = "k", .org_id = "o"};
  if (rng_.OneIn(4)) key.limit = Money{static_cast<int64_t>(rng_.Below(100'000'000))};
  keys_.Put(HmacSha256(Secret("pepper"), "good"), std::move(key));
  snapshot_ = MakeSnapshot();
  AddClients();
}

// Enough for everybody, for a few, or for hardly anything.
Money Simulation::DrawBalance() {
  constexpr int64_t kOneHold = 70'000'000;  // of an answer that nothing limits
  if (rng_.OneIn(3)) return {100 * kOneHold};
  return {static_cast<int64_t>(rng_.Below(rng_.OneIn(2) ? 3 * kOneHold : kOneHold / 10))};
}

std::shared_ptr<const Snapshot> Simulation::MakeSnapshot() {
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
    snapshot->providers.push_back(std::move(provider));
    Model model{.id = "a/m" + std::to_string(i), .output = Output::kText, .endpoints = {}};
    for (uint32_t k = 0; k < i; ++k) {
      model.endpoints.push_back({k, "up" + std::to_string(k), price});
    }
    parts.names.emplace(model.id, model.id);
    parts.models.push_back(std::move(model));
  }
  snapshot->catalog = std::move(*Catalog::Make(std::move(parts)));
  return snapshot;
}

void Simulation::AddClients() {
  for (ExchangeId id = 1; id <= kClients; ++id) {
    Client client;
    client.stream = rng_.OneIn(2);
    client.include_usage = client.stream && rng_.OneIn(2);
    client.dawdles = rng_.OneIn(3);
    const uint64_t model = rng_.Below(kModels);
    client.body = R"({"model":"a/m)" + std::to_string(model) +
                  R"(","messages":[{"role":"user","content":"tag)" + std::to_string(id) + R"("}])";
    if (client.stream) client.body += R"(,"stream":true)";
    if (rng_.OneIn(3)) {
      client.max_tokens = static_cast<int64_t>(1 + rng_.Below(rng_.OneIn(2) ? 40 : 20'000));
      client.body += R"(,"max_tokens":)" + std::to_string(client.max_tokens);
    }
    if (client.include_usage) client.body += R"(,"stream_options":{"include_usage":true})";
    client.body += "}";
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

void Simulation::Abort(ExchangeId id) {
  Client& client = clients_[id];
  client.cancelled = client.cancelled || client.ends == 0;
  client.cancelled_at = std::min(client.cancelled_at, clock_.Now());
  engine_.Cancel(id);
}

void Simulation::SubmitClient(ExchangeId id) {
  Client& client = clients_[id];
  client.submitted = clock_.Now();
  client.window = std::make_shared<FlowWindow>(kWindow);
  Submission submission;
  submission.id = id;
  submission.body = client.body;
  submission.authorization = Secret("Bearer good");
  submission.submitted = clock_.Now();
  submission.snapshot = snapshot_;
  submission.window = client.window;
  engine_.Submit(std::move(submission));
}

void Simulation::Cut(const std::string& bytes, UpstreamScript* script) {
  script->prompt = !rng_.OneIn(10);
  const Duration longest = script->prompt ? Duration::Seconds(2) : Duration::Seconds(40);
  for (size_t at = 0; at < bytes.size();) {
    const size_t size = 1 + rng_.Below(kLargestPiece);
    script->pieces.push_back({rng_.UpTo(longest), bytes.substr(at, size)});
    at += size;
  }
}

UpstreamScript Simulation::StreamScript(const std::string& tag) {
  UpstreamScript script;
  script.head.content_type = "text/event-stream";
  const uint64_t words = 1 + rng_.Below(30);
  const std::string usage =
      R"({"prompt_tokens":10,"completion_tokens":)" + std::to_string(words) + "}";
  std::string bytes = Chunk(R"({"role":"assistant","content":""})", "null", "");
  const uint64_t fault = rng_.Below(12);
  const uint64_t fault_at = rng_.Below(words);
  for (uint64_t i = 0; i < words; ++i) {
    if (rng_.OneIn(5)) bytes += ": ping\n\n";
    if (i == fault_at && fault < 3) {
      script.well_formed = false;
      if (fault == 0) bytes += "data: {\"error\":{\"message\":\"boom\"}}\n\n";
      if (fault == 1) bytes += "data: not json\n\n";
      if (fault == 2) bytes += "data: " + std::string(5000, 'y') + "\n\n";
    }
    const std::string word = tag + "." + std::to_string(i) + " ";
    if (script.well_formed) script.content += word;
    bytes += Chunk(R"({"content":")" + word + R"("})", "null", rng_.OneIn(9) ? usage : "");
  }
  bytes += Chunk("{}", "\"stop\"", rng_.OneIn(3) ? usage : "");
  if (!rng_.OneIn(4)) {
    bytes += R"(data: {"id":"up","choices":[],"usage":)" + usage + "}\n\n";
  }
  if (!rng_.OneIn(6)) bytes += "data: [DONE]\n\n";
  if (fault == 3) {
    bytes.resize(rng_.Below(bytes.size()));
    script.well_formed = false;
    script.content.clear();  // unknown: only the prefix rule is checked
  }
  if (fault == 4 || fault == 3) {
    script.ending = rng_.OneIn(2) ? UpstreamScript::Ending::kBroken : UpstreamScript::Ending::kHang;
  }
  Cut(bytes, &script);
  return script;
}

UpstreamScript Simulation::JsonScript(const std::string& tag) {
  UpstreamScript script;
  script.content = tag + " answer";
  std::string bytes = R"({"id":"up","object":"chat.completion","created":1,"model":"m","choices":[)"
                      R"({"index":0,"message":{"role":"assistant","content":")" +
                      script.content + R"("},"finish_reason":"stop"}])";
  if (!rng_.OneIn(4)) bytes += R"(,"usage":{"prompt_tokens":10,"completion_tokens":2})";
  bytes += "}";
  const uint64_t fault = rng_.Below(12);
  script.well_formed = fault > 4;
  if (fault == 0) bytes = R"({"error":{"message":"quota"}})";
  if (fault == 1) bytes = "<html>";
  if (fault == 2) bytes = std::string(5000, '[');
  if (fault == 3) bytes.resize(rng_.Below(bytes.size()));
  if (fault == 4) script.ending = UpstreamScript::Ending::kHang;
  if (fault == 3) script.ending = UpstreamScript::Ending::kBroken;
  Cut(bytes, &script);
  return script;
}

UpstreamScript Simulation::Direct(const TransportRequest& request) {
  const size_t at = request.body.find("tag");
  const std::string tag = request.body.substr(at, request.body.find('"', at) - at);
  // L14: what is sent has been paid for, and the upstream is told how far that goes.
  const ExchangeId id = std::strtoull(tag.c_str() + 3, nullptr, 10);
  const CreditStore::Booking* const booking = store_.Find(id);
  const auto expect = [&](bool holds, const std::string& promise) {
    if (!holds) early_.push_back("exchange " + tag + ": " + promise);
  };
  if (options_.credits) {
    expect(booking != nullptr && booking->state == CreditStore::State::kHeld,
           "nothing is sent before its hold is durable");
    const size_t cap = request.body.find("\"max_tokens\":");
    expect(cap != std::string::npos, "the upstream is told how long the answer may get");
    if (cap != std::string::npos && booking != nullptr) {
      const int64_t tokens = std::strtoll(request.body.c_str() + cap + 13, nullptr, 10);
      expect(tokens > 0 && tokens * kOutputNano <= booking->held.nano,
             "the hold pays for the longest answer");
    }
  } else {
    expect(booking == nullptr, "nothing is held with credits off");
    const int64_t asked = clients_[id].max_tokens;
    const std::string said = "\"max_tokens\":" + std::to_string(asked);
    expect((request.body.find("max_tokens") != std::string::npos) == (asked > 0) &&
               (asked == 0 || request.body.find(said) != std::string::npos),
           "the body is the client's with credits off");
  }
  UpstreamScript script = request.body.find("\"stream\":true") != std::string::npos
                              ? StreamScript(tag)
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
  // A JSON answer needs no particular content type; a stream does.
  const bool type_matters = script.head.content_type == "text/html" &&
                            request.body.find("\"stream\":true") != std::string::npos;
  script.well_formed = script.well_formed && (fault > 5 || (fault == 5 && !type_matters));
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
  for (Delivery& delivery : mailbox_.Drain()) {
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
  }
  Check(&broken);
  return broken;
}

void Simulation::Check(std::vector<std::string>* broken) const {
  if (engine_.size() != 0) broken->emplace_back("an exchange was never buried");
  if (transport_.live() != 0) broken->emplace_back("a transfer was never ended");
  broken->insert(broken->end(), early_.begin(), early_.end());
  for (std::string& line : store_.CheckAtRest()) broken->push_back(std::move(line));
  for (const auto& [id, client] : clients_) CheckClient(id, client, broken);
}

void Simulation::CheckClient(ExchangeId id, const Client& client,
                             std::vector<std::string>* broken) const {
  const auto expect = [&](bool holds, const std::string& promise) {
    if (!holds) broken->push_back("exchange " + std::to_string(id) + ": " + promise);
  };
  std::vector<const SeenTransfer*> attempts;
  const std::string tag = "tag" + std::to_string(id) + "\"";
  for (const SeenTransfer& seen : transport_.seen()) {
    if (seen.body.find(tag) != std::string::npos) attempts.push_back(&seen);
  }

  expect(client.ends == 1, "ends exactly once");
  expect(client.heads <= 1, "one head at most");
  expect(client.heads == 1 || client.cancelled, "a client that stays gets an answer");
  expect(client.ended <= client.submitted + options_.total_timeout + kSlack, "ends in time");
  expect(client.cancelled_at == TimePoint::Never() || !client.cancelled ||
             client.ended <= client.cancelled_at + kSlack,
         "a cancelled exchange ends at once");
  expect(static_cast<size_t>(client.row.attempts) == attempts.size(), "counts its attempts");
  expect(attempts.size() <= static_cast<size_t>(options_.retry.max_attempts), "attempt cap");
  expect(client.most_unacked <= kWindow + 4 * kLargestPiece + 600, "the window bounds what waits");

  const CreditStore::Booking* const booking = store_.Find(id);
  const int settled = booking == nullptr ? 0 : booking->settles;
  const bool stood = booking != nullptr && booking->state == CreditStore::State::kSettled;
  expect(settled <= 1, "one row at most");
  if (!attempts.empty() || stood) expect(settled == 1, "one row an admitted request");
  if (!options_.credits && attempts.empty()) expect(settled == 0, "no row of a refused one");
  CheckMoney(id, client, broken);
  if (!client.valid) {
    expect(attempts.empty() && client.status >= 400, "an invalid request never goes upstream");
    return;
  }
  const bool ok = client.row.error.empty();
  if (client.cancelled || attempts.empty()) return;
  if (ok) {
    expect(client.status == 200, "success is 200");
    expect(client.row.prompt_tokens > 0 || client.row.estimated, "usage comes back");
    expect(Count(client.received, "\"prompt_tokens\"") == 1, "usage exactly once");
    const bool free = client.row.finish_reason.empty() && client.row.completion_tokens == 0;
    const int64_t rate = free ? 0 : client.row.created < kPriceChange ? 3000 : 1000;
    int64_t price = client.row.prompt_tokens * rate;
    if (!free) price += client.row.completion_tokens * kOutputNano;
    if (options_.credits) price = std::min(price, client.row.held.nano);
    expect(client.row.cost.nano == price, "the price is that of the moment of admission");
  }
  if (client.stream && client.status == 200) {
    const size_t done = Count(client.received, "data: [DONE]");
    const size_t errors = Count(client.received, "\"error\":{");
    expect(done + errors == 1, "a stream ends in [DONE] or one error event");
    expect((done == 1) == ok, "[DONE] means success");
    const std::string content = ContentOf(client.received);
    const SeenTransfer& last = *attempts.back();
    if (ok) {
      expect(content == last.script.content, "the whole content, once");
    } else if (!last.script.content.empty()) {
      expect(last.script.content.starts_with(content), "content is a prefix, never repeated");
    }
    for (const SeenTransfer* attempt : attempts) {
      expect(attempt == &last || attempt->started <= client.submitted + client.row.first_content,
             "no attempt after content");
    }
  } else if (ok) {
    expect(client.received.find(attempts.back()->script.content) != std::string::npos,
           "the answer is the upstream's");
  }
  const UpstreamScript& last = attempts.back()->script;
  if (ok) expect(last.well_formed, "only a well-formed answer is a success");
  if (last.well_formed && last.prompt) expect(ok, "a well-formed, prompt answer is a success");
}

// Client, row and store say the same, and the charge is what the outcome allows.
void Simulation::CheckMoney(ExchangeId id, const Client& client,
                            std::vector<std::string>* broken) const {
  const auto expect = [&](bool holds, const std::string& promise) {
    if (!holds) broken->push_back("exchange " + std::to_string(id) + ": " + promise);
  };
  const ExchangeRow& row = client.row;
  const CreditStore::Booking* const booking = store_.Find(id);
  if (booking == nullptr || booking->never_held) {
    expect(row.held == Money{}, "no hold in a row that has none");
    if (!options_.credits && !row.error.empty()) expect(row.cost == Money{}, "an error is free");
    return;
  }
  using enum CreditStore::State;
  if (booking->state == kRefused) {
    expect(row.attempts == 0, "a refused hold sends nothing");
    expect(row.error == "insufficient_credits" || row.status == 503 || client.cancelled,
           "a refused hold is told");
    expect(row.status != 402 ||
               client.received.find("\"affordable_max_tokens\":") != std::string::npos,
           "a 402 says what is affordable");
    return;
  }
  expect(row.cost == booking->charge, "the row's cost is the charge");
  expect(booking->row.held == row.held, "the stored row is the client's");
  expect(row.attempts == 0 || row.held == booking->held, "the row knows its hold");
  switch (row.settlement) {
    case Settlement::kExact:
    case Settlement::kEstimated:
      expect(row.error.empty(), "an answer was charged");
      expect(row.estimated == (row.settlement == Settlement::kEstimated), "says if it guessed");
      break;
    case Settlement::kPartial:
      expect(client.cancelled && client.heads == 1 && row.prompt_tokens > 0, "left in the middle");
      expect(row.cost > Money{} || row.held == Money{}, "what was delivered is paid for");
      break;
    case Settlement::kCancelled:
      expect(client.cancelled && row.completion_tokens == 0, "left before any content");
      break;
    case Settlement::kFailed:
      expect(!row.error.empty() && row.cost == Money{}, "a failure is free");
      break;
    case Settlement::kFree:
      expect(row.error.empty() && row.cost == Money{}, "free is free");
      break;
  }
}

}  // namespace seekroute::testing
