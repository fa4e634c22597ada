#include "wire/openai/chat_collect.h"

#include <gtest/gtest.h>

#include <vector>

#include "wire/openai/chat_answer.h"
#include "wire/openai/chunk_shape.h"

namespace seekroute {
namespace {

std::string Event(std::string_view json) { return "data: " + std::string(json) + "\n\n"; }

std::string Choice(std::string_view delta, std::string_view finish = "null") {
  return Event(R"({"id":"g","object":"chat.completion.chunk","choices":[{"index":0,"delta":)" +
               std::string(delta) + ",\"finish_reason\":" + std::string(finish) + "}]}");
}

std::string Collect(std::string_view events) {
  ChatCollector collector(1 << 20);
  EXPECT_TRUE(collector.Add(events).ok());
  return collector.Write();
}

TEST(ChatCollectTest, PutsTextTogether) {
  EXPECT_EQ(Collect(Choice(R"({"role":"assistant","content":""})") +
                    Choice(R"({"content":"a\"\u00e9"})") + Choice(R"({"content":null})") +
                    Choice(R"({"content":"b"})") + Choice(R"({"reasoning":"x"})") +
                    Choice(R"({"reasoning":"y"})") + Choice("{}", "\"stop\"") + "data: [DONE]\n\n"),
            R"({"id":"g","object":"chat.completion","choices":[{"index":0,"message":{)"
            R"("role":"assistant","content":"a\"éb","reasoning":"xy"},"finish_reason":"stop"}]})");
}

TEST(ChatCollectTest, PutsToolCallsTogetherByTheirIndex) {
  EXPECT_EQ(
      Collect(
          Choice(
              R"({"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]})") +
          Choice(
              R"({"tool_calls":[{"index":1,"id":"c2","type":"function","function":{"name":"g","arguments":"["}}]})") +
          Choice(
              R"({"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":"{\"a\""}}]})") +
          Choice(
              R"({"tool_calls":[{"index":1,"function":{"arguments":"]"}},{"index":0,"function":{"arguments":":1}"}}]})",
              "\"tool_calls\"")),
      R"({"id":"g","object":"chat.completion","choices":[{"index":0,"message":{"tool_calls":[)"
      R"({"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},)"
      R"({"id":"c2","type":"function","function":{"name":"g","arguments":"[]"}}],)"
      R"("role":"assistant","content":null},"finish_reason":"tool_calls"}]})");
}

TEST(ChatCollectTest, CallsOfTheSameIndexAreTwoWhereTheirIdsDiffer) {
  const std::string out = Collect(
      Choice(R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}]})") +
      Choice(R"({"tool_calls":[{"index":0,"function":{"arguments":"2"}}]})") +
      Choice(R"({"tool_calls":[{"index":0,"id":"b","function":{"name":"f","arguments":"3"}}]})") +
      Choice(R"({"tool_calls":[{"index":0,"function":{"arguments":"4"}}]})"));
  EXPECT_NE(out.find(R"([{"id":"a","function":{"name":"f","arguments":"12"}},)"
                     R"({"id":"b","function":{"name":"f","arguments":"34"}}])"),
            std::string::npos)
      << out;
}

TEST(ChatCollectTest, TextAndPartsAreBothKept) {
  const std::string out =
      Collect(Choice(R"({"content":"Paris is "})") +
              Choice(R"({"content":[{"type":"text","text":"big"},{"type":"x"}]})") +
              Choice(R"({"content":"!"})") + Choice(R"({"content":"?"})"));
  EXPECT_NE(
      out.find(R"("content":[{"type":"text","text":"Paris is "},{"type":"text","text":"big"},)"
               R"({"type":"x"},{"type":"text","text":"!?"}])"),
      std::string::npos)
      << out;
}

