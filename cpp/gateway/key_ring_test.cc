#include "gateway/key_ring.h"

#include <gtest/gtest.h>

namespace seekroute {
namespace {

using Models = std::vector<std::string>;

constexpr UnixSeconds kNow{1'000};

std::optional<Secret> Header(std::string text) { return Secret(std::move(text)); }

class KeyRingTest : public ::testing::Test {
 protected:
  void Put(const std::string& token, ApiKey key) { ring_.Put(HmacSha256(pepper_, token), key); }

  const Secret pepper_{"pepper"};
  KeyRing ring_{Secret("pepper")};
};

TEST_F(KeyRingTest, FindsAKeyByItsToken) {
  Put("sk-sr-1", {.key_id = "k1", .org_id = "o1"});
  for (const char* header : {"Bearer sk-sr-1", "bearer sk-sr-1", "BEARER  sk-sr-1 "}) {
    auto found = ring_.Find(Header(header), kNow);
    ASSERT_TRUE(found.has_value()) << header;
    EXPECT_EQ((*found)->key_id, "k1");
  }
}

TEST_F(KeyRingTest, SaysMissingOrInvalid) {
  Put("sk-sr-1", {.key_id = "k1"});
  EXPECT_EQ(ring_.Find(std::nullopt, kNow).error().code, ErrorCode::kMissingApiKey);
  for (const char* header : {"", "Bearer", "Bearer ", "Basic sk-sr-1", "sk-sr-1"}) {
    EXPECT_EQ(ring_.Find(Header(header), kNow).error().code, ErrorCode::kMissingApiKey) << header;
  }
  for (const std::string& header :
       {std::string("Bearer sk-sr-2"), std::string("Bearer sk-sr-1x"),
        "Bearer " + std::string(600, 'a'), std::string("Bearer sk-sr-\xc3\xa9"),
        std::string("Bearer sk sr")}) {
    EXPECT_EQ(ring_.Find(Header(header), kNow).error().code, ErrorCode::kInvalidApiKey) << header;
  }
}

TEST_F(KeyRingTest, RevokedAndExpiredLookLikeUnknown) {
  Put("a", {.key_id = "a"});
  ring_.Remove(HmacSha256(pepper_, "a"));
  Put("b", {.key_id = "b", .expires_at = kNow});
  Put("c", {.key_id = "c", .expires_at = UnixSeconds{kNow.s + 1}});
  const Error unknown = ring_.Find(Header("Bearer zzz"), kNow).error();
  for (const char* header : {"Bearer a", "Bearer b"}) {
    const auto found = ring_.Find(Header(header), kNow);
    ASSERT_FALSE(found.has_value());
    EXPECT_EQ(found.error().message, unknown.message);
  }
  EXPECT_TRUE(ring_.Find(Header("Bearer c"), kNow).has_value());
}

TEST_F(KeyRingTest, KeysWithEqualLimitsShareThem) {
  const auto limits = [](int64_t requests) {
    return std::make_shared<const LimitSet>(LimitSet{.requests_per_minute = requests});
  };
  Put("a", {.key_id = "a", .limits = limits(60)});
  Put("b", {.key_id = "b", .limits = limits(60)});
  Put("c", {.key_id = "c", .limits = limits(61)});
  const auto a = *ring_.Find(Header("Bearer a"), kNow), b = *ring_.Find(Header("Bearer b"), kNow);
  EXPECT_EQ(a->limits, b->limits);
  EXPECT_LT(a->limits_version, b->limits_version);
  EXPECT_EQ((*ring_.Find(Header("Bearer c"), kNow))->limits->requests_per_minute, 61);
}

TEST_F(KeyRingTest, KnownButNotServed) {
  EXPECT_EQ(KeyRing::CheckUsable({.disabled = true}).error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(KeyRing::CheckUsable({.app_pending = true}).error().code, ErrorCode::kAppNotApproved);
  EXPECT_TRUE(KeyRing::CheckUsable({}).ok());
}

TEST_F(KeyRingTest, KeysOfOneOrganizationShareItsId) {
  for (const char* token : {"a", "b"}) Put(token, {.key_id = token, .org_id = "of many keys"});
  const auto a = *ring_.Find(Header("Bearer a"), kNow), b = *ring_.Find(Header("Bearer b"), kNow);
  EXPECT_EQ(a->org_id.str(), "of many keys");
  EXPECT_EQ(&a->org_id.str(), &b->org_id.str());
}

// Words of the past do not pile up.
TEST_F(KeyRingTest, TextsThatNobodyHasAreLetGo) {
  TextPool pool;
  const SharedText kept = pool.Share(SharedText("kept"));
  for (int i = 0; i < 100'000; ++i) (void)pool.Share(SharedText(std::to_string(i)));
  EXPECT_LE(pool.size(), 2048u);
  EXPECT_EQ(&pool.Share(SharedText("kept")).str(), &kept.str());
}

TEST_F(KeyRingTest, AllowLists) {
  ApiKey key;
  EXPECT_TRUE(key.MayUse("openai/gpt-4o"));
  key.models = std::make_shared<Models>(Models{"openai/*", "x/y"});
  EXPECT_TRUE(key.MayUse("openai/gpt-4o"));
  EXPECT_TRUE(key.MayUse("x/y"));
  EXPECT_FALSE(key.MayUse("x/yz"));
  EXPECT_FALSE(key.MayUse("openaix/gpt"));
  key.models = std::make_shared<Models>();
  EXPECT_FALSE(key.MayUse("openai/gpt-4o"));
}

}  // namespace
}  // namespace seekroute
