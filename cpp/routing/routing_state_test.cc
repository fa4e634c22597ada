#include "routing/routing_state.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

namespace seekroute {
namespace {

RoutingState Full() {
  RoutingState state;
  KeyHealth::Kept dead;
  dead.trouble = KeyTrouble::kBadKey;
  dead.dead_for = Duration::Seconds(500);
  dead.wait = Duration::Seconds(600);
  state.providers.push_back({7, {{11, 0xffff'ffff'ffff'ffff, dead}, {12, 5, {}}}});
  RoutingState::Endpoint endpoint{.id = 0x8000'0000'0000'0001, .provider = 7};
  endpoint.health.ejected_for = Duration::Seconds(31);
  endpoint.health.times = 3;
  endpoint.health.back_since = Duration::Seconds(2);
  endpoint.health.minutes = {{Duration::Seconds(100), {200, 3, 1}}, {Duration::Seconds(40), {1}}};
  endpoint.health.hours = {{Duration::Seconds(3000), {4'000'000'000, 3, 1}}};
  endpoint.health.first_content.five = {{Duration::Seconds(9), {{0, 1}, {140, 65535}}}};
  endpoint.health.throughput.thirty = {{Duration::Seconds(299), {{71, 20}}}};
  PairHealth::Kept pair;
  pair.why = KeyTrouble::kLimited;
  pair.out_for = Duration::Milliseconds(1500);
  pair.run = 2;
  pair.cap = 4;
  pair.worked = 3;
  pair.cut_since = Duration::Seconds(20);
  endpoint.pairs = {{11, pair}};
  state.endpoints.push_back(endpoint);
  state.endpoints.push_back({.id = 2, .provider = 7});
  return state;
}

std::string BytesOf(const RoutingState& state) {
  VarintWriter out;
  WriteRoutingState(state, &out);
  return std::move(out.bytes);
}

bool Reads(std::string_view bytes) {
  VarintReader in(bytes);
  (void)ReadRoutingState(&in);
  return in.ok() && in.done();
}

TEST(RoutingStateTest, IsReadAsItWasWritten) {
  for (const RoutingState& state : {RoutingState(), Full()}) {
    const std::string bytes = BytesOf(state);
    VarintReader in(bytes);
    EXPECT_EQ(ReadRoutingState(&in), state);
    EXPECT_TRUE(in.ok() && in.done());
  }
}

// Of a file that was made to harm.
TEST(RoutingStateTest, CountsBeyondTheirBytesAreRefused) {
  const std::string bytes = BytesOf(Full());
  for (size_t i = 0; i < bytes.size(); ++i) EXPECT_FALSE(Reads(bytes.substr(0, i))) << i;
  for (const std::string_view rest : {"\xff\xff\xff\xff\x0f", "\x01\xff\xff\x7f", "",
                                      "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"}) {
    EXPECT_FALSE(Reads(rest)) << rest;
  }
}

TEST(RoutingStateTest, WhatLastsEndsSoonerAndWhatWasCountedIsOlder) {
  RoutingState state = Full();
  state.Age(Duration::Seconds(60));
  EXPECT_EQ(state.providers[0].keys[0].health.dead_for, Duration::Seconds(440));
  EXPECT_EQ(state.providers[0].keys[0].health.wait, Duration::Seconds(600));
  const EndpointHealth::Kept& health = state.endpoints[0].health;
  EXPECT_EQ(health.ejected_for, Duration{1});  // it is due, and still out
  EXPECT_EQ(health.back_since, Duration::Seconds(62));
  EXPECT_EQ(health.minutes[1].age, Duration::Seconds(100));
  EXPECT_EQ(health.throughput.thirty[0].age, Duration::Seconds(359));
  EXPECT_EQ(state.endpoints[0].pairs[0].health.out_for, Duration{});
  EXPECT_EQ(state.endpoints[0].pairs[0].health.cut_since, Duration::Seconds(80));
  EXPECT_EQ(state.endpoints[1].health, EndpointHealth::Kept());
}

}  // namespace
}  // namespace seekroute
