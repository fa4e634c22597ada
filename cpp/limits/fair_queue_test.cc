#include "limits/fair_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "testing/virtual_world.h"

namespace seekroute {
namespace {

using testing::SeededRng;
using Waiter = FairQueue::Waiter;
using FlowId = FairQueue::FlowId;

// Serves all that wait; each is told by the letter that `names` has for it.
std::string ServeAll(FairQueue* queue, const std::map<const Waiter*, char>& names) {
  std::string order;
  while (const Waiter* next = queue->Next()) {
    order += names.at(next);
    queue->Serve();
    EXPECT_FALSE(next->waits());
  }
  EXPECT_TRUE(queue->empty());
  EXPECT_EQ(queue->cost(), 0);
  return order;
}

class FairQueueTest : public ::testing::Test {
 protected:
  Waiter& Add(char name, FlowId flow, int64_t cost = 1, int64_t weight = 1) {
    waiters_.push_back(std::make_unique<Waiter>(++ticket_, flow, cost, weight));
    names_.emplace(waiters_.back().get(), name);
    queue().Add(waiters_.back().get());
    return *waiters_.back();
  }
  FairQueue& queue() { return *queue_; }
  void Quantum(int64_t quantum) { queue_ = std::make_unique<FairQueue>(quantum); }
  std::string Order() { return ServeAll(queue_.get(), names_); }

  uint64_t ticket_ = 0;
  std::unique_ptr<FairQueue> queue_ = std::make_unique<FairQueue>(1);
  std::vector<std::unique_ptr<Waiter>> waiters_;
  std::map<const Waiter*, char> names_;
};

TEST_F(FairQueueTest, OneFlowIsFirstInFirstOut) {
  EXPECT_EQ(queue().Next(), nullptr);
  for (const char name : {'a', 'b', 'c'}) Add(name, 7);
  EXPECT_EQ(queue().WaitersOf(7), 3u);
  EXPECT_EQ(Order(), "abc");
}

TEST_F(FairQueueTest, FlowsTakeTurns) {
  for (const char name : {'a', 'b', 'c'}) Add(name, 1);
  Add('x', 2);
  Add('y', 2);
  Add('u', 3);
  EXPECT_EQ(Order(), "axubyc");
}

TEST_F(FairQueueTest, AWeightIsThatManyTurns) {
  for (const char name : {'a', 'b', 'c', 'd'}) Add(name, 1, 1, 2);
  for (const char name : {'x', 'y'}) Add(name, 2);
  EXPECT_EQ(Order(), "abxcdy");
}

// A dear one waits until its flow has saved enough; the cheap ones of others go on.
TEST_F(FairQueueTest, ADearWaiterWaitsForItsTurns) {
  Quantum(10);
  Add('a', 1, 25);
  for (const char name : {'x', 'y', 'z', 'u'}) Add(name, 2, 10);
  EXPECT_EQ(Order(), "xyazu");
}

TEST_F(FairQueueTest, WhoseTurnItIsDoesNotChangeByWhoComesForALaterOne) {
  Add('a', 1);
  const Waiter* const next = queue().Next();
  Add('x', 2);
  EXPECT_EQ(queue().Next(), next);
}

TEST_F(FairQueueTest, WhoComesIsBeforeADearOneWhoseRoundHasNotCome) {
  Quantum(10);
  Add('a', 1, 80);
  EXPECT_EQ(queue().Next(), waiters_[0].get());
  EXPECT_EQ(queue().CostBefore(2, 5, 1), 0);
  Add('x', 2, 5);
  EXPECT_EQ(queue().Next(), waiters_[1].get());
  EXPECT_EQ(Order(), "xa");
}

// Those who pass without waiting are served no more than who waits; and nobody saves shares up.
TEST_F(FairQueueTest, WhoPassesSpendsItsShareOfEachRound) {
  Quantum(10);
  Add('a', 1, 80);
  int64_t passed = 0;
  while (passed < 1000 && queue().CostBefore(2, 5, 1) == 0) {
    queue().Pass(2, 5, 1);
    passed += 5;
  }
  EXPECT_EQ(passed, 70);  // of eight rounds: in the last one it is the other's turn
  EXPECT_EQ(queue().CostBefore(2, 5, 1), 80);
  EXPECT_EQ(queue().CostBefore(3, 5, 1), 0);   // another one has its own share of this round
  EXPECT_EQ(queue().CostBefore(1, 5, 1), 80);  // behind its own
  EXPECT_EQ(Order(), "a");
  // A weight is as many shares, and each has its own.
  Add('b', 1, 20);
  EXPECT_EQ(queue().CostBefore(2, 20, 1), 20);
  EXPECT_EQ(queue().CostBefore(2, 20, 2), 0);
  EXPECT_EQ(queue().CostBefore(2, 10, 1), 0);
  queue().Pass(2, 10, 1);
  EXPECT_EQ(queue().CostBefore(2, 1, 1), 20);
  EXPECT_EQ(queue().CostBefore(3, 10, 1), 0);
  EXPECT_EQ(Order(), "b");
  EXPECT_EQ(queue().CostBefore(2, 1000, 1), 0);  // nobody waits
}

TEST_F(FairQueueTest, WhoseTurnItIsIsNotPassed) {
  Add('a', 1);
  EXPECT_EQ(queue().CostBefore(2, 1, 1), 1);
  EXPECT_EQ(queue().CostBefore(2, 1, 100), 1);
  Add('b', 1);
  EXPECT_EQ(queue().CostBefore(2, 1, 1), 1);
  EXPECT_EQ(Order(), "ab");
}

// One that has waited elsewhere comes with its old ticket.
TEST_F(FairQueueTest, AnOldTicketComesFirstInItsFlow) {
  Waiter old(0, 1, 1);
  names_.emplace(&old, 'o');
  Add('a', 1);
  Add('b', 1);
  queue().Add(&old);
  EXPECT_EQ(Order(), "oab");
}

TEST_F(FairQueueTest, WhoLeavesIsSkipped) {
  Waiter& a = Add('a', 1);
  Waiter& b = Add('b', 1);
  Waiter& x = Add('x', 2);
  Add('c', 1);
  queue().Remove(&b);
  queue().Remove(&b);
  EXPECT_FALSE(b.waits());
  EXPECT_EQ(queue().size(), 3u);
  queue().Remove(&a);
  EXPECT_EQ(queue().Next(), waiters_[3].get());
  queue().Remove(&x);
  EXPECT_EQ(queue().WaitersOf(2), 0u);
  EXPECT_EQ(Order(), "c");
}

TEST_F(FairQueueTest, AWaiterThatIsDestroyedIsTakenOut) {
  {
    Waiter gone(1, 1, 5);
    queue().Add(&gone);
    EXPECT_EQ(queue().cost(), 5);
  }
  EXPECT_TRUE(queue().empty());
  // And one outlives its queue.
  Waiter stays(2, 1, 5);
  queue().Add(&stays);
  queue_.reset();
  EXPECT_FALSE(stays.waits());
}

// Two flows that wait all the time are served alike, by their weights, but for a quantum and the
// dearest waiter; whatever else comes and goes.
TEST_F(FairQueueTest, BackloggedFlowsGetTheirShares) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SeededRng rng(seed);
    const int64_t quantum = 1 + static_cast<int64_t>(rng.Below(50));
    const int64_t dearest = 1 + static_cast<int64_t>(rng.Below(400));
    const int64_t weights[] = {1 + static_cast<int64_t>(rng.Below(4)), 1};
    FairQueue queue(quantum);
    std::deque<Waiter> waiters;
    uint64_t ticket = 0;
    std::map<const Waiter*, FlowId> flows;
    const auto add = [&](FlowId flow) {
      const auto cost = 1 + static_cast<int64_t>(rng.Below(static_cast<uint64_t>(dearest)));
      waiters.emplace_back(++ticket, flow, cost, flow < 2 ? weights[flow] : 1);
      queue.Add(&waiters.back());
      flows[&waiters.back()] = flow;
    };
    for (const FlowId flow : {FlowId{0}, FlowId{1}}) {
      while (queue.WaitersOf(flow) < 3) add(flow);
    }
    double served[] = {0, 0};
    for (int step = 0; step < 400; ++step) {
      if (rng.OneIn(3)) add(2 + rng.Below(3));
      const Waiter* next = queue.Next();
      ASSERT_NE(next, nullptr);
      const FlowId flow = flows.at(next);
      const int64_t cost = next->cost();
      queue.Serve();
      if (flow > 1) continue;
      served[flow] += static_cast<double>(cost) / static_cast<double>(weights[flow]);
      add(flow);
      const auto most = static_cast<double>(quantum + 2 * dearest);
      ASSERT_LE(std::abs(served[0] - served[1]), most) << "seed " << seed << " step " << step;
    }
  }
}

