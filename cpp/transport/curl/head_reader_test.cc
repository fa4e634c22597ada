#include "transport/curl/head_reader.h"

#include <gtest/gtest.h>

#include <array>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace seekroute {
namespace {

using Step = HeadReader::Step;

TransportHead Read(std::initializer_list<const char*> fields) {
  HeadReader reader(4096);
  EXPECT_EQ(reader.Add("HTTP/1.1 429 Too Many Requests\r\n"), Step::kMore);
  for (const char* field : fields) {
    EXPECT_EQ(reader.Add(std::string(field) + "\r\n"), Step::kMore);
  }
  EXPECT_EQ(reader.Add("\r\n"), Step::kFinal);
  EXPECT_TRUE(reader.done());
  return reader.head();
}

int64_t RetryAfter(std::initializer_list<const char*> fields) {
  return Read(fields).retry_after_ms;
}

TEST(HeadReaderTest, NamesAndMediaTypesIgnoreCase) {
  const TransportHead head = Read({"CONTENT-TYPE:  Text/Event-Stream ; charset=UTF-8",
                                   "content-Encoding:GZip", "no colon here", "X-Other: y"});
  EXPECT_EQ(head.status, 429);
  EXPECT_EQ(head.content_type, "text/event-stream");
  EXPECT_EQ(head.content_encoding, "gzip");
}

TEST(HeadReaderTest, AFoldedValueGoesOnBehindASpace) {
  EXPECT_EQ(Read({"Content-Type: text/", "\tplain"}).content_type, "text/ plain");
  EXPECT_EQ(Read({"Content-Type:", "  Text/Event-Stream;", " charset=x"}).content_type,
            "text/event-stream");
  EXPECT_EQ(RetryAfter({"Retry-After:", " 20", "X: y"}), 20000);
  EXPECT_EQ(RetryAfter({"R\xC3\xA9try: x", " Retry-After: 20"}), -1);
}

TEST(HeadReaderTest, AHeaderThatIsNoneIsIgnoredAlone) {
  EXPECT_EQ(
      RetryAfter({"Retry After: 5", "Retry-After : 6", "Retry-After: 20\x01", "Retry-After: 7"}),
      7000);
}

constexpr std::array<std::string_view, 2> kWanted = {"x-ratelimit-", "x-other-"};

TransportHead ReadWanted(const std::vector<std::string>& fields) {
  HeadReader reader(1 << 16, kWanted);
  EXPECT_EQ(reader.Add("HTTP/1.1 200 OK\r\n"), Step::kMore);
  for (const std::string& field : fields) EXPECT_EQ(reader.Add(field + "\r\n"), Step::kMore);
  EXPECT_EQ(reader.Add("\r\n"), Step::kFinal);
  return reader.head();
}

TEST(HeadReaderTest, HandsOnWhatIsWantedAndTheDateBesideIt) {
  const TransportHead head =
      ReadWanted({"X-RateLimit-Limit-Requests:  60 ", "X-RateLimit: 1", "Server: x-ratelimit-",
                  "x-OTHER-:", "Date: Thu, 01 Jan 1970 00:01:40 GMT"});
  EXPECT_EQ(head.wanted,
            (std::vector<HeaderField>{{"x-ratelimit-limit-requests", "60"}, {"x-other-", ""}}));
  EXPECT_EQ(head.date, UnixSeconds{100});
  const TransportHead none = ReadWanted({"Date: Thu, 01 Jan 1970 00:01:40 GMT"});
  EXPECT_TRUE(none.wanted.empty());
  EXPECT_EQ(none.date, UnixSeconds{});
  EXPECT_EQ(ReadWanted({"X-Other-A: b", "Date: yesterday"}).date, UnixSeconds{});
  EXPECT_TRUE(Read({"X-RateLimit-Limit-Requests: 60"}).wanted.empty());
}

TEST(HeadReaderTest, NoMoreIsHandedOnThanAFewShortOnes) {
  std::vector<std::string> fields = {"x-other-long: " + std::string(116, 'v'),
                                     "x-other-fits: " + std::string(116, 'v')};
  fields[0] += "v";
  for (int i = 0; i < 40; ++i) fields.push_back("x-other-" + std::to_string(i) + ": 1");
  const TransportHead head = ReadWanted(fields);
  ASSERT_EQ(head.wanted.size(), 32u);
  EXPECT_EQ(head.wanted[0].first, "x-other-fits");
  EXPECT_EQ(head.wanted[31].first, "x-other-30");
}

TEST(HeadReaderTest, WhatAnInterimHeadSaidIsNotHandedOn) {
  HeadReader reader(4096, kWanted);
  for (const char* line :
       {"HTTP/1.1 103 Early Hints\r\n", "x-other-a: 1\r\n", "\r\n", "HTTP/1.1 200 OK\r\n"}) {
    EXPECT_EQ(reader.Add(line), Step::kMore);
  }
  EXPECT_EQ(reader.Add("\r\n"), Step::kFinal);
  EXPECT_TRUE(reader.head().wanted.empty());
}

TEST(HeadReaderTest, EveryContentEncodingCounts) {
  EXPECT_EQ(Read({"Content-Encoding: gzip", "Content-Encoding: Identity"}).content_encoding,
            "gzip, identity");
  EXPECT_EQ(Read({"Content-Encoding:", "Content-Encoding:"}).content_encoding, "");
}

TEST(HeadReaderTest, AbsentFieldsAreEmpty) {
  const TransportHead head = Read({});
  EXPECT_EQ(head.content_type, "");
  EXPECT_EQ(head.content_encoding, "");
  EXPECT_EQ(head.retry_after_ms, -1);
}

TEST(HeadReaderTest, RetryAfterIsInSeconds) {
  EXPECT_EQ(RetryAfter({"Retry-After: 20"}), 20000);
  EXPECT_EQ(RetryAfter({"Retry-After: 0"}), 0);
  EXPECT_EQ(RetryAfter({"retry-after: 1.5"}), 1500);
  EXPECT_EQ(RetryAfter({"retry-after: 0.0005"}), 0);
}

TEST(HeadReaderTest, RetryAfterMsWins) {
  EXPECT_EQ(RetryAfter({"retry-after-ms: 250", "Retry-After: 20"}), 250);
  EXPECT_EQ(RetryAfter({"Retry-After: 20", "Retry-After-Ms: 250.9"}), 250);
  EXPECT_EQ(RetryAfter({"retry-after-ms: soon", "Retry-After: 20"}), 20000);
}

TEST(HeadReaderTest, RetryAfterIsBounded) {
  constexpr int64_t kDayMs = 86'400'000;
  EXPECT_EQ(RetryAfter({"Retry-After: 99999999999999999999999999"}), kDayMs);
  EXPECT_EQ(RetryAfter({"Retry-After: 86399.9999999999999999999"}), kDayMs - 1);
  EXPECT_EQ(RetryAfter({"Date: Sun, 06 Nov 1994 08:49:37 GMT",
                        "Retry-After: Tue, 06 Nov 2035 08:49:37 GMT"}),
            kDayMs);
}

TEST(HeadReaderTest, RetryAfterDatesAreMeasuredFromTheDateOfTheResponse) {
  const char* const date = "Date: Sun, 06 Nov 1994 08:49:37 GMT";
  EXPECT_EQ(RetryAfter({date, "Retry-After: Sun, 06 Nov 1994 08:50:07 GMT"}), 30000);
  EXPECT_EQ(RetryAfter({"Retry-After: Sun, 06 Nov 1994 08:50:07 GMT", date}), 30000);
  EXPECT_EQ(RetryAfter({date, "Retry-After: Sun, 06 Nov 1994 08:49:00 GMT"}), 0);
}

TEST(HeadReaderTest, RetryAfterDatesWithoutADateAreMeasuredFromNow) {
  constexpr UnixSeconds kNow{784'111'777};  // Sun, 06 Nov 1994 08:49:37 GMT
  const auto after = [&](std::initializer_list<const char*> fields) {
    return RetryAfterMs(Read(fields), kNow);
  };
  EXPECT_EQ(after({"Retry-After: Sun, 06 Nov 1994 08:50:07 GMT"}), 30'000);
  EXPECT_EQ(after({"Retry-After: Sunday, 06-Nov-94 08:50:07 GMT"}), 30'000);
  EXPECT_EQ(after({"Retry-After: Sun Nov  6 08:50:07 1994"}), 30'000);
  EXPECT_EQ(after({"Date: yesterday, or so", "Retry-After: Sun, 06 Nov 1994 08:50:07 GMT"}),
            30'000);
  EXPECT_EQ(after({"Retry-After: Sun, 06 Nov 1994 08:49:37 GMT"}), 0);
  EXPECT_EQ(after({"Retry-After: Sat, 05 Nov 1994 08:49:37 GMT"}), 0);
  EXPECT_EQ(after({"Retry-After: Tue, 06 Nov 2035 08:49:37 GMT"}), kMaxRetryAfterMs);
  EXPECT_EQ(after({"Retry-After: Sun, 99 Nov 1994 08:49:37 GMT"}), -1);
  EXPECT_EQ(after({"Retry-After: soon"}), -1);
  EXPECT_EQ(after({"Retry-After: 7"}), 7'000);
  EXPECT_EQ(after({"retry-after-ms: 5", "Retry-After: Sun, 06 Nov 1994 08:50:07 GMT"}), 5);
  EXPECT_EQ(after({}), -1);
}

TEST(HeadReaderTest, KeepAliveSaysHowLongAConnectionMayBeIdle) {
  struct Case {
    const char* field;
    int64_t seconds;
  };
  for (const Case& each :
       {Case{"Keep-Alive: timeout=5", 5}, Case{"keep-alive: max=100, Timeout = 72", 72},
        Case{"Keep-Alive: timeout=5,timeout=3", 3}, Case{"Keep-Alive: timeout=0", 0},
        Case{"Keep-Alive: timeout=2.5", 2},
        Case{"Keep-Alive: timeout=99999999999999999999", 86'400}, Case{"Keep-Alive: timeout", -1},
        Case{"Keep-Alive: timeout=", -1}, Case{"Keep-Alive: timeout=-5", -1},
        Case{"Keep-Alive: max=100", -1}, Case{"Keep-Alive:", -1},
        Case{"Connection: keep-alive", -1}}) {
    HeadReader reader(4096);
    reader.Add("HTTP/1.1 200 OK\r\n");
    reader.Add(std::string(each.field) + "\r\n");
    ASSERT_EQ(reader.Add("\r\n"), Step::kFinal);
    EXPECT_EQ(reader.framing().idle_limit_s, each.seconds) << each.field;
  }
}

TEST(HeadReaderTest, NonsenseIsNoRetryAfter) {
  const char* const date = "Date: Sun, 06 Nov 1994 08:49:37 GMT";
  for (const char* value : {"Retry-After:", "Retry-After: -5", "Retry-After: 5s",
                            "Retry-After: 1.2.3", "Retry-After: tomorrow"}) {
    EXPECT_EQ(RetryAfter({date, value}), -1) << value;
  }
}

TEST(HeadReaderTest, InterimHeadsAndTrailersAreNotTheHead) {
  HeadReader reader(4096);
  EXPECT_EQ(reader.Add("HTTP/1.1 103 Early Hints\r\n"), Step::kMore);
  EXPECT_EQ(reader.Add("Content-Type: text/plain\r\n"), Step::kMore);
  EXPECT_EQ(reader.Add("\r\n"), Step::kMore);
  EXPECT_EQ(reader.Add("HTTP/1.0 200\r\n"), Step::kMore);
  EXPECT_EQ(reader.Add("\n"), Step::kFinal);
  EXPECT_EQ(reader.Add("Content-Type: text/html\r\n"), Step::kMore);
  EXPECT_EQ(reader.Add("\r\n"), Step::kMore);
  EXPECT_EQ(reader.head().status, 200);
  EXPECT_EQ(reader.head().content_type, "");
}

TEST(HeadReaderTest, LimitsHeadsAndTrailersTogether) {
  HeadReader reader(40);
  EXPECT_EQ(reader.Add("HTTP/1.1 200 OK\r\n"), Step::kMore);
  EXPECT_EQ(reader.Add("\r\n"), Step::kFinal);
  EXPECT_EQ(reader.Add("Trailer: 1234567890\r\n"), Step::kMore);
  EXPECT_EQ(reader.Add("\r\n"), Step::kTooLarge);
}

TEST(HeadReaderTest, RefusesOtherStatusLines) {
  for (const char* line :
       {"HTTP/2 200\r\n", "HTTP/1.1\r\n", "HTTP/1.1 20\r\n", "HTTP/1.1 2x0\r\n", "HTTP/1.1 099\r\n",
        "HTTP/1.1 600\r\n", "HTTP/1.1 101 Switch\r\n", "HTTP/1.12200 OK\r\n"}) {
    HeadReader reader(4096);
    EXPECT_EQ(reader.Add(line), Step::kInvalid) << line;
  }
}

TEST(HeadReaderTest, ResetForgets) {
  HeadReader reader(4096);
  reader.Add("HTTP/1.1 200 OK\r\n");
  reader.Add("Retry-After: 3\r\n");
  reader.Add("\r\n");
  reader.Reset();
  EXPECT_FALSE(reader.done());
  EXPECT_FALSE(reader.begun());
  reader.Add("HTTP/1.1 200 OK\r\n");
  EXPECT_EQ(reader.Add("\r\n"), Step::kFinal);
  EXPECT_EQ(reader.head().retry_after_ms, -1);
}

}  // namespace
}  // namespace seekroute
