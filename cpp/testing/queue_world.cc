#include "testing/queue_world.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "gateway/gate.h"
#include "wire/protocols/protocols.h"

namespace seekroute::testing {
namespace {

constexpr std::string_view kAnswer =
    R"({"id":"u","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,)"
    R"("message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],)"
    R"("usage":{"prompt_tokens":3,"completion_tokens":5}})";
constexpr std::string_view kStream =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}\n\ndata: [DONE]\n\n";

constexpr Duration kSlack = Duration::Milliseconds(10);  // of wake-ups between engines
constexpr size_t kMostSteps = 2'000'000;

ExchangeId ClientOf(const std::string& body) {
  return std::strtoull(body.c_str() + body.find("tag") + 3, nullptr, 10);
}

std::shared_ptr<const Snapshot> OneModel() {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->profiles.emplace("seekroute", Profile{});
  snapshot->default_profile = "seekroute";
  Provider provider;
  provider.id = "p";
  provider.upstream.base_url = "https://p";
  snapshot->providers.push_back(std::move(provider));
  PriceTable::Parts prices;
  prices.revision = "r";
  prices.variants.emplace_back();
  Model model{.id = "a/m", .endpoints = {}};
  model.endpoints.push_back({0, "up", *PriceTable::Make(std::move(prices)), {}, {}, false, 0});
  SetDialect(DialectId::kOpenAiChat, &model.endpoints.back());
  Catalog::Parts parts;
  parts.names.emplace("a/m", "a/m");
  parts.models.push_back(std::move(model));
  snapshot->catalog = std::move(*Catalog::Make(std::move(parts)));
  return snapshot;
}

}  // namespace

// As an engine's queue of commands: what is put in is read a little later.
class QueueWorld::Inbox : public LimitWaker {
 public:
  Inbox(QueueWorld* world, size_t engine) : world_(*world), engine_(engine) {}
  void Wake(uint64_t id) override;

 private:
  QueueWorld& world_;
  const size_t engine_;
};

struct QueueWorld::Thread {
  Thread(QueueWorld* world, size_t number)
      : inbox(world, number),
        transport(&world->agenda_, &world->clock_,
                  [world](const TransportRequest& sent) {
                    const ExchangeId id = ClientOf(sent.body);
                    Client& client = world->clients_.at(id);
                    client.sent = world->clock_.Now();
                    world->order_.push_back(id);
                    UpstreamScript script;
                    script.head_delay = client.request.answer;
                    const bool streams = client.request.progress;
                    if (streams) script.head.content_type = "text/event-stream";
                    script.pieces = {{{}, std::string(streams ? kStream : kAnswer)}};
                    return script;
                  }),
        engine({.options = &world->options_,
                .clock = &world->clock_,
                .rng = &world->rng_,
                .keys = &world->keys_,
                .idempotency = &world->idempotency_,
                .read_outs = &world->read_outs_,
                .limiter = &world->limiter_,
                .waker = &inbox,
                .store = &world->store_,
                .transport = &transport,
                .stats = &world->stats_,
                .host = nullptr}) {}

  Inbox inbox;
  ScriptedTransport transport;
  Engine engine;
};

void QueueWorld::Inbox::Wake(uint64_t id) {
  world_.agenda_.After(world_.rng_.UpTo(Duration::Milliseconds(1)),
                       [this, id] { world_.threads_[engine_]->engine.PassGate(id); });
}

QueueWorld::QueueWorld(uint64_t seed, size_t engines, const QueueBounds& queue)
    : rng_(seed), limiter_(queue), snapshot_(OneModel()) {
  options_.total_timeout = Duration::Seconds(300);
  for (size_t i = 0; i < engines; ++i) threads_.push_back(std::make_unique<Thread>(this, i));
}

QueueWorld::~QueueWorld() = default;

void QueueWorld::PutKey(const std::string& key, const std::string& org, const LimitSet& limits) {
  ApiKey put{.key_id = key, .org_id = org};
  put.limits = std::make_shared<const LimitSet>(limits);
  held_[key] = {org, limits};
  keys_.Put(HmacSha256(Secret("pepper"), key), std::move(put));
}

void QueueWorld::RemoveKey(const std::string& key) {
  keys_.Remove(HmacSha256(Secret("pepper"), key));
}

