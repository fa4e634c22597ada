// Who waits in the limiter's queues, who is woken, and who passes.
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "limits/limiter.h"

namespace seekroute {
namespace {

using Ids = std::vector<uint64_t>;

LimitTime At(Duration after) {
  return {TimePoint{1'000'000'000} + after, {1'800'000'000'000 + after.ns / 1'000'000}};
}
LimitTime At(int64_t seconds) { return At(Duration::Seconds(seconds)); }

// Notes who is woken.
class Woken : public LimitWaker {
 public:
  void Wake(uint64_t id) override {
    const std::lock_guard lock(mu_);
    ids_.push_back(id);
  }
  Ids Take() {
    const std::lock_guard lock(mu_);
    return std::exchange(ids_, {});
  }

 private:
  std::mutex mu_;
  Ids ids_;
};

class LimitQueueTest : public ::testing::Test {
 protected:
  // A request of a key of an organization.
  struct Asker {
    Asker(Woken* woken, uint64_t id, std::string the_key, std::string the_org)
        : key(std::move(the_key)), org(std::move(the_org)), waiter(woken, id, 50) {}
    const std::string key, org;
    LimitWaiter waiter;
    Reservation reservation, of_model;

    bool runs() const { return reservation.holds() || of_model.holds(); }
    void Settle(int64_t tokens) {
      reservation.Settle({tokens}, At(0));
      of_model.Settle({tokens}, At(0));
    }
    void End() {
      reservation = {};
      of_model = {};
    }
  };

  Asker& Add(const std::string& key = "k", const std::string& org = "o") {
    askers_.emplace_back(&woken_, askers_.size() + 1, key, org);
    return askers_.back();
  }

  Limiter::Answer Ask(Asker* asker, const LimitTime& time = At(0), int64_t tokens = 1) {
    const LimitSubject who{.org = asker->org,
                           .key = asker->key,
                           .model = "m",
                           .key_limits = key_limits_ ? &*key_limits_ : nullptr,
                           .key_version = version_};
    const LimitPatience patience{
        .asked = patience_, .most = Duration::Seconds(60), .since = At(0).now};
    Limiter::Answer answer =
        limiter_.Reserve(who, {.tokens = tokens}, time, &asker->waiter, patience);
    asker->reservation = std::move(answer.reservation);
    asker->of_model = std::move(answer.of_model);
    return answer;
  }
  bool Passes(Asker* asker, const LimitTime& time = At(0), int64_t tokens = 1) {
    Ask(asker, time, tokens);
    return asker->runs();
  }
  bool Waits(Asker* asker, const LimitTime& time = At(0), int64_t tokens = 1) {
    const Limiter::Answer answer = Ask(asker, time, tokens);
    EXPECT_EQ(answer.waits, asker->waiter.waits());
    return answer.waits;
  }

  void OfModel(const LimitSet& limits) {
    limiter_.Set(LimitScope::kModel, "m", std::make_shared<const LimitSet>(limits), At(0));
  }
  void OfOrg(const LimitSet& limits) {
    limiter_.Set(LimitScope::kOrg, "o", std::make_shared<const LimitSet>(limits), At(0));
  }
  int64_t waiting() const { return limiter_.figures().waiting; }

  std::optional<LimitSet> key_limits_;
  uint64_t version_ = 1;
  std::optional<Duration> patience_ = Duration::Seconds(60);
  Woken woken_;
  Limiter limiter_{{.waiters = 6, .of_org = 4, .bytes = 1000}};
  std::deque<Asker> askers_;  // before the limiter goes
};

TEST_F(LimitQueueTest, TheFirstIsWokenAndThenTheNext) {
  key_limits_ = {.concurrent = 1};
  Asker &runs = Add(), &first = Add(), &second = Add();
  ASSERT_TRUE(Passes(&runs));
  EXPECT_TRUE(Waits(&first));
  EXPECT_TRUE(Waits(&second));
  EXPECT_EQ(first.waiter.Position(), 1u);
  EXPECT_EQ(second.waiter.Position(), 2u);
  EXPECT_EQ(woken_.Take(), Ids{});
  runs.End();
  EXPECT_EQ(woken_.Take(), Ids{2});
  EXPECT_TRUE(Waits(&second));  // whoever wakes it
  EXPECT_TRUE(Passes(&first));
  EXPECT_EQ(woken_.Take(), Ids{3});
  EXPECT_TRUE(Waits(&second));
  first.End();
  EXPECT_EQ(woken_.Take(), Ids{3});
  EXPECT_TRUE(Passes(&second));
  EXPECT_EQ(waiting(), 0);
}

TEST_F(LimitQueueTest, AWaiterThatLeavesPassesItsTurnOn) {
  key_limits_ = {.concurrent = 1};
  Asker &runs = Add(), &first = Add(), &second = Add();
  ASSERT_TRUE(Passes(&runs));
  EXPECT_TRUE(Waits(&first));
  EXPECT_TRUE(Waits(&second));
  runs.End();
  woken_.Take();
  first.waiter.Leave();
  EXPECT_EQ(woken_.Take(), Ids{3});
  EXPECT_TRUE(Passes(&second));
  EXPECT_EQ(first.waiter.Position(), 0u);
}

TEST_F(LimitQueueTest, NobodyTakesWhatAWaiterWasWokenFor) {
  key_limits_ = {.concurrent = 1};
  Asker &runs = Add(), &first = Add();
  ASSERT_TRUE(Passes(&runs));
  EXPECT_TRUE(Waits(&first));
  runs.End();
  patience_ = Duration{};
  const Limiter::Answer refused = Ask(&Add());
  ASSERT_TRUE(refused.refusal);
  EXPECT_EQ(refused.refusal->kind, RefusalKind::kBusy);
  patience_ = Duration::Seconds(60);
  EXPECT_TRUE(Passes(&first));
}

TEST_F(LimitQueueTest, TheFirstKnowsTheInstantAndOthersDoNot) {
  key_limits_ = {.requests_per_minute = 60, .burst_requests = 1};
  Asker &passed = Add(), &first = Add(), &second = Add();
  ASSERT_TRUE(Passes(&passed));
  passed.reservation.Settle({1}, At(0));
  EXPECT_EQ(Ask(&first).again, At(1).now);
  EXPECT_EQ(Ask(&second).again, TimePoint::Never());
  EXPECT_TRUE(Waits(&first, At(Duration{999'999'999})));
  EXPECT_TRUE(Passes(&first, At(1)));
  EXPECT_EQ(woken_.Take(), Ids{3});
  EXPECT_EQ(Ask(&second, At(1)).again, At(2).now);
}

// What is given back makes the first one's instant earlier.
TEST_F(LimitQueueTest, ARefundWakesTheFirst) {
  key_limits_ = {.tokens_per_minute = 60, .burst_tokens = 10};
  Asker &passed = Add(), &first = Add();
  ASSERT_TRUE(Passes(&passed, At(0), 10));
  EXPECT_EQ(Ask(&first, At(0), 4).again, At(4).now);
  passed.reservation.Settle({2}, At(0));
  EXPECT_EQ(woken_.Take(), Ids{2});
  EXPECT_TRUE(Passes(&first, At(0), 4));
}

TEST_F(LimitQueueTest, AWaitBehindOthersIncludesTheirs) {
  key_limits_ = {.tokens_per_minute = 60, .burst_tokens = 10};
  Asker &passed = Add(), &first = Add(), &late = Add();
  ASSERT_TRUE(Passes(&passed, At(0), 10));
  EXPECT_TRUE(Waits(&first, At(0), 10));
  patience_ = Duration::Seconds(14);
  const Limiter::Answer refused = Ask(&late, At(0), 5);
  ASSERT_TRUE(refused.refusal);
  EXPECT_EQ(refused.refusal->wait, Duration::Seconds(15));
  EXPECT_FALSE(refused.refusal->exact);
  patience_ = Duration::Seconds(15);
  EXPECT_TRUE(Waits(&late, At(0), 5));
}

TEST_F(LimitQueueTest, MovesWithItsTicketAndKeepsItsAge) {
  key_limits_ = {.concurrent = 1};
  OfModel({.requests_per_minute = 60, .burst_requests = 2});
  Asker &runs = Add("a"), &old = Add("a");
  ASSERT_TRUE(Passes(&runs));
  EXPECT_TRUE(Waits(&old));  // for a slot of its key
  Asker& other = Add("b");
  ASSERT_TRUE(Passes(&other));
  Asker& young = Add("c");
  EXPECT_EQ(Ask(&young).again, At(1).now);  // for a request of the model
  runs.Settle(1);
  runs.End();
  EXPECT_EQ(woken_.Take(), (Ids{2, 4}));
  EXPECT_EQ(Ask(&old).again, At(1).now);  // before the younger one of its organization
  EXPECT_EQ(young.waiter.Position(), 2u);
  EXPECT_TRUE(Waits(&young, At(1)));
  EXPECT_TRUE(Passes(&old, At(1)));
  EXPECT_TRUE(Passes(&young, At(2)));
}

TEST_F(LimitQueueTest, ALimitThatGoesLetsAllPassInTurn) {
  OfModel({.concurrent = 1});
  Asker &runs = Add(), &first = Add(), &second = Add();
  ASSERT_TRUE(Passes(&runs));
  EXPECT_TRUE(Waits(&first));
  EXPECT_TRUE(Waits(&second));
  limiter_.Set(LimitScope::kModel, "m", nullptr, At(0));
  EXPECT_EQ(woken_.Take(), Ids{2});
  EXPECT_FALSE(Waits(&first));
  EXPECT_EQ(woken_.Take(), Ids{3});
  EXPECT_FALSE(Waits(&second));
  EXPECT_EQ(waiting(), 0);
}

TEST_F(LimitQueueTest, ANewerLimitOfTheKeyWakes) {
  key_limits_ = {.concurrent = 1};
  Asker &runs = Add(), &first = Add(), &second = Add();
  ASSERT_TRUE(Passes(&runs));
  EXPECT_TRUE(Waits(&first));
  EXPECT_TRUE(Waits(&second));
  key_limits_->concurrent = 3;
  ++version_;
  EXPECT_TRUE(Waits(&second));
  EXPECT_EQ(woken_.Take(), Ids{2});
  EXPECT_TRUE(Passes(&first));
  EXPECT_TRUE(Passes(&second));
}

TEST_F(LimitQueueTest, BoundsHowManyWait) {
  OfModel({.concurrent = 1});
  ASSERT_TRUE(Passes(&Add()));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(Waits(&Add()));
  Asker& fifth = Add();
  EXPECT_TRUE(Ask(&fifth).refusal);  // of an organization
  Asker &other = Add("k", "p"), &more = Add("k", "p"), &most = Add("k", "q");
  EXPECT_TRUE(Waits(&other));
  EXPECT_TRUE(Waits(&more));
  EXPECT_TRUE(Ask(&most).refusal);  // of all
  EXPECT_EQ(waiting(), 6);
  other.waiter.Leave();
  EXPECT_TRUE(Waits(&most));
  EXPECT_TRUE(Ask(&fifth).refusal);
}

TEST_F(LimitQueueTest, BoundsWhatTheyKeepInMemory) {
  OfModel({.concurrent = 1});
  ASSERT_TRUE(Passes(&Add()));
  LimitWaiter large(&woken_, 90, 200), small(&woken_, 91, 50), one(&woken_, 92, 1);
  LimitWaiter larger(&woken_, 93, 700), more(&woken_, 94, 51), fits(&woken_, 95, 50);
  const LimitPatience patience{
      .asked = patience_, .most = Duration::Seconds(60), .since = At(0).now};
  const auto waits = [&](LimitWaiter* waiter, const char* org = "o") {
    return limiter_.Reserve({.org = org, .model = "m"}, {}, At(0), waiter, patience).waits;
  };
  EXPECT_TRUE(waits(&large));
  EXPECT_TRUE(waits(&small));
  EXPECT_FALSE(waits(&one));         // a quarter of all is the most of an organization
  EXPECT_TRUE(waits(&larger, "p"));  // but one always may
  EXPECT_FALSE(waits(&more, "q"));
  EXPECT_TRUE(waits(&fits, "q"));
  EXPECT_FALSE(waits(&one, "r"));  // all is full
  large.Leave();
  EXPECT_TRUE(waits(&one));
}

TEST_F(LimitQueueTest, OrganizationsTakeTurnsByWhatTheyCost) {
  OfModel({.tokens_per_minute = 60, .burst_tokens = 16});
  Asker& passed = Add("k", "x");
  ASSERT_TRUE(Passes(&passed, At(0), 16));
  Asker &dear = Add("k", "p"), &dear2 = Add("k", "p"), &cheap = Add("k", "q"),
        &cheap2 = Add("k", "q");
  EXPECT_TRUE(Waits(&dear, At(0), 8));
  EXPECT_TRUE(Waits(&dear2, At(0), 8));
  EXPECT_TRUE(Waits(&cheap, At(0), 2));
  EXPECT_TRUE(Waits(&cheap2, At(0), 2));
  // With a quantum of 2 a cheap one has its turn in each round, and a dear one in the fourth.
  std::string order;
  for (int second = 1; second < 60; ++second) {
    for (const auto& [asker, tokens] :
         {std::pair{&dear, 8}, {&dear2, 8}, {&cheap, 2}, {&cheap2, 2}}) {
      if (asker->waiter.waits() && Passes(asker, At(second), tokens)) {
        order += tokens == 8 ? 'd' : 'c';
      }
    }
  }
  EXPECT_EQ(order, "ccdd");
}

// Who waits for all that there is does not shut out those who take little.
TEST_F(LimitQueueTest, OtherOrganizationsPassWithinTheirShare) {
  OfModel({.tokens_per_minute = 60, .burst_tokens = 16});
  Asker& taken = Add("k", "x");
  ASSERT_TRUE(Passes(&taken, At(0), 16));
  Asker& dear = Add("k", "p");
  ASSERT_TRUE(Waits(&dear, At(0), 16));
  patience_ = Duration{};
  int passed = 0;
  for (int second = 2; second < 40; second += 2) {
    Asker& small = Add("k", "q");
    passed += Passes(&small, At(second), 2) ? 1 : 0;
    small.Settle(2);
  }
  EXPECT_EQ(passed, 7);  // of eight rounds; in the last one it is the other's turn
  Asker& own = Add("k", "p");
  EXPECT_FALSE(Passes(&own, At(40), 1));  // who waits is not overtaken by its own
  patience_ = Duration::Seconds(60);
  EXPECT_TRUE(Passes(&dear, At(40), 16));
  Asker& later = Add("k", "q");
  EXPECT_TRUE(Passes(&later, At(50), 2));
}

// Who waits at a limit of its own, and longer, takes turns with others at what is everybody's.
TEST_F(LimitQueueTest, AnOlderTicketFromALimitOfItsOwnIsNoTurn) {
  OfOrg({.concurrent = 1});
  OfModel({.concurrent = 2});
  Asker &runs = Add("a"), &old = Add("a"), &other = Add("k", "x"), &quiet = Add("k", "q");
  ASSERT_TRUE(Passes(&runs));
  EXPECT_TRUE(Waits(&old));  // for the slot of its organization
  ASSERT_TRUE(Passes(&other));
  EXPECT_TRUE(Waits(&quiet));  // for one of the model
  runs.End();
  EXPECT_TRUE(Waits(&old));
  EXPECT_TRUE(Passes(&quiet));
  other.End();
  EXPECT_TRUE(Passes(&old));
}

// A limit of an organization's own: its keys wait for one another.
TEST_F(LimitQueueTest, NobodyPassesWhoWaitsForALimitOfItsOrganization) {
  OfOrg({.tokens_per_minute = 60, .burst_tokens = 16});
  Asker &taken = Add("a"), &dear = Add("b"), &small = Add("c");
  ASSERT_TRUE(Passes(&taken, At(0), 16));
  ASSERT_TRUE(Waits(&dear, At(0), 16));
  patience_ = Duration{};
  EXPECT_FALSE(Passes(&small, At(10), 1));
}

// Threads that wait, run and leave at random: nobody is forgotten, nobody is one too many.
TEST(LimitQueueThreadsTest, NobodyIsForgotten) {
  constexpr int kThreads = 4, kRounds = 3000;
  Limiter limiter;
  limiter.Set(LimitScope::kModel, "m", std::make_shared<const LimitSet>(LimitSet{.concurrent = 2}),
              At(0));
  const LimitSet key{.concurrent = 1};
  std::atomic<int> running{0}, most{0};
  const auto work = [&](int number) {
    Woken woken;
    const std::string name = std::to_string(number % 2);
    const LimitSubject who{
        .org = name, .key = name, .model = "m", .key_limits = &key, .key_version = 1};
    const LimitPatience patience{
        .asked = Duration::Seconds(60), .most = Duration::Seconds(60), .since = At(0).now};
    for (int round = 0; round < kRounds; ++round) {
      LimitWaiter waiter(&woken, 1, 1);
      Limiter::Answer answer = limiter.Reserve(who, {}, At(0), &waiter, patience);
      if (answer.waits && round % 7 == number) continue;  // leaves
      while (answer.waits) {
        int64_t patient = 1'000'000'000;
        while (woken.Take().empty() && --patient > 0) std::this_thread::yield();
        ASSERT_GT(patient, 0) << "nobody has woken it";
        answer = limiter.Reserve(who, {}, At(0), &waiter, patience);
      }
      ASSERT_FALSE(answer.refusal);
      const int now = ++running;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) continue;
      --running;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
  for (std::thread& each : threads) each.join();
  EXPECT_LE(most, 2);
  EXPECT_EQ(limiter.figures().waiting, 0);
  limiter.Census();
  EXPECT_EQ(limiter.figures().leaks, 0u);
}

}  // namespace
}  // namespace seekroute