TEST(ChatCollectTest, KeepsListsChoicesAndOtherMembers) {
  const std::string out = Collect(
      Event(R"({"choices":[{"index":1,"delta":{"content":"b"}}],"system_fingerprint":"s"})") +
      Event(
          R"({"choices":[{"delta":{"content":"a","images":[{"index":0,"u":1}],"audio":{"id":"i","data":"QQ"}},)"
          R"("logprobs":{"content":[{"token":"a"}]}}]})") +
      Event(
          R"({"choices":[{"index":0,"delta":{"images":[{"index":0,"u":2}],"audio":{"data":"Qg"}},)"
          R"("logprobs":{"content":[{"token":"b"}]}}],"citations":["c"],"usage":{"prompt_tokens":1}})"));
  EXPECT_EQ(
      out,
      R"({"choices":[{"message":{"content":"a","images":[{"index":0,"u":1},{"index":0,"u":2}],)"
      R"("audio":{"id":"i","data":"QQQg"},"role":"assistant"},"logprobs":{"content":[)"
      R"({"token":"a"},{"token":"b"}]},"index":0,"finish_reason":null},{"index":1,"message":{)"
      R"("content":"b","role":"assistant"},"finish_reason":null}],"system_fingerprint":"s",)"
      R"("citations":["c"],"object":"chat.completion"})");
}

TEST(ChatCollectTest, SourcesThatAreToldAgainAreTold) {
  const auto cites = [](std::string_view list, std::string_view token) {
    return Event(R"({"choices":[{"index":0,"delta":{"content":"x"},"logprobs":{"content":[)" +
                 std::string(token) + R"(]}}],"citations":[)" + std::string(list) +
                 R"(],"unheard_of":[)" + std::string(list) + "]}");
  };
  // The number of a source is its place: one that stands twice in a list stays there.
  const std::string out =
      Collect(cites(R"("a","a")", R"({"token":"x"})") +
              cites(R"("a","a","b")", R"({"token":"x"})") + cites(R"("b")", R"({"token":"y"})"));
  EXPECT_NE(out.find(R"("citations":["a","a","b"])"), std::string::npos) << out;
  EXPECT_NE(out.find(R"("unheard_of":["a","a","b"])"), std::string::npos) << out;
  EXPECT_NE(out.find(R"("logprobs":{"content":[{"token":"x"},{"token":"x"},{"token":"y"}]})"),
            std::string::npos)
      << out;
  const std::string notes = Collect(
      Choice(R"({"annotations":[{"type":"url_citation","url_citation":{"url":"u","n":1}}]})") +
      Choice(R"({"annotations":[{"url_citation":{"n":1,"url":"u"},"type":"url_citation"},{}]})") +
      Choice(R"({"images":["i"]})") + Choice(R"({"images":["i","k"]})"));
  EXPECT_NE(
      notes.find(R"("annotations":[{"type":"url_citation","url_citation":{"url":"u","n":1}},{}])"),
      std::string::npos)
      << notes;
  EXPECT_NE(notes.find(R"("images":["i","k"])"), std::string::npos) << notes;
}

TEST(ChatCollectTest, ACharacterMayBeCutInTwo) {
  const auto content = [](std::string_view first, std::string_view second) {
    const auto piece = [](std::string_view text) {
      return Choice(R"({"content":")" + std::string(text) + "\"}");
    };
    const std::string out = Collect(piece(first) + Choice(R"({"content":""})") + piece(second));
    const size_t begin = out.find(R"("content":")") + 11;
    return out.substr(begin, out.find('"', begin) - begin);
  };
  EXPECT_EQ(content(R"(a\ud83d)", R"(\ude00b)"), "a\U0001F600b");
  EXPECT_EQ(content(R"(\ud83d)", R"(\ude00\ud83d\ude00)"), "\U0001F600\U0001F600");
  EXPECT_EQ(content(R"(a\ud83d)", "b"), "a\uFFFDb") << "a half without its other is none";
  EXPECT_EQ(content("a", R"(\ude00b)"), "a\uFFFDb");
  const std::string parts = Collect(Choice(R"({"content":[{"type":"text","text":"\ud83d"}]})") +
                                    Choice(R"({"content":"\ude00"})"));
  EXPECT_NE(parts.find("\U0001F600"), std::string::npos) << parts;
}

