#include "gateway/sticky_table.h"

#include <gtest/gtest.h>

#include <string>

#include "testing/virtual_world.h"
#include "wire/protocols/protocols.h"

namespace seekroute {
namespace {

using testing::SeededRng;

constexpr TimePoint kNow{1'000'000'000};

StickyKey KeyOf(uint64_t number, uint64_t org = 1) {
  SeededRng rng(number * 31 + org);
  return {rng.Next(), rng.Next(), org, true};
}

TEST(StickyTableTest, RemembersWhoAnsweredLastForAsLongAsItIsUsed) {
  StickyTable table({Duration::Seconds(600), 1024});
  const StickyKey key = KeyOf(1);
  EXPECT_EQ(table.Find(key, kNow), 0u);
  table.Put(key, 7, kNow);
  TimePoint at;
  EXPECT_EQ(table.Find(key, kNow + Duration::Seconds(600), &at), 7u);
  EXPECT_EQ(at, kNow);
  EXPECT_EQ(table.Find(key, kNow + Duration::Seconds(601)), 0u);
  table.Put(key, 7, kNow + Duration::Seconds(600));
  EXPECT_EQ(table.Find(key, kNow + Duration::Seconds(1200)), 7u);
  table.Put(key, 9, kNow + Duration::Seconds(600));
  EXPECT_EQ(table.Find(key, kNow + Duration::Seconds(600)), 9u);
  EXPECT_EQ(table.size(), 1u);
  EXPECT_EQ(table.Find(KeyOf(2), kNow), 0u);
}

TEST(StickyTableTest, NothingIsRememberedWithoutPlacesOrAKey) {
  StickyTable none({Duration::Seconds(600), 0});
  none.Put(KeyOf(1), 7, kNow);
  EXPECT_EQ(none.Find(KeyOf(1), kNow), 0u);
  StickyTable table({Duration::Seconds(600), 1024});
  table.Put({}, 7, kNow);
  EXPECT_EQ(table.size(), 0u);
}

TEST(StickyTableTest, NoOrganizationDrivesOutAnothers) {
  constexpr size_t kPlaces = 16 * 1024;
  constexpr uint64_t kOthers = 400;
  StickyTable table({Duration::Seconds(600), kPlaces});
  for (uint64_t i = 0; i < kOthers; ++i) table.Put(KeyOf(i, 2), 5, kNow);
  for (uint64_t i = 0; i < 20 * kPlaces; ++i) table.Put(KeyOf(i, 1), 7, kNow);
  size_t kept = 0;
  for (uint64_t i = 0; i < kOthers; ++i) kept += table.Find(KeyOf(i, 2), kNow) == 5 ? 1 : 0;
  EXPECT_EQ(kept, kOthers);
  EXPECT_LE(table.size(), kOthers + kPlaces / 16);
  EXPECT_GE(table.size(), kOthers + kPlaces / 20);
}

TEST(StickyTableTest, NeverHoldsMoreThanItsPlaces) {
  StickyTable table({Duration::Seconds(600), 1024});
  for (uint64_t i = 0; i < 20'000; ++i) table.Put(KeyOf(i, i % 100), 7, kNow);
  EXPECT_LE(table.size(), 1024u);
  EXPECT_GE(table.size(), 900u);
}

class StickyKeyTest : public ::testing::Test {
 protected:
  StickyKey Of(const std::string& members, std::string_view session = {},
               std::string_view org = "o") {
    body_ = R"({"model":"m",)" + members + '}';
    auto parsed = SurfaceOf(SurfaceId::kChat).Read(body_, profile_, {});
    EXPECT_TRUE(parsed.has_value()) << body_;
    return StickyKeyOf(salt_, org, model_.id, (*parsed)->ask, session, body_);
  }
  static bool Same(const StickyKey& a, const StickyKey& b) {
    return a.high == b.high && a.low == b.low;
  }

  const Secret salt_{"salt"};
  Profile profile_;
  Model model_{.id = "x/m", .endpoints = {}};
  std::string body_;
};

const std::string kHi = R"("messages":[{"role":"user","content":"Hi"}])";

TEST_F(StickyKeyTest, WhatTheClientNamesComesBeforeWhatThePromptBeginsWith) {
  const StickyKey named = Of(R"("session_id":"s",)" + kHi);
  EXPECT_TRUE(named.named);
  EXPECT_TRUE(Same(named, Of(R"("session_id":"s","messages":[{"role":"user","content":"Yo"}])")));
  EXPECT_TRUE(Same(named, Of(kHi, "s")));
  EXPECT_TRUE(Same(named, Of(R"("session_id":"s","prompt_cache_key":"k",)" + kHi, "t")));
  const StickyKey cached = Of(R"("prompt_cache_key":"s",)" + kHi);
  EXPECT_TRUE(cached.named);
  EXPECT_FALSE(Same(named, cached));
  const StickyKey hashed = Of(kHi);
  EXPECT_FALSE(hashed.named);
  EXPECT_TRUE(hashed.valid());
}

TEST_F(StickyKeyTest, APromptIsKnownByItsFirstMessages) {
  const auto chat = [this](const std::string& system, const std::string& first,
                           const std::string& rest = "") {
    return Of(R"("messages":[{"role":"system","content":")" + system +
              R"("},{"role":"user","content":")" + first + R"("})" + rest + "]");
  };
  const StickyKey begun = chat("be brief", "hello");
  const std::string later =
      R"(,{"role":"assistant","content":"hi"},{"role":"user","content":"and then?"})";
  EXPECT_TRUE(Same(begun, chat("be brief", "hello", later)));
  EXPECT_FALSE(Same(begun, chat("be long", "hello")));
  EXPECT_FALSE(Same(begun, chat("be brief", "hello!")));
  // Where one ends and the other begins is told.
  EXPECT_FALSE(Same(chat("ab", "c"), chat("a", "bc")));
  // Behind so many bytes nobody looks.
  const std::string same(size_t{17} << 10, 'w');
  EXPECT_TRUE(Same(chat("be brief", same + "a"), chat("be brief", same + "b")));
}

TEST_F(StickyKeyTest, OrganizationsAndModelsAreApart) {
  const StickyKey one = Of(kHi, "s", "o");
  EXPECT_FALSE(Same(one, Of(kHi, "s", "p")));
  model_.id = "x/other";
  EXPECT_FALSE(Same(one, Of(kHi, "s", "o")));
}

}  // namespace
}  // namespace seekroute