void QueueWorld::SetLimits(LimitScope scope, const std::string& id, const LimitSet& limits) {
  set_[{scope, id}] = limits;
  limiter_.Set(scope, id, std::make_shared<const LimitSet>(limits),
               {clock_.Now(), clock_.WallTime()});
}

ExchangeId QueueWorld::Submit(const Request& request) {
  const ExchangeId id = first_id_ + clients_.size();
  Client& client = clients_[id];
  client.request = request;
  client.submitted = clock_.Now();
  client.engine = id % threads_.size();
  Submission submission;
  submission.id = id;
  submission.body = R"({"model":"a/m","messages":[{"role":"user","content":"tag)" +
                    std::to_string(id) + R"("}])" + (request.progress ? R"(,"stream":true})" : "}");
  submission.authorization = Secret("Bearer " + request.key);
  submission.options.queue = request.queue;
  submission.options.timeout = request.timeout;
  submission.options.queue_progress = request.progress;
  submission.submitted = clock_.Now();
  submission.snapshot = snapshot_;
  submission.outlet =
      std::make_unique<MailboxOutlet>(&mailbox_, id, std::make_shared<FlowWindow>(1u << 20));
  const LimitTime now{clock_.Now(), clock_.WallTime()};
  const auto key = keys_.Find(Secret("Bearer " + request.key), now.wall.seconds());
  if (key) limiter_.Look(SubjectOf(key->get(), "a/m"), now);  // its newest limits hold from now on
  const LimitState before = limiter_.Keep(now);
  threads_[client.engine]->engine.Submit(std::move(submission));
  Deliver();
  if (!client.sent && !is_copy_) CheckRefusal(id, before);
  return id;
}

// P15, P16: what is refused, or waits, changes no cell, and a wait that is told as exact is.
void QueueWorld::CheckRefusal(ExchangeId id, const LimitState& before) {
  const Client& client = clients_.at(id);
  Expect(limiter_.Keep({clock_.Now(), clock_.WallTime()}) == before, id, "has taken nothing");
  const bool exact = client.received.find(R"("window":60,"exact":true)") != std::string::npos;
  if (client.row.error != "rate_limit_exceeded" || !exact) return;
  ++told_;
  Expect(PassesAfter(client.retry_after_ms, id, before), id, "passes after the wait that was told");
  Expect(!PassesAfter(client.retry_after_ms - 1, id, before), id,
         "does not pass a millisecond sooner");
}

// Sent once more, if nobody else comes.
bool QueueWorld::PassesAfter(int64_t ms, ExchangeId id, const LimitState& before) const {
  QueueWorld later(id, 1);
  later.is_copy_ = true;
  later.first_id_ = id;  // which its prompt has
  for (const auto& [key, held] : held_) later.PutKey(key, held.first, held.second);
  for (const auto& [holder, limits] : set_) later.SetLimits(holder.first, holder.second, limits);
  LimitState state = before;
  state.Age(Duration::Milliseconds(ms));
  later.limiter_.Restore(state, {later.clock_.Now(), later.clock_.WallTime()});
  Request request = clients_.at(id).request;
  request.queue = Duration{};
  const ExchangeId again = later.Submit(request);
  return later.clients_.at(again).sent.has_value();
}

void QueueWorld::Leave(ExchangeId id) {
  Client& client = clients_.at(id);
  if (client.ends == 0) client.left = clock_.Now();
  threads_[client.engine]->engine.Cancel(id);
}

void QueueWorld::Stop() {
  stopped_ = true;
  for (const auto& thread : threads_) thread->engine.Stop();
}

std::vector<std::string> QueueWorld::Run() {
  const auto next_timer = [this] {
    TimePoint next = TimePoint::Never();
    for (const auto& thread : threads_) next = std::min(next, thread->engine.NextTimer());
    return next;
  };
  for (size_t steps = 0;; ++steps) {
    const TimePoint timer = next_timer();
    if (agenda_.empty() && timer == TimePoint::Never()) break;
    if (steps > kMostSteps) {
      broken_.emplace_back("the run does not come to rest");
      return broken_;
    }
    if (agenda_.Next() <= timer) {
      agenda_.RunNext();
    } else {
      clock_.MoveTo(std::max(clock_.Now(), timer));
    }
    for (const auto& thread : threads_) thread->engine.Advance();
    Deliver();
    CheckStep();
  }
  CheckEnds();
  return broken_;
}

