// Limits of those who are asked, and of the models that answer in another one's place.
#include "gateway/upstream_gate.h"

#include <gtest/gtest.h>

#include "testing/credits_fixture.h"

namespace seekroute::testing {
namespace {

constexpr Money kPlenty{10'000'000'000};
constexpr std::string_view kStreamEnd =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";

// The model "m" at two providers, p with two keys and q; and "n" at r, in its place.
class UpstreamGateTest : public CreditsTest {
 protected:
  UpstreamGateTest() {
    options_.credits = false;
    health_ = &table_;
    director_ = [this](const TransportRequest& sent) {
      asked_.push_back(sent.upstream->base_url.substr(8) + ' ' +
                       std::string(sent.authorization->Reveal()));
      const auto found = scripts_.find(sent.upstream->base_url.substr(8));
      return found != scripts_.end() ? found->second : script_;
    };
  }

  ~UpstreamGateTest() override { engine_.reset(); }  // before the table

  void Sell() {
    Open(kPlenty);
    whole_ = script_;
    auto snapshot = std::make_shared<Snapshot>(*snapshot_);
    Model m = snapshot->catalog.models().front();
    Endpoint endpoint = m.endpoints.front();
    m.endpoints.clear();
    snapshot->providers.clear();
    Model n = m;
    n.id = "a/n";
    for (const char* const id : {"p", "q", "r"}) {
      Provider provider;
      provider.id = id;
      provider.upstream.base_url = std::string("https://") + id;
      provider.upstream.authorization = Secret(id);
      endpoint.provider = static_cast<uint32_t>(snapshot->providers.size());
      endpoint.tag = id;
      endpoint.id = EndpointIdOf(id, "up", "", "");
      (*id == 'r' ? n : m).endpoints.push_back(endpoint);
      snapshot->providers.push_back(std::move(provider));
    }
    snapshot->providers[0].keys = {{"k1", Secret("one"), 1'000'000}, {"k2", Secret("two"), 1}};
    snapshot->routing.balance = Balance::kListed;
    if (has_fallback_) snapshot->lists.after_any = {{"a/m", {"a/n"}}};
    Catalog::Parts parts;
    parts.names = {{"m", "a/m"}, {"a/m", "a/m"}, {"a/n", "a/n"}};
    parts.models = {std::move(m), std::move(n)};
    snapshot->catalog = std::move(*Catalog::Make(std::move(parts)));
    limits_(snapshot.get());
    table_.Learn(*snapshot, clock_.Now());
    SetUpstreamLimits(nullptr, *snapshot, Now(), &upstream_limiter_);
    snapshot_ = snapshot;
  }

  static std::shared_ptr<const LimitSet> Of(LimitSet limits) {
    return std::make_shared<const LimitSet>(limits);
  }
  LimitTime Now() const { return {clock_.Now(), clock_.WallTime()}; }
  void Wait(Duration d) { clock_.MoveTo(clock_.Now() + d); }

  const Seen& AskNow(const std::string& members = "") {
    script_ = whole_;
    const ExchangeId id = Submit(members);
    engine_->Advance();
    Deliver();
    while (!seen_[id].row) Step();
    return seen_[id];
  }
  // A stream that has begun and goes on for ten seconds.
  ExchangeId Begin() {
    const size_t before = asked_.size();
    UpstreamScript slow;
    slow.head.content_type = "text/event-stream";
    slow.pieces = {{{}, std::string(kContent)}, {Duration::Seconds(10), std::string(kStreamEnd)}};
    script_ = slow;
    const ExchangeId id = Submit(R"(,"stream":true)");
    engine_->Advance();
    Deliver();
    while (asked_.size() == before && !seen_[id].row) Step();
    return id;
  }
  static UpstreamScript Refusal(int status) {
    UpstreamScript script;
    script.head.status = status;
    script.pieces = {{{}, R"({"error":{"message":"not now"}})"}};
    return script;
  }
  int64_t running(LimitScope scope, std::string_view id) {
    return (IsUpstream(scope) ? upstream_limiter_ : limiter_).running(scope, "", id);
  }
  bool MayTake(int64_t tokens) {
    return !upstream_limiter_.JudgeUpstream({.provider = "p"}, {.prompt = 1, .tokens = tokens},
                                            Now());
  }
  static std::string Header(const Seen& seen, const std::string& name) {
    const auto found = seen.headers.find(name);
    return found != seen.headers.end() ? found->second : "none";
  }

  HealthTable table_{{}, {}};
  std::function<void(Snapshot*)> limits_ = [](Snapshot*) {};
  std::map<std::string, UpstreamScript> scripts_;  // by provider, else script_
  UpstreamScript whole_;                           // of AskNow()
  bool has_fallback_ = false;
  std::vector<std::string> asked_;  // in order: provider and key
};

using Words = std::vector<std::string>;

TEST_F(UpstreamGateTest, AProviderWithoutASlotIsPassedOver) {
  limits_ = [](Snapshot* to) { to->providers[0].limits = Of({.concurrent = 2}); };
  Sell();
  for (int i = 0; i < 4; ++i) Begin();
  EXPECT_EQ(asked_, (Words{"p one", "p one", "q q", "q q"}));
  EXPECT_EQ(running(LimitScope::kProvider, "p"), 2);
  Rest();
  EXPECT_EQ(running(LimitScope::kProvider, "p"), 0);
  Begin();
  EXPECT_EQ(asked_.back(), "p one");
}

TEST_F(UpstreamGateTest, AnEndpointAtItsRateIsPassedOver) {
  limits_ = [](Snapshot* to) {
    to->endpoint_limits[EndpointIdOf("p", "up", "", "")] =
        Of({.requests_per_minute = 60, .burst_requests = 1});
  };
  Sell();
  AskNow();
  AskNow();
  Wait(Duration::Seconds(1));
  AskNow();
  EXPECT_EQ(asked_, (Words{"p one", "q q", "p one"}));
}

TEST_F(UpstreamGateTest, AnotherKeyIsUsedWhereOneIsAtItsLimit) {
  limits_ = [](Snapshot* to) {
    to->providers[0].keys[0].limits = Of({.concurrent = 1});
    to->providers[0].keys[1].limits = Of({.concurrent = 1});
  };
  Sell();
  for (int i = 0; i < 3; ++i) Begin();
  EXPECT_EQ(asked_, (Words{"p one", "p two", "q q"}));
}

TEST_F(UpstreamGateTest, WhereAllAreAtTheirRateTheTrueWaitIsTold) {
  limits_ = [](Snapshot* to) {
    to->providers[0].limits = Of({.requests_per_minute = 60, .burst_requests = 1});
    to->providers[1].limits = Of({.requests_per_minute = 6, .burst_requests = 1});
  };
  Sell();
  AskNow();
  AskNow();
  const Seen refused = AskNow();
  EXPECT_EQ(refused.status, 429);
  EXPECT_NE(refused.body.find("upstream_rate_limited"), std::string::npos) << refused.body;
  EXPECT_EQ(Header(refused, "retry-after-ms"), "1000");
  EXPECT_NE(refused.body.find(R"("reason":"rate_limited","excluded":[{"endpoint":)"),
            std::string::npos)
      << refused.body;
  EXPECT_NE(refused.body.find(R"("excluded_by":"upstream_limit","detail":"is at its own limit",)"
                              R"("retry_after_ms":10000})"),
            std::string::npos)
      << refused.body;
  EXPECT_NE(refused.body.find(R"("help":"send it again in 1 s","retry_after_ms":1000})"),
            std::string::npos)
      << refused.body;
  Wait(Duration::Milliseconds(999));
  EXPECT_EQ(Header(AskNow(), "retry-after-ms"), "1");
  EXPECT_EQ(asked_.size(), 2u);
  Wait(Duration::Milliseconds(1));
  EXPECT_EQ(AskNow().status, 200);
}

// Nobody knows when one ends.
TEST_F(UpstreamGateTest, WhereNobodyHasASlotItIsNoRate) {
  limits_ = [](Snapshot* to) {
    for (Provider& each : to->providers) each.limits = Of({.concurrent = 1});
  };
  Sell();
  Begin();
  Begin();
  const Seen refused = AskNow();
  EXPECT_EQ(refused.status, 503);
  EXPECT_NE(refused.body.find("no_upstream"), std::string::npos) << refused.body;
  EXPECT_NE(refused.body.find(R"("reason":"unavailable")"), std::string::npos) << refused.body;
  EXPECT_EQ(Header(refused, "retry-after-ms"), "1000");
}

TEST_F(UpstreamGateTest, WhoHasFailedIsFollowedByWhoHasRoom) {
  limits_ = [](Snapshot* to) { to->providers[1].limits = Of({.concurrent = 1}); };
  has_fallback_ = true;
  Sell();
  scripts_["p"] = Refusal(500);
  Begin();
  while (asked_.size() < 2) Step();
  Begin();
  while (asked_.size() < 4) Step();
  EXPECT_EQ(asked_, (Words{"p one", "q q", "p one", "r r"}));
}

// As many as its answer has used, not as were expected of it.
TEST_F(UpstreamGateTest, CountsTheTokensThatWereUsed) {
  options_.expected_output = 100;
  limits_ = [](Snapshot* to) {
    to->providers[0].limits = Of({.tokens_per_minute = 60, .burst_tokens = 200});
  };
  Sell();
  const ExchangeId id = Begin();
  EXPECT_TRUE(MayTake(80));
  EXPECT_FALSE(MayTake(110));  // 100 for the answer, and some for the prompt
  while (!seen_[id].row) Step();
  EXPECT_TRUE(MayTake(200));  // 10 were used, and ten seconds have passed
  EXPECT_EQ(AskNow().status, 200);
  EXPECT_TRUE(MayTake(192));
  EXPECT_FALSE(MayTake(193));
}

TEST_F(UpstreamGateTest, WhatIsReadFromACacheMayNotCount) {
  limits_ = [](Snapshot* to) {
    to->providers[0].limits =
        Of({.tokens_per_minute = 60, .burst_tokens = 2000, .count_cached = false});
  };
  Sell();
  whole_.pieces = {{{},
                    R"({"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},)"
                    R"("finish_reason":"stop"}],"usage":{"prompt_tokens":900,)"
                    R"("completion_tokens":5,"prompt_tokens_details":{"cached_tokens":800}}})"}};
  EXPECT_EQ(AskNow().status, 200);
  EXPECT_TRUE(MayTake(1895));
  EXPECT_FALSE(MayTake(1896));
}

TEST_F(UpstreamGateTest, ARefusalGivesItsTokensBackAndCounts) {
  limits_ = [](Snapshot* to) {
    to->providers[0].limits = Of({.requests_per_minute = 2, .tokens_per_minute = 2000});
  };
  Sell();
  scripts_["p"] = Refusal(400);
  EXPECT_EQ(AskNow().status, 400);
  EXPECT_TRUE(MayTake(2000));
  AskNow();
  EXPECT_FALSE(MayTake(1));
}

// Its connection is in use until then.
TEST_F(UpstreamGateTest, ASlotIsTakenUntilTheTransferIsOver) {
  limits_ = [](Snapshot* to) { to->providers[0].limits = Of({.concurrent = 1}); };
  Sell();
  UpstreamScript lingers;
  lingers.head.content_type = "text/event-stream";
  lingers.pieces = {{{}, std::string(kContent) + std::string(kStreamEnd)}};
  lingers.ending = UpstreamScript::Ending::kHang;
  scripts_["p"] = lingers;
  const Seen first = AskNow(R"(,"stream":true)");
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(transport_->live(), 1u);
  EXPECT_EQ(running(LimitScope::kProvider, "p"), 1);
  AskNow();
  EXPECT_EQ(asked_.back(), "q q");
  while (transport_->live() > 0) Step();
  EXPECT_EQ(running(LimitScope::kProvider, "p"), 0);
}

TEST_F(UpstreamGateTest, AClientThatLeavesFreesTheSlot) {
  limits_ = [](Snapshot* to) { to->providers[0].limits = Of({.concurrent = 1}); };
  Sell();
  const ExchangeId id = Begin();
  EXPECT_EQ(running(LimitScope::kProvider, "p"), 1);
  engine_->Cancel(id);
  engine_->Advance();
  EXPECT_EQ(running(LimitScope::kProvider, "p"), 0);
}

TEST_F(UpstreamGateTest, LimitsChangeWithTheSnapshotAndForgetNothing) {
  limits_ = [](Snapshot* to) {
    to->providers[0].limits = Of({.requests_per_minute = 60, .burst_requests = 2});
    to->providers[0].keys[0].limits = Of({.concurrent = 1});
  };
  Sell();
  AskNow();
  AskNow();
  auto changed = std::make_shared<Snapshot>(*snapshot_);
  changed->providers[0].limits = Of({.requests_per_minute = 60, .burst_requests = 3});
  changed->providers[0].keys[0].limits = nullptr;
  SetUpstreamLimits(snapshot_.get(), *changed, Now(), &upstream_limiter_);
  snapshot_ = changed;
  AskNow();
  AskNow();
  EXPECT_EQ(asked_, (Words{"p one", "p one", "p one", "q q"}));
  Begin();
  Wait(Duration::Seconds(3));
  Begin();
  Begin();
  EXPECT_EQ(asked_.back(), "p one");
}

TEST_F(UpstreamGateTest, WhatIsUsedUpIsToldOfEndpointsAndKeys) {
  limits_ = [](Snapshot* to) {
    to->providers[0].limits = Of({.requests_per_minute = 60, .burst_requests = 2});
    to->providers[0].keys[0].limits = Of({.requests_per_minute = 60, .burst_requests = 1});
    to->endpoint_limits[EndpointIdOf("q", "up", "", "")] =
        Of({.requests_per_minute = 6, .burst_requests = 1});
  };
  Sell();
  const auto used_up = [this] {
    std::vector<HealthRow> rows = table_.Rows(clock_.Now());
    AddUsedUpLimits(Now(), &upstream_limiter_, &rows);
    Words names;
    for (const HealthRow& row : rows) {
      if (row.lacks.empty()) continue;
      EXPECT_EQ(row.shown(), "upstream_limit");
      EXPECT_GT(row.retry_in.ns, 0);
      names.push_back(row.is_key ? row.provider + '#' + row.key : row.tag);
    }
    return names;
  };
  EXPECT_EQ(used_up(), Words{});
  AskNow();
  EXPECT_EQ(used_up(), Words{"p#k1"});
  AskNow();
  EXPECT_EQ(used_up(), (Words{"p", "p#k1", "p#k2"}));
  AskNow();
  EXPECT_EQ(used_up(), (Words{"p", "q", "p#k1", "p#k2"}));
  EXPECT_EQ(asked_, (Words{"p one", "p two", "q q"}));
}

TEST_F(UpstreamGateTest, WhoIsLeftOutByTheRequestIsNotSaidToBeAtALimit) {
  limits_ = [](Snapshot* to) {
    to->providers[0].limits = Of({.requests_per_minute = 60, .burst_requests = 1});
  };
  Sell();
  constexpr const char* kNotQ = R"(,"provider":{"ignore":["q"]})";
  EXPECT_EQ(AskNow(kNotQ).status, 200);
  const Seen refused = AskNow(kNotQ);
  EXPECT_EQ(refused.status, 429);
  EXPECT_NE(
      refused.body.find("every provider of 'a/m' that may be asked is at a limit of its pace; "
                        "of the others, 1 is left out by provider.ignore"),
      std::string::npos)
      << refused.body;
}

class ModelLimitsTest : public UpstreamGateTest {
 protected:
  ModelLimitsTest() {
    has_fallback_ = true;
    scripts_["p"] = scripts_["q"] = Refusal(500);
  }
  void Limit(const std::string& model, LimitSet limits) {
    limiter_.Set(LimitScope::kModel, model, Of(limits), Now());
  }
  int64_t Left(std::string_view model) {
    return limiter_.Look({.model = model}, Now()).tokens->remaining;
  }
  int64_t RequestsLeft(std::string_view model) {
    return limiter_.Look({.model = model}, Now()).requests->remaining;
  }
};

TEST_F(ModelLimitsTest, TheModelThatAnswersIsCounted) {
  options_.expected_output = 100;
  for (const char* const model : {"a/m", "a/n"}) {
    Limit(model, {.requests_per_minute = 1,
                  .tokens_per_minute = 1,
                  .concurrent = 1,
                  .burst_requests = 10,
                  .burst_tokens = 1000});
  }
  Sell();
  const ExchangeId id = Begin();
  while (asked_.size() < 3) Step();
  EXPECT_EQ(asked_.back(), "r r");
  EXPECT_EQ(running(LimitScope::kModel, "a/m"), 0);
  EXPECT_EQ(running(LimitScope::kModel, "a/n"), 1);
  EXPECT_EQ(Left("a/m"), 1000);
  EXPECT_LT(Left("a/n"), 900);
  while (!seen_[id].row) Step();
  Rest();
  EXPECT_EQ(seen_[id].status, 200);
  EXPECT_EQ(running(LimitScope::kModel, "a/n"), 0);
  EXPECT_EQ(Left("a/n"), 990);
  EXPECT_EQ(RequestsLeft("a/m"), 9);  // it was asked
  EXPECT_EQ(RequestsLeft("a/n"), 9);
}

TEST_F(ModelLimitsTest, AModelAtItsLimitIsPassedOver) {
  Limit("a/n", {.requests_per_minute = 60, .burst_requests = 1});
  Sell();
  EXPECT_EQ(AskNow().status, 200);
  const Seen second = AskNow();
  EXPECT_EQ(second.status, 502);
  EXPECT_EQ(asked_, (Words{"p one", "q q", "r r", "p one", "q q"}));
}

TEST_F(ModelLimitsTest, WhatOpensFirstIsTold) {
  scripts_.clear();
  limits_ = [](Snapshot* to) {
    for (size_t i = 0; i < 2; ++i) {
      to->providers[i].limits = Of({.requests_per_minute = 6, .burst_requests = 1});
    }
  };
  Limit("a/n", {.requests_per_minute = 30, .burst_requests = 1});
  Sell();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(AskNow().status, 200);
  const Seen refused = AskNow();
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(Header(refused, "retry-after-ms"), "2000");
  EXPECT_EQ(asked_, (Words{"p one", "q q", "r r"}));
}

// Nothing is taken of a model that was never asked.
TEST_F(ModelLimitsTest, AModelThatNobodyWasAskedForIsNotCounted) {
  limits_ = [](Snapshot* to) {
    for (size_t i = 0; i < 2; ++i) to->providers[i].limits = Of({.requests_per_day = 0});
  };
  Limit("a/m", {.requests_per_minute = 1, .burst_requests = 10});
  Sell();
  EXPECT_EQ(AskNow().status, 200);
  EXPECT_EQ(RequestsLeft("a/m"), 10);
}

}  // namespace
}  // namespace seekroute::testing
