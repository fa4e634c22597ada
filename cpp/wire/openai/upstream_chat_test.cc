#include "wire/openai/upstream_chat.h"

#include <gtest/gtest.h>

#include "testing/read_chat.h"
#include "wire/json/json.h"

namespace seekroute {
namespace {

using testing::ReadChat;

constexpr std::string_view kMessages = R"({"messages":[{"role":"user","content":"a"}])";

// What is sent of a request with `members`, from behind its messages on.
std::string Sent(std::string_view members, const std::optional<AnswerCap>& cap = std::nullopt) {
  const std::string body = std::string(kMessages) + std::string(members) + R"(,"model":"m"})";
  const Result<ParsedChat> parsed = ReadChat(body);
  EXPECT_TRUE(parsed.has_value()) << body;
  if (!parsed) return {};
  const std::string out = BuildUpstreamChat(body, parsed->chat, "up", cap);
  EXPECT_TRUE(CheckJson(out).ok()) << out;
  EXPECT_TRUE(out.starts_with(kMessages)) << out;
  return out.substr(kMessages.size());
}

std::string SentCapped(std::string_view members, std::string_view field) {
  return Sent(members, AnswerCap{50, field});
}

TEST(UpstreamChatTest, TheCapStandsInTheFieldThatTheProviderTakes) {
  const struct {
    const char *members, *before, *after;  // of the model
  } cases[] = {
      // Nothing was sent.
      {"", "", R"(,"OWN":50)"},
      // The provider's own field: only what is longer changes.
      {R"(,"OWN":20)", R"(,"OWN":20)", ""},
      {R"(,"OWN":50)", R"(,"OWN":50)", ""},
      {R"(, "OWN" : 70)", R"(, "OWN" : 50)", ""},
      {R"(,"OWN":null)", R"(,"OWN":50)", ""},
      // The other one only: it gets the provider's name.
      {R"(,"OTHER":70)", R"(,"OWN":50)", ""},
      {R"(, "OTHER" : 20)", R"(, "OWN" : 20)", ""},
      {R"(,"\u006dREST":20)", R"(,"OWN":20)", ""},  // spelled with an escape
      {R"(,"OTHER":null)", R"(,"OWN":50)", ""},
      // Both: both stay, and the smaller counts, whoever reads which.
      {R"(,"OWN":60,"OTHER":70)", R"(,"OWN":50,"OTHER":50)", ""},
      {R"(,"OTHER":20,"OWN":60)", R"(,"OTHER":20,"OWN":20)", ""},
      {R"(,"OWN":20,"OTHER":60)", R"(,"OWN":20,"OTHER":20)", ""},
      {R"(,"OWN":30,"OTHER":30)", R"(,"OWN":30,"OTHER":30)", ""},
      // null is as good as not sent.
      {R"(,"OWN":30,"OTHER":null)", R"(,"OWN":30,"OTHER":null)", ""},
      {R"(,"OWN":null,"OTHER":30)", R"(,"OWN":30)", ""},
      {R"(,"OTHER":70 ,"OWN":null)", R"(,"OWN":50)", ""},
      {R"(,"OWN":null,"OTHER":null)", R"(,"OWN":50,"OTHER":null)", ""},
      {R"(,"OTHER":null,"OWN":null)", R"(,"OTHER":null,"OWN":50)", ""},
  };
  const auto named = [](std::string text, std::string_view own, std::string_view other) {
    const auto put = [&text](std::string_view what, std::string_view name) {
      for (size_t at; (at = text.find(what)) != std::string::npos;) {
        text.replace(at, what.size(), name);
      }
    };
    put("REST", other.substr(1));
    put("OTHER", other);
    put("OWN", own);
    return text;
  };
  for (const auto& [own, other] : {std::pair{kMaxTokensField, kMaxCompletionTokensField},
                                   std::pair{kMaxCompletionTokensField, kMaxTokensField}}) {
    for (const auto& c : cases) {
      EXPECT_EQ(SentCapped(named(c.members, own, other), own),
                named(c.before, own, other) + R"(,"model":"up")" + named(c.after, own, other) + "}")
          << own << " " << c.members;
    }
  }
}

TEST(UpstreamChatTest, TheBudgetForThinkingStandsBesideTheCap) {
  const struct {
    const char *members, *before, *after;  // of the model
  } cases[] = {
      {"", "", R"(,"max_tokens":50,"thinking_budget":80)"},
      {R"(,"max_tokens":20)", R"(,"max_tokens":20)", R"(,"thinking_budget":80)"},
      {R"(, "thinking_budget" : 90)", R"(, "thinking_budget" : 80)", R"(,"max_tokens":50)"},
      {R"(,"thinking_budget":70)", R"(,"thinking_budget":70)", R"(,"max_tokens":50)"},
      {R"(,"thinking\u005fbudget":90)", R"(,"thinking\u005fbudget":80)", R"(,"max_tokens":50)"},
      // What names nothing, or by which some mean that nothing bounds it.
      {R"(,"thinking_budget":null)", R"(,"thinking_budget":80)", R"(,"max_tokens":50)"},
      {R"(,"thinking_budget":-1)", R"(,"thinking_budget":80)", R"(,"max_tokens":50)"},
      {R"(,"thinking_budget":0)", R"(,"thinking_budget":80)", R"(,"max_tokens":50)"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Sent(c.members, AnswerCap{50, kMaxTokensField, 80}),
              std::string(c.before) + R"(,"model":"up")" + c.after + "}")
        << c.members;
  }
  EXPECT_EQ(Sent(R"(,"thinking_budget":-1)"), R"(,"thinking_budget":-1,"model":"up"})");
}

// Without a cap there is nothing to tell.
TEST(UpstreamChatTest, WithoutACapTheFieldsAreTheClients) {
  EXPECT_EQ(Sent(R"(,"max_tokens":null,"max_completion_tokens":70)"),
            R"(,"max_tokens":null,"max_completion_tokens":70,"model":"up"})");
}

// Names by which a router behind a provider would choose another model, provider or price.
TEST(UpstreamChatTest, WhatChoosesElsewhereIsNeverSent) {
  const char* const values[] = {R"(["a","b"])", R"({"order":["x"],"a":[{"b":","}]})", "\"x,y\"",
                                "null", "1"};
  for (const char* name :
       {"plugins", "preset", "fallbacks", "fallback_models", "context_window_fallbacks",
        "content_policy_fallbacks", "model_list", "routing", "provider_options", "providerOptions",
        "user_config", "extra_body", "extra_query", "extra_headers"}) {
    for (const char* value : values) {
      const std::string member = "\"" + std::string(name) + "\" : " + value;
      EXPECT_EQ(Sent("," + member), R"(,"model":"up"})") << member;
      EXPECT_EQ(Sent(R"(,"x":1 , )" + member + R"( ,"y":2)"), R"(,"x":1 , "y":2,"model":"up"})")
          << member;
    }
  }
  // Those of them that are read here have to be what they are called.
  for (const char* member : {R"("models":["a","b"])", R"("models":null)", R"("route":"fallback")",
                             R"("provider":{"order":["x"],"a":[{"b":","}]})", R"("provider":{})",
                             R"("session_id":"s")"}) {
    EXPECT_EQ(Sent("," + std::string(member)), R"(,"model":"up"})") << member;
    EXPECT_EQ(Sent(R"(,"x":1 , )" + std::string(member) + R"( ,"y":2)"),
              R"(,"x":1 , "y":2,"model":"up"})")
        << member;
  }
  // What only looks like one stays.
  EXPECT_EQ(Sent(R"(,"my_models":[],"metadata":{"models":1},"top_a":[1])"),
            R"(,"my_models":[],"metadata":{"models":1},"top_a":[1],"model":"up"})");
}

// Wherever they stand, alone and in runs: what is left is the rest, whole.
TEST(UpstreamChatTest, AnyRunOfMembersIsLeftOut) {
  const std::string kept[] = {R"("model":"m")", R"("messages":[{"role":"user","content":"a"}])",
                              R"("stream":false)"};
  const std::string dropped[] = {R"("models":["b"])", R"("max_cost":1)", R"("provider":{"a":1})",
                                 R"("route":"fallback")"};
  // Every placing of the four among the five places around the three.
  for (int code = 0; code < 4 * 4 * 4 * 4; ++code) {
    std::string places[4];
    for (int i = 0, rest = code; i < 4; ++i, rest /= 4) {
      std::string& place = places[rest % 4];
      place += (place.empty() ? "" : " , ") + dropped[i];
    }
    std::string body = "{";
    std::string left = "{";
    for (int i = 0; i < 4; ++i) {
      if (i > 0) {
        body += (body.size() > 1 ? "," : "") + kept[i - 1];
        left += (left.size() > 1 ? "," : "") + kept[i - 1];
      }
      if (!places[i].empty()) body += (body.size() > 1 ? "," : "") + places[i];
    }
    body += "}";
    left += "}";
    left.replace(left.find("\"m\""), 3, "\"up\"");
    const Result<ParsedChat> parsed = ReadChat(body);
    ASSERT_TRUE(parsed.has_value()) << body;
    EXPECT_EQ(BuildUpstreamChat(body, parsed->chat, "up"), left) << body;
  }
}

// More edits than any request has in practice, all of them made.
TEST(UpstreamChatTest, EveryEditIsMadeAtOnce) {
  std::string members;
  for (const char* name :
       {"plugins", "preset", "fallbacks", "fallback_models", "context_window_fallbacks",
        "content_policy_fallbacks", "model_list", "routing", "provider_options", "providerOptions",
        "user_config", "extra_body", "extra_query", "extra_headers", "max_cost"}) {
    members += ",\"x" + std::string(name) + "\":0,\"" + name + "\":1";
  }
  members += R"(,"models":["b"],"route":"fallback","provider":{"zdr":true},"session_id":"s")";
  members += R"(,"stream":true,"max_tokens":70,"max_completion_tokens":90)";
  const std::string sent = SentCapped(members, kMaxTokensField);
  EXPECT_EQ(sent.find(":1"), std::string::npos) << sent;
  EXPECT_NE(sent.find(R"(,"stream":true,"max_tokens":50,"max_completion_tokens":50,"model":"up",)"
                      R"("stream_options":{"include_usage":true}})"),
            std::string::npos)
      << sent;
}

TEST(UpstreamChatTest, LeavesStreamOptionsOutWhereTheyAreNotTaken) {
  const struct {
    const char* body;
    const char* sent;
  } cases[] = {
      {R"({"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]})",
       R"({"model":"up","stream":true,"messages":[{"role":"user","content":"x"}]})"},
      {R"({"stream_options":{"include_usage":true},"model":"m","stream":true,"messages":)"
       R"([{"role":"user","content":"x"}]})",
       R"({"model":"up","stream":true,"messages":[{"role":"user","content":"x"}]})"},
      {R"({"model":"m","stream":true,"messages":[{"role":"user","content":"x"}],)"
       R"("stream\u005foptions" : { } })",
       R"({"model":"up","stream":true,"messages":[{"role":"user","content":"x"}] })"},
      {R"({"model":"m","stream":true,"stream_options":null,"messages":[{"role":"user",)"
       R"("content":"x"}]})",
       R"({"model":"up","stream":true,"messages":[{"role":"user","content":"x"}]})"},
  };
  for (const auto& c : cases) {
    const auto request = ReadChat(c.body);
    ASSERT_TRUE(request.has_value()) << c.body << request.error().message;
    EXPECT_EQ(BuildUpstreamChat(c.body, request->chat, "up", std::nullopt, StreamUsage::kUnasked),
              c.sent);
  }
}

