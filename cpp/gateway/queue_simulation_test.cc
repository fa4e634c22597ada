// What queues promise, under every seed and with one to four engines.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "testing/queue_world.h"

namespace seekroute::testing {
namespace {

using Request = QueueWorld::Request;

constexpr QueueBounds kWide{.waiters = 10'000, .of_org = 10'000};

// SEEKROUTE_SEEDS=first:count plays others, at most four times as many as usual.
std::pair<uint64_t, uint64_t> Seeds(uint64_t usual) {
  const char* const chosen = std::getenv("SEEKROUTE_SEEDS");
  if (chosen == nullptr) return {1, usual};
  char* rest = nullptr;
  const uint64_t first = std::strtoull(chosen, &rest, 10);
  const uint64_t count = *rest == ':' ? std::strtoull(rest + 1, nullptr, 10) : 1;
  return {first, std::min(count, 4 * usual)};
}

class QueueSimulationTest : public ::testing::Test {
 protected:
  template <typename Play>
  void ForEach(uint64_t usual, Play play) {
    const auto [first, count] = Seeds(usual);
    for (uint64_t seed = first; seed < first + count && !HasFailure(); ++seed) {
      SCOPED_TRACE("seed " + std::to_string(seed));
      play(seed, 1 + seed % 4);
    }
  }

  static void Kept(QueueWorld* world) {
    for (const std::string& promise : world->Run()) ADD_FAILURE() << promise;
  }

