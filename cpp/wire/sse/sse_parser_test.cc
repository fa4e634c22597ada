#include "wire/sse/sse_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include "testing/corpora.h"

namespace seekroute {

bool operator==(const SseEvent& a, const SseEvent& b) {
  return a.type == b.type && a.data == b.data;
}

void PrintTo(const SseEvent& event, std::ostream* out) {
  *out << event.type << " | " << event.data.substr(0, 200);
}

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<SseEvent> Parse(std::string_view bytes) {
  SseParser parser;
  std::vector<SseEvent> events;
  EXPECT_TRUE(parser.Feed(bytes, &events));
  return events;
}

// Every cutting of `bytes` gives `expected`.
void ExpectEvents(std::string_view bytes, const std::vector<SseEvent>& expected, int rounds) {
  std::optional<SseParser> parser;
  std::vector<SseEvent> events;
  std::string round;
  testing::ForEachCutting(
      bytes, rounds,
      [&](std::string name) {
        round = std::move(name);
        // Room for the one-MiB line of the corpus with its field name.
        parser.emplace(SseParser::Limits{2 << 20, 4 << 20});
        events.clear();
      },
      [&](std::string_view piece) { ASSERT_TRUE(parser->Feed(piece, &events)) << round; },
      [&] { ASSERT_EQ(events, expected) << round; });
}

TEST(SseParserTest, JoinsDataLines) {
  EXPECT_THAT(Parse("id: 7\nevent: note\ndata: a\ndata:b\ndata\n\ndata: c\n\n"),
              ElementsAre(SseEvent{"note", "a\nb\n"}, SseEvent{"message", "c"}));
}

TEST(SseParserTest, TakesEveryLineEnding) {
  EXPECT_THAT(Parse("data: a\r\ndata: b\rdata: c\n\r\n"),
              ElementsAre(SseEvent{"message", "a\nb\nc"}));
}

TEST(SseParserTest, TellsOfLinesThatAreNoField) {
  const auto stray = [](std::string_view bytes) {
    std::string all;
    for (const SseEvent& event : Parse(bytes)) {
      all += (event.stray ? "!" : "") + event.data + "|";
    }
    return all;
  };
  EXPECT_EQ(stray("{\"a\":1}\ndata: b\n\n"), "!{\"a\":1}|b|");
  EXPECT_EQ(stray("data: b\n{\"a\":1}\ndata: c\n\n"), "b\nc|!{\"a\":1}|");
  EXPECT_EQ(stray("{\n \"a\": [\n1\n]\n}\n"), "!{\n \"a\": [\n1\n]\n}|");
  EXPECT_EQ(stray("[{\n \"a\": 1\n}\n]\n"), "![{\n \"a\": 1\n}\n]|");
  EXPECT_EQ(stray("{\n\ndata: b\n\n"), "!{|b|");
  EXPECT_EQ(stray("{\ndata: b\n\n"), "!{|b|");
  EXPECT_EQ(stray("<html>\nError: x\n[ERROR]\n"), "!<html>|x|![ERROR]|");
  EXPECT_EQ(stray("pong\nfoo: {}\nretry: x\nerrors: 5\n\n"), "");
  SseParser small({100, 200});
  std::vector<SseEvent> events;
  Status status = small.Feed("{\n", &events);
  for (int i = 0; i < 100 && status.ok(); ++i) status = small.Feed("  \"a\": 1,\n", &events);
  EXPECT_FALSE(status.ok()) << "what waits for its end is bounded";
}

TEST(SseParserTest, ACleanEndIsTheEndOfAnEvent) {
  for (const char* bytes : {"data: a", "data: a\n", "data: a\r", "data: a\r\n"}) {
    SseParser parser;
    std::vector<SseEvent> events;
    ASSERT_TRUE(parser.Feed(bytes, &events));
    EXPECT_TRUE(events.empty());
    ASSERT_TRUE(parser.EndOfInput(&events));
    EXPECT_THAT(events, ElementsAre(SseEvent{"message", "a"})) << bytes;
  }
  for (const char* bytes : {"", "\n", "data: a\n\n", ": x", "id: 4", "\xEF\xBB"}) {
    SseParser parser;
    std::vector<SseEvent> events, more;
    ASSERT_TRUE(parser.Feed(bytes, &events));
    ASSERT_TRUE(parser.EndOfInput(&more));
    EXPECT_TRUE(more.empty()) << bytes;
  }
}

TEST(SseParserTest, TellsOfErrorsThatTheStandardDrops) {
  EXPECT_THAT(Parse("error: {\"a\":1}\ndata: b\n\n"),
              ElementsAre(SseEvent{"error", "{\"a\":1}"}, SseEvent{"message", "b"}));
  EXPECT_THAT(Parse("id: 4\ndata: a\nerror: b\n\n"),
              ElementsAre(SseEvent{"message", "a"}, SseEvent{"error", "b"}));
  EXPECT_THAT(Parse("event: error\n\nevent: x\n\n"), ElementsAre(SseEvent{"error", ""}));
  const std::vector<SseEvent> events =
      Parse("event:error\n:HTTP_STATUS/429\ndata:a\n\ndata: b\n\n:HTTP_STATUS/4x9\ndata: c\n\n");
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].http_status, 429);
  EXPECT_EQ(events[1].http_status, 0);
  EXPECT_EQ(events[2].http_status, 0);
}