// What is sent of `members`, and the fields of which nothing became.
std::string SentAs(std::string_view members, ReasoningForm form) {
  const std::string body = std::string(kMessages) + std::string(members) + R"(,"model":"m"})";
  const Result<ParsedChat> parsed = ReadChat(body);
  EXPECT_TRUE(parsed.has_value()) << body;
  if (!parsed) return {};
  const std::string out =
      BuildUpstreamChat(body, parsed->chat, "up", std::nullopt, StreamUsage::kAsked, form);
  EXPECT_TRUE(CheckJson(out).ok()) << out;
  constexpr std::string_view kModel = R"(,"model":"up"})";
  EXPECT_TRUE(out.starts_with(kMessages) && out.ends_with(kModel)) << out;
  return out.substr(kMessages.size(), out.size() - kMessages.size() - kModel.size()) + '|' +
         IgnoredFields(parsed->chat, form);
}

TEST(UpstreamChatTest, WhatAModelRefusesIsLeftOutWhereItIsToBe) {
  const struct {
    const char *members, *sent, *named;
  } cases[] = {
      {R"("temperature":0.5,)", "", "temperature"},
      {R"("seed":1, "temperature" : 0.5 ,"stop":"a",)", R"("seed":1, "stop":"a",)", "temperature"},
      {R"("logit_bias":{"1":-1,"temperature":2},"logprobs":true,)", "", "logprobs, logit_bias"},
      {R"("temperature":null,"top_p":1,)", R"("top_p":1,)", ""},
      {R"("logprobs":false,)", "", "logprobs"},
      {R"("metadata":{"temperature":"1"},)", R"("metadata":{"temperature":"1"},)", ""},
      {R"("max_cost":1,"temperature":1,"plugins":[1],)", "", "plugins, temperature"},
  };
  DroppedFields dropped;
  for (const char* name : {"temperature", "logprobs", "logit_bias"}) {
    dropped.set(*RefusableNamed(name));
  }
  for (const auto& c : cases) {
    const std::string rest = R"("model":"m","messages":[{"role":"user","content":"hi"}]})";
    const std::string body = "{" + std::string(c.members) + rest;
    const Result<ParsedChat> request = ReadChat(body);
    ASSERT_TRUE(request.has_value()) << body << request.error().message;
    const auto sent = [&](const DroppedFields& fields) {
      return BuildUpstreamChat(body, request->chat, "m", std::nullopt, StreamUsage::kAsked,
                               ReasoningForm::kEffort, fields);
    };
    EXPECT_EQ(sent(dropped), "{" + std::string(c.sent) + rest);
    EXPECT_EQ(IgnoredFields(request->chat, ReasoningForm::kEffort, dropped), c.named) << body;
    if (request->chat.unsent.empty()) {
      EXPECT_EQ(sent({}), body);
    }
  }
  DroppedFields all;
  all.set();
  std::string members;
  for (const std::string_view name : kRefusable) {
    members += '"' + std::string(name) + "\":null,";
  }
  const std::string body =
      "{" + members + R"("model":"m","messages":[{"role":"user","content":"hi"}]})";
  const Result<ParsedChat> request = ReadChat(body);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(BuildUpstreamChat(body, request->chat, "m", std::nullopt, StreamUsage::kAsked,
                              ReasoningForm::kEffort, all),
            R"({"model":"m","messages":[{"role":"user","content":"hi"}]})");
}