  static size_t Count(const QueueWorld& world, int status) {
    return static_cast<size_t>(std::ranges::count_if(
        world.clients(), [status](const auto& each) { return each.second.status == status; }));
  }
};

TEST_F(QueueSimulationTest, FiveHundredTakeTurnsAtTenSlots) {
  ForEach(12, [](uint64_t seed, size_t engines) {
    QueueWorld world(seed, engines, kWide);
    world.PutKey("k", "o", {.concurrent = 10});
    for (int i = 0; i < 500; ++i) {
      world.Submit(
          {.key = "k", .answer = Duration::Milliseconds(100) + world.rng().UpTo({900'000'000})});
    }
    EXPECT_EQ(world.waiting(), 490);
    Kept(&world);
    EXPECT_EQ(world.most_upstream(), 10u);
    EXPECT_EQ(Count(world, 200), 500u);
    EXPECT_TRUE(world.InOrder("k"));
  });
}

TEST_F(QueueSimulationTest, WithoutAQueueTenOfThemPass) {
  ForEach(12, [](uint64_t seed, size_t engines) {
    QueueWorld world(seed, engines);
    world.PutKey("k", "o", {.concurrent = 10});
    for (int i = 0; i < 500; ++i) world.Submit({.key = "k", .queue = Duration{}});
    EXPECT_EQ(world.waiting(), 0);
    Kept(&world);
    EXPECT_EQ(Count(world, 200), 10u);
    EXPECT_EQ(Count(world, 429), 490u);
    for (const auto& [id, client] : world.clients())
      EXPECT_EQ(client.submitted, client.sent ? *client.sent : client.ended);
  });
}

// One floods what is everybody's: the other is served as often, by its weight, while both wait.
TEST_F(QueueSimulationTest, AFloodKeepsNobodyElseFromTheirShare) {
  ForEach(24, [](uint64_t seed, size_t engines) {
    QueueWorld world(seed, engines, kWide);
    const auto weight = static_cast<int64_t>(1 + seed % 3);
    world.PutKey("loud", "one", {});
    world.PutKey("quiet", "two", {});
    world.SetLimits(LimitScope::kOrg, "two", {.queue_weight = weight});
    world.SetLimits(LimitScope::kModel, "a/m", {.concurrent = 4});
    const auto answer = [&world] {
      return Duration::Seconds(1) + world.rng().UpTo(Duration::Seconds(1));
    };
    for (int i = 0; i < 80; ++i) world.Submit({.key = "loud", .answer = answer()});
    for (int i = 0; i < 20; ++i) world.Submit({.key = "quiet", .answer = answer()});
    Kept(&world);
    ASSERT_EQ(Count(world, 200), 100u);
    int64_t loud = 0, quiet = 0;
    for (size_t i = 4; i < 100 && quiet < 20; ++i) {  // the first four met an empty queue
      ++(world.clients().at(world.order()[i]).request.key == "loud" ? loud : quiet);
      EXPECT_LE(std::abs(quiet - weight * loud), 2 * weight) << "after " << i;
    }
    EXPECT_TRUE(world.InOrder("loud"));
    EXPECT_TRUE(world.InOrder("quiet"));
  });
}

// Requests that wait for a slot of their own key have come before: that is no turn at the slots of
// all, or whoever sends many at once would get each that comes free.
TEST_F(QueueSimulationTest, WhoHasWaitedForItsOwnSlotsTakesTurnsAtThoseOfAll) {
  ForEach(24, [](uint64_t seed, size_t engines) {
    QueueWorld world(seed, engines, kWide);
    world.PutKey("loud", "one", {.concurrent = 4});
    world.PutKey("quiet", "two", {});
    if (seed % 2 == 0) {
      world.SetLimits(LimitScope::kGateway, "", {.concurrent = 4});
    } else {
      world.SetLimits(LimitScope::kModel, "a/m", {.concurrent = 4});
    }
    const auto answer = [&world] {
      return Duration::Seconds(1) + world.rng().UpTo(Duration::Seconds(1));
    };
    for (int i = 0; i < 60; ++i) world.Submit({.key = "loud", .answer = answer()});
    for (int i = 0; i < 10; ++i) world.Submit({.key = "quiet", .answer = answer()});
    Kept(&world);
    ASSERT_EQ(Count(world, 200), 70u);
    int64_t loud = 0, quiet = 0;
    for (size_t i = 4; i < 70 && quiet < 10; ++i) {  // the first four met no queue
      ++(world.clients().at(world.order()[i]).request.key == "loud" ? loud : quiet);
      EXPECT_LE(loud - quiet, 2) << "after " << i;
    }
    EXPECT_TRUE(world.InOrder("loud"));
    EXPECT_TRUE(world.InOrder("quiet"));
  });
}

// The keys of an organization take turns at what is its own.
TEST_F(QueueSimulationTest, KeysOfAnOrganizationTakeTurns) {
  ForEach(12, [](uint64_t seed, size_t engines) {
    QueueWorld world(seed, engines, kWide);
    world.PutKey("a", "o", {});
    world.PutKey("b", "o", {});
    world.SetLimits(LimitScope::kOrg, "o", {.concurrent = 2});
    for (int i = 0; i < 30; ++i) world.Submit({.key = "a"});
    for (int i = 0; i < 10; ++i) world.Submit({.key = "b"});
    Kept(&world);
    int64_t a = 0, b = 0;
    for (size_t i = 2; i < 40 && b < 10; ++i) {
      ++(world.clients().at(world.order()[i]).request.key == "a" ? a : b);
      EXPECT_LE(std::abs(a - b), 1) << "after " << i;
    }
  });
}

// With one slot and two requests a minute, whoever has got its turn at one may meet the other.
TEST_F(QueueSimulationTest, ASecondLimitIsWaitedForWithTheSameTicket) {
  ForEach(24, [](uint64_t seed, size_t engines) {
    QueueWorld world(seed, engines, kWide);
    world.PutKey("a", "o", {.requests_per_minute = 60, .concurrent = 2, .burst_requests = 2});
    world.PutKey("b", "o", {.concurrent = 1});
    world.SetLimits(LimitScope::kOrg, "o", {.requests_per_minute = 90, .burst_requests = 1});
    world.SetLimits(LimitScope::kModel, "a/m", {.concurrent = 2});
    for (int i = 0; i < 20; ++i) {
      const char* const key = world.rng().OneIn(2) ? "a" : "b";
      world.Submit({.key = key, .answer = world.rng().UpTo(Duration::Seconds(2))});
    }
    Kept(&world);
    EXPECT_LE(world.most_upstream(), 2u);
    EXPECT_GE(Count(world, 200), 10u);
    for (const char* const key : {"a", "b"}) EXPECT_TRUE(world.InOrder(key)) << key;
  });
}

TEST_F(QueueSimulationTest, EveryWaitEnds) {
  size_t left = 0, refused = 0, revoked = 0, stopped = 0;
  ForEach(60, [&](uint64_t seed, size_t engines) {
    QueueWorld world(seed, engines);
    SeededRng& rng = world.rng();
    world.PutKey("k", "o", {.concurrent = 2});
    world.PutKey("other", "o", {.concurrent = 1});
    const auto soon = [&rng] { return rng.UpTo(Duration::Seconds(40)); };
    for (int i = 0; i < 60; ++i) {
      world.At(rng.UpTo(Duration::Seconds(20)), [&world, &rng, soon] {
        Request request{.key = rng.OneIn(4) ? "other" : "k", .answer = soon()};
        if (rng.OneIn(2)) request.queue = rng.UpTo(Duration::Seconds(30));
        if (rng.OneIn(4)) request.timeout = Duration::Seconds(1) + soon();
        request.progress = rng.OneIn(4);
        const ExchangeId id = world.Submit(request);
        if (rng.OneIn(4)) world.At(soon(), [&world, id] { world.Leave(id); });
      });
    }
    if (rng.OneIn(3)) world.At(soon(), [&world] { world.RemoveKey("other"); });
    if (rng.OneIn(3)) world.At(soon(), [&world] { world.Stop(); });
    Kept(&world);
    for (const auto& [id, client] : world.clients()) {
      left += !client.sent && client.row.error == "client_closed" ? 1 : 0;
      refused +=
          client.row.error == "rate_limit_exceeded" && client.ended > client.submitted ? 1 : 0;
      revoked += client.row.error == "invalid_api_key" && client.ended > client.submitted ? 1 : 0;
      stopped += client.row.error == "shutting_down" && client.ended > client.submitted ? 1 : 0;
    }
  });
  if (std::getenv("SEEKROUTE_SEEDS") != nullptr) return;
  EXPECT_GT(left, 20u);
  EXPECT_GT(refused, 20u);
  EXPECT_GT(revoked, 5u);
  EXPECT_GT(stopped, 20u);
}

// Limits of every kind, that change while requests wait for them.
TEST_F(QueueSimulationTest, KeepsItsPromisesUnderEverySeed) {
  size_t waited = 0, told = 0;
  ForEach(400, [&](uint64_t seed, size_t engines) {
    QueueWorld world(seed, engines);
    SeededRng& rng = world.rng();
    const auto draw = [&rng](int64_t least, int64_t most) {
      return least + static_cast<int64_t>(rng.Below(static_cast<uint64_t>(most - least + 1)));
    };
    const auto limits = [&] {
      LimitSet set;
      if (rng.OneIn(2)) set.concurrent = draw(1, 5);
      if (rng.OneIn(3)) {
        set.requests_per_minute = draw(20, 200);
        set.burst_requests = draw(1, 10);
      }
      if (rng.OneIn(4)) {
        set.tokens_per_minute = draw(5'000, 100'000);
        set.burst_tokens = draw(2'000, 10'000);
      }
      if (rng.OneIn(10)) set.requests_per_day = draw(5, 60);
      return set;
    };
    const std::pair<const char*, const char*> keys[] = {
        {"a", "one"}, {"b", "one"}, {"c", "two"}, {"d", "three"}};
    const auto put = [&](size_t i) { world.PutKey(keys[i].first, keys[i].second, limits()); };
    const auto set = [&] {
      switch (rng.Below(4)) {
        case 0:
          return world.SetLimits(LimitScope::kModel, "a/m", limits());
        case 1:
          return world.SetLimits(LimitScope::kGateway, "", limits());
        case 2:
          return world.SetLimits(LimitScope::kOrg, "one", limits());
        default:
          LimitSet org = limits();
          org.queue_weight = draw(1, 4);
          return world.SetLimits(LimitScope::kOrg, "two", org);
      }
    };
    for (size_t i = 0; i < 4; ++i) put(i);
    for (int i = 0; i < 3; ++i) set();
    const int count = static_cast<int>(draw(10, 80));
    for (int i = 0; i < count; ++i) {
      world.At(rng.UpTo(Duration::Seconds(20)), [&] {
        Request request{.key = keys[rng.Below(4)].first, .answer = rng.UpTo(Duration::Seconds(4))};
        if (rng.OneIn(2)) request.queue = rng.UpTo(Duration::Seconds(60));
        request.progress = rng.OneIn(4);
        const ExchangeId id = world.Submit(request);
        if (rng.OneIn(5)) {
          world.At(rng.UpTo(Duration::Seconds(20)), [&world, id] { world.Leave(id); });
        }
      });
    }
    while (rng.OneIn(2)) world.At(rng.UpTo(Duration::Seconds(30)), set);
    while (rng.OneIn(2)) {
      const size_t which = rng.Below(4);
      world.At(rng.UpTo(Duration::Seconds(30)), [&put, which] { put(which); });
    }
    Kept(&world);
    waited += static_cast<size_t>(world.most_waiting());
    told += world.told();
  });
  if (std::getenv("SEEKROUTE_SEEDS") != nullptr) return;
  EXPECT_GT(waited, 400u);
  EXPECT_GT(told, 40u);
}

}  // namespace
}  // namespace seekroute::testing