TEST(SseParserTest, SkipsCommentsUnknownFieldsAndEventsWithoutData) {
  EXPECT_THAT(Parse(": ping\n\nevent: x\n\nfoo: bar\ndata: a\n\n"),
              ElementsAre(SseEvent{"message", "a"}));
}

TEST(SseParserTest, DispatchesAnEmptyDataLine) {
  EXPECT_THAT(Parse("data:\n\n"), ElementsAre(SseEvent{"message", ""}));
}

TEST(SseParserTest, StripsOneByteOrderMarkAndOnlyOne) {
  EXPECT_THAT(Parse("\xEF\xBB\xBF"
                    "data: a\n\n\xEF\xBB\xBF"
                    "data: b\n\ndata: c\n\n"),
              ElementsAre(SseEvent{"message", "a"}, SseEvent{"message", "c"}));
}

TEST(SseParserTest, HalfAByteOrderMarkBelongsToTheFirstLine) {
  ExpectEvents(
      "\xEF\xBB"
      "data: a\n\ndata: b\n\n",
      {{"message", "b"}}, 20);
}

TEST(SseParserTest, ReplacesInvalidUtf8) {
  EXPECT_THAT(Parse("data: a\xFF\xE2\x82z\n\n"),
              ElementsAre(SseEvent{"message", "a\uFFFD\uFFFDz"}));
}

TEST(SseParserTest, IdsAndTimesToRetryAreNothing) {
  EXPECT_THAT(Parse("id: 7\nretry: 5\n\nid\nretry: x\ndata: a\nid: {}\nretry: <\n\n"),
              ElementsAre(SseEvent{"message", "a"}));
}

TEST(SseParserTest, NeverDispatchesWhatTheEndCutOff) {
  EXPECT_THAT(Parse("data: a\n"), IsEmpty());
  EXPECT_THAT(Parse("data: a"), IsEmpty());
}

TEST(SseParserTest, RefusesALineOverItsLimitHoweverItIsCut) {
  const std::string line(101, 'x');
  for (size_t piece : {size_t{1}, size_t{50}, size_t{101}}) {
    SseParser parser(SseParser::Limits{100, 1000});
    std::vector<SseEvent> events;
    Status status;
    for (size_t at = 0; at < line.size() && status.ok(); at += piece) {
      status = parser.Feed(std::string_view(line).substr(at, piece), &events);
    }
    ASSERT_FALSE(status.ok()) << piece;
    EXPECT_EQ(status.error().code, ErrorCode::kBadUpstreamResponse);
    EXPECT_FALSE(parser.Feed("\n\n", &events).ok()) << "the failure must last";
  }
}

TEST(SseParserTest, AcceptsALineOfExactlyItsLimit) {
  SseParser parser(SseParser::Limits{100, 1000});
  std::vector<SseEvent> events;
  ASSERT_TRUE(parser.Feed("data: " + std::string(94, 'x') + "\n\n", &events));
  EXPECT_EQ(events.size(), 1u);
}

TEST(SseParserTest, RefusesAnEventOverItsLimit) {
  SseParser parser(SseParser::Limits{100, 150});
  std::vector<SseEvent> events;
  const std::string line = "data: " + std::string(80, 'x') + "\n";
  ASSERT_TRUE(parser.Feed(line, &events));
  EXPECT_FALSE(parser.Feed(line, &events).ok());
}

TEST(SseParserTest, EveryCuttingGivesTheSameEvents) {
  const std::string_view transcript =
      "\xEF\xBB\xBF: hi\r\nid: 1\r\ndata: \xE2\x82\xAC uro\rdata:two\n\nevent: x\ndata: "
      "\xFF\xC3(\n\n\r\ndata\r\r:end\n";
  const std::vector<SseEvent> expected = {
      {"message", "€ uro\ntwo"}, {"x", "\uFFFD\uFFFD("}, {"message", ""}};
  ExpectEvents(transcript, expected, 200);
}

TEST(SseParserTest, PassesTheSharedVectorsAtEveryCutting) {
  const std::vector<testing::SseVector> vectors = testing::ReadSseVectors();
  if (vectors.empty()) GTEST_SKIP() << "no shared corpora; set SEEKROUTE_SHARED";
  EXPECT_GE(vectors.size(), 80u);
  for (const testing::SseVector& vector : vectors) {
    SCOPED_TRACE(vector.name);
    const int rounds = vector.input.size() > 100'000 ? 5 : 200;
    ExpectEvents(vector.input, vector.expected, rounds);
  }
}

TEST(SseParserTest, AnIdTakesNoRoom) {
  constexpr size_t kEvents = 64;
  const std::string id = "id: " + std::string(size_t{512} << 10, 'x') + "\n";
  SseParser parser;
  std::vector<SseEvent> events;
  const auto heap = [] { return mallinfo2().uordblks + mallinfo2().hblkhd; };
  const size_t before = heap();
  ASSERT_TRUE(parser.Feed(id, &events));
  for (size_t i = 0; i < kEvents; ++i) ASSERT_TRUE(parser.Feed("data: a\n\n", &events));
  EXPECT_EQ(events.size(), kEvents);
  EXPECT_LT(heap(), before + 2 * id.size());
}

TEST(SseParserTest, WhatStandsBeforeStrayJsonIsNotKept) {
  const std::vector<SseEvent> events = Parse(" \t {\n  \"a\": 1\n}\n");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].data, "{\n  \"a\": 1\n}") << "else every line would be looked for behind it";
}

}  // namespace
}  // namespace seekroute