TEST(UpstreamChatTest, ReasoningIsToldInTheFieldThatTheProviderTakes) {
  using enum ReasoningForm;
  const struct {
    const char *members, *effort, *object, *none;
  } cases[] = {
      {"", "|", "|", "|"},
      {R"(,"reasoning" : {"effort":"high"})", R"(,"reasoning_effort":"high"|)",
       R"(,"reasoning" : {"effort":"high"}|)", "|reasoning"},
      // Bytes of the client: no word is known better here.
      {R"(,"reasoning":{"effort":"\u0078high","max_tokens":null})",
       R"(,"reasoning_effort":"\u0078high"|)",
       R"(,"reasoning":{"effort":"\u0078high","max_tokens":null}|)", "|reasoning"},
      // Half of it is told, and half is named.
      {R"(,"reasoning":{"effort":"low","exclude":true},"seed":1)",
       R"(,"reasoning_effort":"low","seed":1|reasoning)",
       R"(,"reasoning":{"effort":"low","exclude":true},"seed":1|)", R"(,"seed":1|reasoning)"},
      {R"(,"reasoning":{"max_tokens":2000})", "|reasoning", R"(,"reasoning":{"max_tokens":2000}|)",
       "|reasoning"},
      {R"(,"reasoning":{"enabled":false})", "|reasoning", R"(,"reasoning":{"enabled":false}|)",
       "|reasoning"},
      // What is done anyway is no word worth.
      {R"(,"reasoning":{"enabled":true,"exclude":false})", "|",
       R"(,"reasoning":{"enabled":true,"exclude":false}|)", "|"},
      {R"(,"reasoning":{ })", "|", R"(,"reasoning":{ }|)", "|"},
      {R"(,"reasoning":null)", "|", R"(,"reasoning":null|)", "|"},
      {R"(,"reasoning":"high")", "|reasoning", R"(,"reasoning":"high"|)", "|reasoning"},
      {R"(,"reasoning":{"effort":3,"x":{"effort":"low"}})", "|reasoning",
       R"(,"reasoning":{"effort":3,"x":{"effort":"low"}}|)", "|reasoning"},
      // OpenAI's own field is stronger, unless it is null.
      {R"(,"reasoning":{"effort":"low"},"reasoning_effort":"high")",
       R"(,"reasoning_effort":"high"|reasoning)",
       R"(,"reasoning":{"effort":"low"},"reasoning_effort":"high"|)",
       R"(,"reasoning_effort":"high"|reasoning)"},
      {R"(,"reasoning_effort":null,"reasoning":{"effort":"low"})", R"(,"reasoning_effort":"low"|)",
       R"(,"reasoning_effort":null,"reasoning":{"effort":"low"}|)",
       R"(,"reasoning_effort":null|reasoning)"},
      {R"(,"include_reasoning":true)", "|", R"(,"include_reasoning":true|)", "|"},
      {R"(,"include_reasoning":false)", "|include_reasoning", R"(,"include_reasoning":false|)",
       "|include_reasoning"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(SentAs(c.members, kEffort), c.effort) << c.members;
    EXPECT_EQ(SentAs(c.members, kObject), c.object) << c.members;
    EXPECT_EQ(SentAs(c.members, kNone), c.none) << c.members;
  }
}

TEST(UpstreamChatTest, OpenRoutersOtherFieldsAreNotSentAndNamedWhereTheyAskForSomething) {
  const struct {
    const char *members, *sent;
  } cases[] = {
      {R"(,"usage":{"include":true})", "|"},  // every answer has it
      {R"(,"transforms":["middle-out"])", "|transforms"},
      {R"(,"transforms":[],"models":null,"provider":{})", "|"},
      {R"(,"models":["a","b"],"top_k":3,"route":"fallback","provider":{"order":["x"]})",
       R"(,"top_k":3|)"},
      {R"(,"provider":{"order":["x"],"experimental":{"a":1}})", "|provider"},
      {R"(,"plugins":[{"id":"web"}],"usage":{},"transforms":["x"],"reasoning":{"effort":"low"})",
       R"(,"reasoning_effort":"low"|plugins, transforms)"},
  };
  for (const auto& c : cases) EXPECT_EQ(SentAs(c.members, ReasoningForm::kEffort), c.sent);
}

}  // namespace
}  // namespace seekroute