TEST(ChatCollectTest, ThinkingUnderTwoNamesIsOneText) {
  const struct {
    std::vector<const char*> deltas;
    const char* message;
  } cases[] = {
      {{R"({"reasoning":"a"})", R"({"reasoning_content":"b"})", R"({"reasoning":"c"})"},
       R"("reasoning":"abc","role":"assistant","content":null,"reasoning_content":"abc")"},
      {{R"({"reasoning_content":"a","reasoning":null})", R"({"reasoning":"b"})"},
       R"("reasoning_content":"ab","reasoning":"ab")"},
      {{R"({"reasoning":"a","reasoning_content":"a"})",
        R"({"reasoning":"b","reasoning_content":"b"})"},
       R"("reasoning":"ab","reasoning_content":"ab")"},
      {{R"({"reasoning":"a","reasoning_content":"b"})", R"({"reasoning":"c"})"},
       R"("reasoning":"abc","reasoning_content":"abc")"},
      {{R"({"reasoning":"a","reasoning_content":""})", R"({"reasoning":"a"})"},
       R"("reasoning":"aa","reasoning_content":"")"},
      {{R"({"reasoning_content":"a"})", R"({"reasoning_content":"b"})"},
       R"("reasoning_content":"ab")"},
  };
  for (const auto& c : cases) {
    std::string in;
    for (const char* delta : c.deltas) in += Choice(delta);
    const std::string out = Collect(in);
    const Result<ChatAnswer> answer = ParseChatAnswer(out);
    ASSERT_TRUE(answer.has_value()) << out;
    for (const std::string_view name : {"reasoning", "reasoning_content"}) {
      const std::string member = "\"" + std::string(name) + "\":\"";
      const size_t at = std::string_view(c.message).find(member);
      const size_t found = out.find(member);
      ASSERT_EQ(at == std::string_view::npos, found == std::string::npos) << out;
      if (found == std::string::npos) continue;
      const std::string_view wanted = std::string_view(c.message).substr(at + member.size());
      EXPECT_EQ(out.substr(found + member.size(), wanted.find('"') + 1),
                wanted.substr(0, wanted.find('"') + 1))
          << out;
    }
  }
}

TEST(ChatCollectTest, IsBounded) {
  ChatCollector collector(1000);
  Status status;
  size_t added = 0;
  while (status.ok() && added < 100'000) {
    status = collector.Add(Choice(R"({"content":"0123456789"})"));
    added += 10;
  }
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kAnswerTooLarge);
  EXPECT_LE(added, 1000u);
  ChatCollector parts(1000);
  for (status = {}, added = 0; status.ok() && added < 1000; ++added) {
    status = parts.Add(Choice(R"({"content":[{}]})"));
  }
  EXPECT_FALSE(status.ok()) << "empty values take room, too";
}

TEST(ChatCollectTest, AnAnswerBecomesAChunk) {
  EXPECT_EQ(
      ChunkFromAnswer(
          R"( {"object" : "chat.completion","message":1,"choices":[ {"message" :{"a":1,)"
          R"("tool_calls":[{"id":"x","index":7},{},{"function":{"index":1}}]}},{"index":1,)"
          R"("message":{"content":"\u0041"}}],"z":1.0})"),
      R"( {"object" : "chat.completion.chunk","message":1,"choices":[ {"index":0,"delta" :{"a":1,)"
      R"("tool_calls":[{"id":"x","index":7},{"index":8},{"index":9,"function":{"index":1}}]}},)"
      R"({"index":1,"delta":{"content":"\u0041"}}],"z":1.0})");
  const std::string chunk =
      R"({"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a"}}]})";
  EXPECT_EQ(ChunkFromAnswer(chunk), chunk);
}

// {"name1":…,"name2":…}, or a list of such items.
std::string Numbered(size_t count, std::string_view before, std::string_view behind) {
  std::string all;
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) all += ',';
    all += before;
    all += std::to_string(i);
    all += behind;
  }
  return all;
}

