#include "gateway/mailbox_outlet.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

namespace seekroute {
namespace {

TEST(FlowWindowTest, PausesOverTheLimitAndResumesOnce) {
  FlowWindow window(100);
  EXPECT_FALSE(window.Add(100));
  EXPECT_TRUE(window.Add(1));
  EXPECT_FALSE(window.Take(10));
  EXPECT_TRUE(window.Take(60));
  EXPECT_FALSE(window.Take(31));
}

// Whatever the interleaving: every pause is answered by exactly one resume.
TEST(FlowWindowTest, NoPauseIsForgotten) {
  FlowWindow window(64);
  constexpr int kPieces = 200'000;
  std::atomic<int> sent{0};
  std::atomic<int> resumes{0};
  std::thread taker([&] {
    for (int taken = 0; taken < kPieces;) {
      if (taken < sent.load()) {
        if (window.Take(1)) resumes.fetch_add(1);
        ++taken;
      }
    }
  });
  int pauses = 0;
  for (int i = 0; i < kPieces; ++i) {
    const bool pause = window.Add(1);
    sent.fetch_add(1);
    if (pause) {
      ++pauses;
      while (resumes.load() < pauses) std::this_thread::yield();
    }
  }
  taker.join();
  EXPECT_EQ(pauses, resumes.load());
}

// Only what is counted pauses: an end that does not fit has nobody left to be paused.
TEST(MailboxOutletTest, PausesForWhatIsCountedAlone) {
  Mailbox mailbox;
  const auto window = std::make_shared<FlowWindow>(10);
  MailboxOutlet outlet(&mailbox, 7, window);
  EXPECT_EQ(outlet.Body("0123456789ab", false), Flow::kContinue);
  EXPECT_EQ(outlet.Body("0123456789", true), Flow::kContinue);
  EXPECT_EQ(outlet.Body("a", true), Flow::kPause);
  EXPECT_TRUE(window->Take(11));
  const std::vector<Delivery> got = mailbox.TakeAll();
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].exchange, 7u);
  EXPECT_EQ(got[0].body, "0123456789ab0123456789a");
}

}  // namespace
}  // namespace seekroute
