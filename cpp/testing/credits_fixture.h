// One engine in a virtual world, one key, one offer, and a store of credits.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gateway/engine.h"
#include "gateway/hedge_budget.h"
#include "gateway/mailbox_outlet.h"
#include "testing/credit_store.h"
#include "testing/offer_fixture.h"
#include "testing/scripted_transport.h"
#include "testing/virtual_world.h"
#include "wire/openai/chat_prompt.h"

namespace seekroute::testing {

inline constexpr std::string_view kAnswer =
    R"({"id":"u","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,)"
    R"("message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],)"
    R"("usage":{"prompt_tokens":3,"completion_tokens":5}})";
inline constexpr std::string_view kStart =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}],"
    "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":0}}\n\n";
inline constexpr std::string_view kContent =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"one two three\"}}]}\n\n";

// What one client saw.
struct Seen {
  int status = 0;
  std::map<std::string, std::string> headers;
  std::string body;
  std::optional<ExchangeRecord> row;
};

class CreditsTest : public OfferTest {
 protected:
  CreditsTest() { options_.credits = true; }

  void Open(Money balance, CreditStore::Faults faults = {}, int64_t max_output = 1000,
            std::optional<Money> key_limit = std::nullopt) {
    store_.emplace(&agenda_, &clock_, &rng_, balance, faults);
    read_outs_.emplace(options_.max_read_outs);
    transport_.emplace(&agenda_, &clock_, [this](const TransportRequest& sent) {
      return director_ ? director_(sent) : script_;
    });
    engine_.emplace(ExchangeWorld{.options = &options_,
                                  .clock = &clock_,
                                  .rng = &rng_,
                                  .keys = &keys_,
                                  .idempotency = &idempotency_,
                                  .read_outs = &*read_outs_,
                                  .limiter = &limiter_,
                                  .upstream_limiter = &upstream_limiter_,
                                  .store = &*store_,
                                  .transport = &*transport_,
                                  .stats = &stats_,
                                  .host = nullptr,
                                  .health = health_,
                                  .hedges = hedges_,
                                  .sticky = sticky_,
                                  .shadows = shadows_});
    ApiKey key{.key_id = "k",
               .org_id = "o",
               .limit = key_limit,
               .limit_reset = limit_reset_,
               .credit_line = credit_line_,
               .store_answers = store_answers_};
    if (!key_limits_.empty()) key.limits = std::make_shared<const LimitSet>(key_limits_);
    keys_.Put(HmacSha256(Secret("pepper"), "good"), std::move(key));
    snapshot_ = SnapshotOf(max_output);
    script_.pieces = {{{}, std::string(kAnswer)}};
  }

  ExchangeId Submit(const std::string& members = "", const std::string& idempotency_key = "") {
    return SubmitBody(R"({"model":"m","messages":[{"role":"user","content":"hi"}])" + members + "}",
                      idempotency_key);
  }

  ExchangeId SubmitBody(std::string body, const std::string& idempotency_key = "") {
    Submission submission;
    submission.id = ++last_;
    submission.surface = surface_;
    submission.body = std::move(body);
    if (with_key_) submission.authorization = Secret("Bearer good");
    if (api_v1_) submission.origin = Origin::kServerApiV1;
    if (!with_key_) submission.origin = Origin::kInProcess;
    submission.idempotency_key = idempotency_key;
    submission.options = header_options_;
    submission.unread = unread_;
    submission.explain = explain_;
    submission.submitted = clock_.Now();
    submission.snapshot = snapshot_;
    submission.outlet = std::make_unique<MailboxOutlet>(&mailbox_, submission.id,
                                                        std::make_shared<FlowWindow>(window_));
    engine_->Submit(std::move(submission));
    return last_;
  }

  void Step() {
    if (agenda_.Next() <= engine_->NextTimer()) {
      agenda_.RunNext();
    } else {
      clock_.MoveTo(std::max(clock_.Now(), engine_->NextTimer()));
    }
    engine_->Advance();
    Deliver();
  }

  void Deliver() {
    for (Delivery& delivery : mailbox_.TakeAll()) {
      Seen& seen = seen_[delivery.exchange];
      if (delivery.head) {
        seen.status = delivery.head->status;
        for (auto& [name, value] : delivery.head->headers) seen.headers[name] = value;
      }
      seen.body += delivery.body;
      if (delivery.end) seen.row = *delivery.end;
    }
  }

  void Rest() {
    engine_->Advance();
    Deliver();
    while (!agenda_.empty() || engine_->NextTimer() != TimePoint::Never()) Step();
    EXPECT_EQ(engine_->size(), 0u);
    EXPECT_EQ(store_->CheckAtRest(), std::vector<std::string>());
  }

  const Seen& Ask(const std::string& members = "", const std::string& idempotency_key = "") {
    const ExchangeId id = Submit(members, idempotency_key);
    Rest();
    return seen_[id];
  }

  std::string Sent(size_t i) const { return transport_->seen().at(i).body; }

  SeededRng rng_{1};
  VirtualClock clock_;
  Agenda agenda_{&clock_};
  GatewayOptions options_;
  StickyTable* sticky_ = nullptr;
  KeyRing keys_{Secret("pepper")};
  IdempotencyTable idempotency_{100, 4 << 20};
  std::optional<ReadOutSlots> read_outs_;
  Limiter limiter_, upstream_limiter_;
  HealthTable* health_ = nullptr;   // before Open(); null: everybody is well
  HedgeBudget* hedges_ = nullptr;   // likewise; null: nothing is hedged
  ShadowPairs* shadows_ = nullptr;  // likewise; null: nothing is sent to a second model
  Mailbox mailbox_;
  Stats stats_;
  SurfaceId surface_ = SurfaceId::kChat;  // that requests are spoken in
  Window limit_reset_ = Window::kNever;
  Money credit_line_;
  bool store_answers_ = false;
  LimitSet key_limits_;
  HeaderOptions header_options_;
  Explain explain_ = Explain::kNo;
  std::optional<LimitRefusal> unread_;  // of a submission whose body nobody read
  bool with_key_ = true, api_v1_ = false;
  size_t window_ = 1 << 20;
  UpstreamScript script_;
  ScriptedTransport::Director director_;  // in the place of script_, where set
  std::optional<CreditStore> store_;
  std::optional<ScriptedTransport> transport_;
  std::optional<Engine> engine_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::map<ExchangeId, Seen> seen_;
  ExchangeId last_ = 0;
};

}  // namespace seekroute::testing