TEST(ChatCollectTest, WhatIsLookedUpIsBounded) {
  constexpr size_t kMany = 20'000;
  const std::string members = Numbered(kMany, "\"m", "\":0");
  const auto calls = [](std::string_view before, std::string_view behind) {
    return R"({"tool_calls":[)" + Numbered(kMany, before, behind) + "]}";
  };
  const struct {
    const char* what;
    std::vector<std::string> events;
  } cases[] = {
      {"members", {Event("{" + members + "}")}},
      {"members of a delta", {Choice("{}"), Choice("{" + members + "}")}},
      {"calls", {Choice("{\"tool_calls\":[]}"), Choice(calls("{\"index\":", "}"))}},
      {"calls of one index",
       {Choice("{\"tool_calls\":[]}"), Choice(calls(R"({"index":0,"id":")", "\"}"))}},
      {"thoughts",
       {Choice("{}"),
        Choice(R"({"reasoning_details":[)" + Numbered(kMany, R"({"type":")", "\"}") + "]}"),
        Choice(R"({"reasoning_details":[)" + Numbered(kMany, R"({"type":"x)", "\"}") + "]}")}},
      {"choices",
       {Event(R"({"choices":[)" + Numbered(kMany, R"({"index":0,"id":")", "\"}") + "]}")}},
      {"calls behind one of many members",
       {Choice(R"({"tool_calls":[{)" + members + "}]}"),
        Choice(R"({"tool_calls":[)" + Numbered(kMany, R"({"index":1,"id":")", "\"}") + "]}")}},
  };
  for (const auto& c : cases) {
    ChatCollector collector(size_t{64} << 20);
    Status status;
    for (const std::string& event : c.events) {
      if (status.ok()) status = collector.Add(event);
    }
    ASSERT_FALSE(status.ok()) << c.what;
    EXPECT_EQ(status.error().code, ErrorCode::kAnswerTooLarge) << c.what;
  }
}

TEST(ChatCollectTest, TakesAsManyChoicesAndCallsAsAnAnswerMayHave) {
  ChatCollector collector(size_t{64} << 20);
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < 128; ++i) {
      ASSERT_TRUE(
          collector
              .Add(Event(R"({"choices":[{"index":)" + std::to_string(i) +
                         R"(,"delta":{"tool_calls":[{"index":)" + std::to_string(round % 128) +
                         R"(,"function":{"arguments":"x"}}]}}]})"))
              .ok());
    }
  }
  const std::string out = collector.Write();
  EXPECT_NE(out.find(R"("index":127)"), std::string::npos);
  EXPECT_EQ(ParseChatAnswer(out)->content_bytes, 200u * 128);
}

TEST(ChatCollectTest, AChoiceHasOneMessage) {
  for (const char* choice : {
           R"({"index":0,"delta":{"content":"a"},"message":null})",
           R"({"index":0,"message":null,"delta":{"content":"a"}})",
           R"({"index":0,"message":{"content":"a"},"delta":{"content":"a"}})",
           R"({"index":0,"delta":{"content":"a"},"message":"a"})",
           R"({"index":0,"delta":{"content":"a"},"delta":null})",
           R"({"index":0,"delta":null,"delta":{"content":"a"}})",
           R"({"index":0,"delta":{"role":"assistant"},"delta":{"content":"a"}})",
       }) {
    const std::string out = Collect(Event(R"({"choices":[)" + std::string(choice) + "]}"));
    EXPECT_EQ(out.find("\"message\""), out.rfind("\"message\"")) << out;
    EXPECT_EQ(out.find("\"delta\""), std::string::npos) << out;
    EXPECT_NE(out.find(R"("content":"a")"), std::string::npos) << out;
  }
}

TEST(ChatCollectTest, AChoiceWithoutIndexIsTheOneOfItsPlace) {
  for (const char* none : {"", R"("index":null,)", R"("index":"0",)", R"("index":true,)"}) {
    const auto both = [none](std::string_view first, std::string_view second) {
      return Event(R"({"choices":[{)" + std::string(none) + R"("delta":{"content":")" +
                   std::string(first) + R"("}},{)" + none + R"("delta":{"content":")" +
                   std::string(second) + R"("}}]})");
    };
    const std::string out = Collect(both("a", "b") + both("c", "d"));
    const Result<ChatAnswer> answer = ParseChatAnswer(out);
    ASSERT_TRUE(answer.has_value()) << out;
    EXPECT_NE(out.find(R"("content":"ac")"), std::string::npos) << out;
    EXPECT_NE(out.find(R"("content":"bd")"), std::string::npos) << out;
    EXPECT_NE(out.find(R"("index":0)"), std::string::npos) << out;
    EXPECT_NE(out.find(R"("index":1)"), std::string::npos) << out;
  }
}

}  // namespace
}  // namespace seekroute
