#include "gateway/mailbox.h"

#include <gtest/gtest.h>

#include <thread>

namespace seekroute {
namespace {

TEST(MailboxTest, GathersWhatBelongsTogether) {
  Mailbox mailbox;
  EXPECT_TRUE(mailbox.TakeAll().empty());
  mailbox.PutHead(1, {.status = 200, .headers = {}});
  mailbox.PutBody(1, "ab");
  mailbox.PutBody(2, "xy");
  mailbox.PutBody(1, "cd");
  mailbox.PutEnd(1, {});
  std::vector<Delivery> got = mailbox.TakeAll();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].exchange, 1u);
  EXPECT_EQ(got[0].head->status, 200);
  EXPECT_EQ(got[0].body, "abcd");
  EXPECT_TRUE(got[0].end);
  EXPECT_EQ(got[1].body, "xy");
  EXPECT_FALSE(got[1].head);
  EXPECT_TRUE(mailbox.TakeAll().empty());
}

TEST(MailboxTest, TellsThatABodyIsGoneByAnEmptyEntry) {
  Mailbox mailbox;
  mailbox.PutBodyGone(1);
  mailbox.Announce();
  EXPECT_TRUE(mailbox.Wait(Duration{}));
  const std::vector<Delivery> got = mailbox.TakeAll();
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].exchange, 1u);
  EXPECT_FALSE(got[0].head);
  EXPECT_FALSE(got[0].end);
  EXPECT_EQ(got[0].body, "");
}

TEST(MailboxTest, IsReadableFromAnAnnouncementToTheNextTakeAll) {
  Mailbox mailbox;
  mailbox.Announce();  // of nothing
  EXPECT_FALSE(mailbox.Wait(Duration{}));
  mailbox.PutBody(1, "a");
  mailbox.PutBody(1, "b");
  EXPECT_FALSE(mailbox.Wait(Duration{}));
  mailbox.Announce();
  mailbox.Announce();
  EXPECT_TRUE(mailbox.Wait(Duration{}));
  EXPECT_EQ(mailbox.TakeAll().size(), 1u);
  EXPECT_FALSE(mailbox.Wait(Duration{}));
  mailbox.PutBody(1, "c");
  EXPECT_EQ(mailbox.TakeAll().size(), 1u);  // taken along before its announcement
  mailbox.Announce();
  EXPECT_FALSE(mailbox.Wait(Duration{}));
}

TEST(MailboxTest, NothingIsLostBetweenThreads) {
  Mailbox mailbox;
  constexpr int kPieces = 20'000;
  std::thread writer([&] {
    for (int i = 0; i < kPieces; ++i) {
      mailbox.PutBody(static_cast<ExchangeId>(i % 7), "x");
      mailbox.Announce();
    }
    mailbox.PutEnd(0, {});
    mailbox.Announce();
  });
  size_t bytes = 0;
  bool ended = false;
  while (!ended && mailbox.Wait(Duration::Seconds(10))) {
    for (const Delivery& d : mailbox.TakeAll()) {
      bytes += d.body.size();
      ended = ended || d.end != nullptr;
    }
  }
  writer.join();
  EXPECT_TRUE(ended);
  EXPECT_EQ(bytes, static_cast<size_t>(kPieces));
}

}  // namespace
}  // namespace seekroute