// Everybody is served once, whatever the costs.
TEST_F(FairQueueTest, NobodyIsLost) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SeededRng rng(seed);
    FairQueue queue(1 + static_cast<int64_t>(rng.Below(20)));
    std::deque<Waiter> waiters;
    size_t waiting = 0;
    size_t served = 0;
    size_t removed = 0;
    for (uint64_t ticket = 1; ticket <= 200; ++ticket) {
      waiters.emplace_back(ticket, rng.Below(5), 1 + static_cast<int64_t>(rng.Below(100)),
                           1 + static_cast<int64_t>(rng.Below(100)));
      queue.Add(&waiters.back());
      ++waiting;
      if (rng.OneIn(3)) {
        queue.Serve();
        ++served;
      }
      if (rng.OneIn(4)) {
        Waiter& leaver = waiters[rng.Below(waiters.size())];
        removed += leaver.waits() ? 1 : 0;
        queue.Remove(&leaver);
      }
      ASSERT_EQ(queue.size(), waiters.size() - served - removed) << "seed " << seed;
    }
    while (!queue.empty()) {
      ASSERT_NE(queue.Next(), nullptr);
      queue.Serve();
      ++served;
    }
    EXPECT_EQ(served + removed, waiting);
    EXPECT_EQ(queue.cost(), 0);
  }
}

}  // namespace
}  // namespace seekroute