void QueueWorld::Deliver() {
  for (Delivery& delivery : mailbox_.TakeAll()) {
    Client& client = clients_[delivery.exchange];
    if (delivery.head) {
      client.status = delivery.head->status;
      for (const auto& [name, value] : delivery.head->headers) {
        if (name == "retry-after-ms") client.retry_after_ms = std::stoll(value);
      }
    }
    client.received += delivery.body;
    if (!delivery.end) continue;
    ++client.ends;
    client.ended = clock_.Now();
    client.row = *delivery.end;
  }
}

void QueueWorld::Expect(bool holds, ExchangeId id, const std::string& promise) {
  if (!holds) broken_.push_back("exchange " + std::to_string(id) + ": " + promise);
}

// P13, P17, P19: what runs has a slot, what waits has none.
void QueueWorld::CheckStep() {
  std::map<std::string, int64_t> upstream;
  size_t all = 0;
  size_t live = 0;
  for (const auto& thread : threads_) {
    live += thread->engine.size();
    for (const size_t seen : thread->transport.running()) {
      const Client& client = clients_.at(ClientOf(thread->transport.seen()[seen].body));
      ++upstream[client.request.key];
      ++all;
    }
  }
  most_upstream_ = std::max(most_upstream_, all);
  most_waiting_ = std::max(most_waiting_, waiting());
  int64_t running = 0;
  for (const auto& [key, held] : held_) {
    const auto& [org, limits] = held;
    const int64_t slots = limiter_.running(LimitScope::kKey, org, key);
    running += slots;
    Expect(slots >= upstream[key], 0, key + ": what runs upstream has a slot");
  }
  Expect(running + waiting() <= static_cast<int64_t>(live), 0, "a waiter holds no slot");
}

void QueueWorld::CheckEnds() {
  for (const auto& [key, held] : held_) {
    Expect(limiter_.running(LimitScope::kKey, held.first, key) == 0, 0, key + ": slots are free");
  }
  Expect(waiting() == 0, 0, "nobody waits any more");
  limiter_.Census();
  Expect(limiter_.figures().leaks == 0, 0, "a census finds nothing");
  for (const auto& [id, client] : clients_) {
    Expect(client.ends == 1, id, "ends exactly once");
    Expect(client.row.attempts == (client.sent ? 1 : 0), id, "counts its attempts");
    const bool limited = client.row.error == "rate_limit_exceeded";
    Expect(!limited || !client.sent, id, "what a limit refuses is not sent");
    Expect(!limited || client.retry_after_ms > 0 || client.request.progress, id,
           "a refusal has a figure");
    const Duration patience = client.request.queue.value_or(Duration{});
    if (!client.sent && client.left == TimePoint::Never() && !stopped_) {
      Expect(client.ended <= client.submitted + patience + kSlack, id,
             "waits no longer than it would");
    }
    if (client.sent) {
      Expect(*client.sent <= client.submitted + patience + kSlack, id,
             "is not sent later than it would wait");
      const Duration time =
          client.request.timeout.ns > 0 ? client.request.timeout : options_.total_timeout;
      Expect(*client.sent + Duration::Milliseconds(900) <= client.submitted + time ||
                 *client.sent == client.submitted,
             id, "leaves a second for its answer");
    }
    if (client.left != TimePoint::Never()) {
      Expect(client.ended <= client.left + kSlack, id, "who leaves ends at once");
    }
    if (client.row.error.empty()) {
      Expect(client.status == 200 && client.received.find("hello") != std::string::npos, id,
             "an answer is whole");
    }
    if (client.request.progress && client.status == 200) {
      const bool done = client.received.ends_with("data: [DONE]\n\n");
      const bool event = client.received.find("data: {\"error\":{") != std::string::npos;
      Expect(done != event || client.left != TimePoint::Never(), id, "a stream has one end");
    }
  }
}

bool QueueWorld::InOrder(const std::string& key) const {
  ExchangeId last = 0;
  for (const ExchangeId id : order_) {
    if (clients_.at(id).request.key != key) continue;
    if (id < last) return false;
    last = id;
  }
  return true;
}

}  // namespace seekroute::testing
