// What is held for members that nobody knows: by their bytes, unless something in them can stand
// for more. Against tables of what agents send, and of what media come as.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "gateway/spend_bound.h"
#include "testing/read_chat.h"
#include "testing/routes.h"
#include "wire/openai/chat_prompt.h"
#include "wire/openai/prompt_parts.h"

namespace seekroute {
namespace {

using testing::ReadChat;
using testing::RouteTo;

// One content part, field, member of the message or entry of `tools` beside "hi".
struct Beside {
  std::string_view part, field, member, tool;
};

std::string BodyWith(const Beside& beside) {
  const auto after = [](std::string_view comma, std::string_view text) {
    return text.empty() ? std::string() : std::string(comma) + std::string(text);
  };
  return R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"})" +
         after(",", beside.part) + "]" + after(",", beside.member) + "}]" +
         after(",", beside.field) +
         (beside.tool.empty() ? "" : R"(,"tools":[)" + std::string(beside.tool) + "]") + "}";
}

// In tokens.
int64_t HeldFor(const std::string& body, bool strict) {
  const auto request = ReadChat(body);
  EXPECT_TRUE(request.has_value()) << body.substr(0, 300);
  if (!request) return 0;
  GatewayOptions options;
  options.strict_bound = strict;
  const Model model{.id = "a/m", .endpoints = {Endpoint()}};
  return SpendBound(request->ask, RouteTo(model), options, {}).besides().prompt;
}

TEST(HoldReferencesTest, WhatAgentsSendCountsByItsBytes) {
  const Beside cases[] = {
      // History as SDKs and frameworks dump it.
      {.member = R"("provider_specific_fields":{"citations":null,"thinking_blocks":null})"},
      {.member = R"("provider_specific_fields":{"refusal":null,"reasoning":"because"})"},
      {.member = R"("images":[])"},
      {.member = R"("attachments":[])"},
      {.member = R"("audio":{})"},
      {.member = R"("files":"")"},
      {.member = R"("extra_content":{"google":{"thought_signature":"CiQB0e2Kb+8/abc=="}})"},
      {.member = R"("parsed":{"answer":42,"url":"https://x/y"})"},
      {.member = R"("citations":["https://x/y","https://x/z"])"},
      {.member = R"("search_results":[{"title":"t","url":"https://x/y","date":null}])"},
      {.member = R"("reasoning_text":"see https://x/y")"},
      {.member = R"("reasoning_opaque":"iVBORzz")"},
      {.member = R"("channel":"final","recipient":"all")"},
      {.member = R"("parts":[{"type":"text","text":"hi, see https://x/y"}])"},
      {.member = R"("createdAt":"2025-01-01T00:00:00.000Z")"},
      {.member = R"("status":"success","is_error":false,"artifact":null)"},
      {.member = R"("padding":"abcdef","note":"look at https://x/y when you can")"},
      {.member = R"("tool_calls":[{"id":"c","type":"function","function":{"name":"fetch",)"
                 R"("arguments":"{\"url\":\"https://x/y\"}"}}])"},
      {.member = R"("annotations":[{"type":"url_citation","url_citation":{"url":"https://x/y",)"
                 R"("title":"t","start_index":1,"end_index":2}}])"},
      {.member = R"("thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"s"}])"},
      // Citations, nested and flat, whatever comes first in them.
      {.member = R"("annotations":[{"type":"file_citation","text":"[1]","file_citation":)"
                 R"({"file_id":"file-abc","quote":"q"},"start_index":1,"end_index":2}])"},
      {.member = R"("annotations":[{"type":"file_path","text":"sandbox:/mnt/data/a.csv",)"
                 R"("file_path":{"file_id":"file-abc"}}])"},
      {.member = R"("annotations":[{"type":"url_citation","url":"https://x/y.pdf","title":"t"},)"
                 R"({"end_index":2,"start_index":1,"title":"t","url":"https://x/z",)"
                 R"("type":"url_citation"}])"},
      {.member = R"("annotations":[{"file_id":"file-abc","filename":"a.pdf","index":3,)"
                 R"("type":"file_citation"},{"container_id":"cntr_1","file_id":"cfile_1",)"
                 R"("type":"container_file_citation"}])"},
      {.member = R"("extras":[{"type":"file_path"},{"type":"vs_x"},{"type":"resp_x"}])"},
      {.member = R"("not_invented_yet":true)"},
      {.member = R"("not_invented_yet":{"a":[1,2,3],"b":"plain"})"},
      // Content parts of other APIs.
      {.part = R"({"type":"thinking","thinking":"hm","signature":"EqQBCgIYAhIM"})"},
      {.part = R"({"type":"thinking","thinking":[{"type":"text","text":"hm"}],"closed":true})"},
      {.part = R"({"type":"redacted_thinking","data":"EmwKAhgBEgy3va3"})"},
      {.part = R"({"type":"reasoning","text":"hm"})"},
      {.part = R"({"type":"output_text","text":"hi","annotations":[]})"},
      {.part = R"({"type":"output_text","text":"hi","annotations":[{"type":"url_citation",)"
               R"("url":"https://x/y","title":"t","start_index":1,"end_index":2}]})"},
      {.part = R"({"annotations":[{"file_id":"file-abc","type":"file_citation"}],"text":"hi",)"
               R"("type":"output_text"})"},
      {.part = R"({"type":"input_text","text":"hi"})"},
      {.part = R"({"type":"tool_use","id":"t","name":"fetch","input":{"url":"https://x/y"}})"},
      {.part = R"({"type":"tool_result","tool_use_id":"t","content":"ok","is_error":false})"},
      {.part = R"({"type":"tool_result","tool_use_id":"t","content":[{"type":"text",)"
               R"("text":"https://x/y"}]})"},
      {.part = R"({"type":"tool_result","content":"{\"url\":\"https://x/y\"}"})"},
      {.part = R"({"type":"tool-result","toolCallId":"t","output":{"type":"text","value":"v"}})"},
      {.part = R"({"type":"text","text":"a","cacheControl":{"type":"ephemeral"}})"},
      {.part = R"({"type":"text","text":"a","providerOptions":{"x":{"y":1}}})"},
      {.part = R"({"type":"text","text":"a","extras":{},"image_url":{},"video":[]})"},
      // Tools.
      {.tool = R"({"type":"function","function":{"name":"f"},"defer_loading":true})"},
      {.tool = R"({"type":"function","function":{"name":"f"},"allowed_callers":["x_2025"]})"},
      {.tool = R"({"type":"function","function":{"name":"f"},"metadata":{"a":1}})"},
      {.tool = R"({"type":"function","function":{"name":"f"},"title":"F","id":"t"})"},
      {.tool = R"({"name":"f","inputSchema":{"type":"object"},"annotations":{"title":"t"}})"},
      {.tool = R"({"type":"function","function":{"name":"f"},"eager_input_streaming":true})"},
      {.tool = R"({"name":"f","inputSchema":{},"_meta":{},"icons":[],"execution":{}})"},
      {.tool = R"({"name":"f","inputSchema":{},"_meta":{"a":"b"},"icons":[{"src":"https://x"}]})"},
      {.tool = R"({"type":"function","function":{"name":"f"},"enabled":true,"version":"1.0"})"},
      {.tool = R"({"type":"function","function":{"name":"f"},"not_invented_yet":{},"x":[]})"},
      // Fields.
      {.field = R"("timings_per_token":true)"},
      {.field = R"("safe_prompt":true)"},
      {.field = R"("return_images":true)"},
      {.field = R"("return_related_questions":true)"},
      {.field = R"("search_mode":"academic")"},
      {.field = R"("search_recency_filter":"month")"},
      {.field = R"("search_domain_filter":["a.com","b.com","https://c.com","d.com","-e.com"])"},
      {.field = R"("cache_control":{"type":"ephemeral","ttl":"1h"})"},
      {.field = R"("trace":{"trace_id":"1","trace_name":"x"})"},
      {.field = R"("drop_params":true)"},
      {.field = R"("tags":["a","b","c"])"},
      {.field = R"("betas":["files-api-2025-04-14"])"},
      {.field = R"("mcp_servers":[])"},
      {.field = R"("bad_words":[])"},
      {.field = R"("files":[],"tool_resources":{},"data_sources":[])"},
      {.field = R"("samplers":["penalties","dry","top_n_sigma","top_k","typ_p","top_p","min_p"])"},
      {.field = R"("dry_sequence_breakers":["\n",":","\"","*"])"},
      {.field = R"("mm_processor_kwargs":{"fps":1})"},
      {.field = R"("options":{"num_ctx":8192},"format":"json")"},
      {.field = R"("litellm_metadata":{"a":1},"litellm_session_id":"s")"},
      // Of the caller, and not for the model.
      {.field = R"("http_referer":"https://x/y","site_url":"https://x","site_name":"n")"},
      {.field = R"("HTTP-Referer":"https://x/y","X-Title":"t")"},
      {.field = R"("webhook_url":"https://x/y","callback_url":"https://x/z")"},
      {.field = R"("webhook":{"url":"https://x/y"},"webhooks":["https://x/y"])"},
      {.field = R"("litellm_metadata":{"source":"https://x/y","files":["file-abc"]})"},
      {.field = R"("system":"You are https://x/y","instructions":"x","input":"x")"},
      {.field = R"("context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]})"},
      {.field = R"("features":{"web_search":false},"vl_high_resolution_images":true)"},
      {.field = R"("not_invented_yet":true)"},
      {.field = R"("not_invented_yet":"0123456789")"},
  };
  for (const bool strict : {false, true}) {
    const int64_t plain = HeldFor(BodyWith({}), strict);
    for (const Beside& beside : cases) {
      const std::string body = BodyWith(beside);
      const auto bytes = static_cast<int64_t>(body.size() - BodyWith({}).size());
      const int64_t around = beside.tool.empty() ? 0 : kToolPreambleTokens;
      EXPECT_LE(HeldFor(body, strict) - plain, bytes + 20 + around) << body;
    }
  }
}

TEST(HoldReferencesTest, WhatCanStandForMediaIsHeldForAtItsWorst) {
  const struct {
    Beside beside;
    int64_t media = 1;
  } cases[] = {
      // By the form of a string, whatever the names.
      {{.member = R"("x":"https://x/y")"}},
      {{.member = R"("x":" HTTPS://x/y")"}},
      {{.member = R"("x":"data:image/png;base64,AAAA")"}},
      {{.member = R"("x":{"y":[{"z":"gs://bucket/x.mp4"}]})"}},
      {{.member = R"("x":["https://x/a","plain","https://x/b"])"}, 2},
      {{.member = R"("x":"iVBORw0KGgo=")"}},
      {{.member = R"("x":"/9j/4AAQSkZJRg")"}},
      {{.member = R"("x":"JVBERi0xLjQK")"}},
      {{.member = R"("x":["file-abc","vs_abc"])"}, 2},
      {{.member = R"j("x":"![](https://x/y)")j"}},
      {{.member = R"("x":{"mime":"video/mp4","y":"AAAA"})"}},
      // By a name, however deep.
      {{.member = R"("picture":"a")"}},
      {{.member = R"("imageUrls":["a","b","c"])"}, 3},
      {{.member = R"("files":[{"name":"a"},{"name":"b"}])"}, 2},
      {{.member = R"("x":{"source":{"id":"a"}})"}},
      {{.member = R"("x":{"y":{"FileId":"a"}})"}},
      {{.member = R"("x":[{"type":"image","y":"a"},{"type":"video","y":"b"}])"}, 2},
      {{.member = R"("parts":[{"type":"file","id":"a"}])"}},
      {{.member = R"("parts":[{"inline_data":{"mime_type":"image/png","data":"AAAA"}}])"}},
      {{.member = R"("provider_specific_fields":{"images":[{"id":"a"}]})"}},
      // What annotations carry beside citations.
      {{.member = R"("annotations":[{"type":"file","file":{"hash":"h","content":[)"
                  R"({"type":"image_url","image_url":{"url":"https://x/1"}},)"
                  R"({"type":"image_url","image_url":{"url":"https://x/2"}}]}}])"},
       2},
      {{.member = R"("annotations":[{"type":"url_citation","url":"https://x/y"},)"
                  R"({"type":"file","file":{"id":"a"}},{"url":"https://x/z"},"https://x/u"])"},
       3},
      {{.member = R"("sources":[{"type":"url_citation","url":"https://x/y"}])"}},
      {{.part = R"({"type":"text","text":"a","annotations":[{"url":"https://x/1"}]})"}},
      {{.part = R"({"type":"text","text":"a","annotations":[{"type":"image_url",)"
                R"("image_url":{"url":"https://x/1"}}]})"}},
      {{.part =
            R"({"type":"thinking","thinking":[{"type":"image_url","image_url":{"url":"u"}}]})"}},
      {{.part = R"({"type":"tool_result","content":[{"type":"image","source":{"type":"base64",)"
                R"("media_type":"image/png","data":"AAAA"}}]})"}},
      {{.part = R"({"type":"tool_result","content":[{"type":"document","title":"t"}]})"}},
      {{.part = R"({"type":"text","text":"a","video":"b"})"}},
      // Services, whatever they are given.
      {{.field = R"("enable_grounding":true)"}},
      {{.field = R"("webSearch":{})"}},
      {{.field = R"("x":{"enable_search":true})"}},
      {{.field = R"("x":{"web_search":{}})"}},
      {{.field = R"("use_rag":true)"}},
      {{.field = R"("knowledge_base":"a")"}},
      {{.field = R"("connectors":[{"id":"a"},{"id":"b"}])"}, 2},
      {{.field = R"("mcp_servers":[{"type":"url","url":"https://x/y"}])"}},
      {{.field = R"("tool_resources":{"file_search":{"vector_store_ids":["a"]}})"}},
      {{.field = R"("assistant_id":"a")"}},
      {{.field = R"("previousResponseId":"a")"}},
      {{.field = R"("input":[{"type":"input_image","image_url":"a"}])"}},
      {{.field = R"("system":"https://x/y")"}},
      {{.tool = R"({"type":"function","function":{"name":"f"},"not_invented_yet":{"a":{}}})"}},
      {{.tool = R"({"type":"function","function":{"name":"f"},"not_invented_yet":["a"]})"}},
      {{.tool = R"({"type":"function","function":{"name":"f"},"not_invented_yet":"vs_1"})"}},
      {{.tool = R"({"type":"function","function":{"name":"f"},"grounding":true})"}},
      {{.tool = R"({"type":"function","function":{"name":"f"},"knowledge":"a"})"}},
      {{.tool = R"({"name":"f","url_context":{},"google_search":{}})"}, 2},
      {{.tool = R"({"not_invented_yet":{}})"}},
      {{.tool = R"({"type":"not_invented_yet"})"}},
      {{.tool = R"({"type":"code_execution_20250522","name":"code_execution"})"}},
      {{.tool = R"({"type":"web_fetch_20250910","name":"web_fetch"})"}},
      {{.tool = R"({"type":"memory_search"})"}},
      {{.tool = R"({"type":"computer_20250124","name":"computer","search":true})"}},
      {{.tool = R"({"type":"shell","environment":{"type":"container_auto"}})"}},
      {{.tool = R"({"type":"function","function":{"name":"f"},"codeExecution":true})"}},
      {{.tool = R"({"type":"web_search","metadata":{}})"}},
  };
  for (const bool strict : {false, true}) {
    const int64_t plain = HeldFor(BodyWith({}), strict);
    for (const auto& c : cases) {
      const std::string body = BodyWith(c.beside);
      EXPECT_GE(HeldFor(body, strict) - plain, c.media * kUnsizedTokens) << body;
      EXPECT_EQ(ReadChat(body)->ask.other_kinds, c.beside.tool.empty()) << body;
    }
  }
}

// The client runs these: the provider adds a description of its own, and fetches nothing.
TEST(HoldReferencesTest, ToolsOfTheClientAreHeldForByTheirDescription) {
  const char* const types[] = {
      "bash_20250124",        "text_editor_20250728", "text_editor_20241022",
      "computer_20250124",    "memory_20250818",      "str_replace_based_edit_tool",
      "computer_use_preview", "local_shell",          "shell",
      "apply_patch"};
  for (const bool strict : {false, true}) {
    const int64_t plain = HeldFor(BodyWith({}), strict);
    for (const std::string type : types) {
      const std::string tool = R"({"type":")" + type + R"(","name":"n","display_width_px":1024})";
      const std::string body = BodyWith({.tool = tool});
      const int64_t held = HeldFor(body, strict) - plain - kToolPreambleTokens;
      EXPECT_GE(held, 1024) << type;
      EXPECT_LE(held, 1024 + static_cast<int64_t>(tool.size()) + 20) << type;
      EXPECT_GE(HeldFor(BodyWith({.tool = tool + "," + tool}), strict) - plain, 2 * 1024) << type;
      const auto request = ReadChat(body);
      EXPECT_EQ(request->ask.unsized_parts, 0) << type;
    }
  }
}

// What was read of a file comes back with the history: as text, beside what stands for the file.
TEST(HoldReferencesTest, TheTextOfAFileIsText) {
  std::string parts;
  for (int i = 0; i < 20; ++i) parts += R"({"type":"text","text":"https://x/y"},)";
  const std::string file = R"("annotations":[{"type":"file","file":{"hash":"h","name":"x.pdf",)"
                           R"("content":[)" +
                           parts + R"({"type":"image_url","image_url":{"url":"https://x/1"}}]}}])";
  for (const bool strict : {false, true}) {
    const int64_t held =
        HeldFor(BodyWith({.member = file}), strict) - HeldFor(BodyWith({}), strict);
    EXPECT_GE(held, 2 * kUnsizedTokens);
    EXPECT_LT(held, 5 * kUnsizedTokens);
  }
}

// A data URL says of what type it is; base64 alone says nothing.
TEST(HoldReferencesTest, OnlyPicturesAreHeldForAsPictures) {
  const std::string base64(3'000'000, 'A');
  const auto size = static_cast<int64_t>(base64.size());
  const struct {
    std::string url;
    bool picture;
  } cases[] = {
      {"data:image/png;base64," + base64, true},
      {" DATA:Image/PNG;base64," + base64, true},
      {"https://x/y.png?" + base64, true},
      {"https://x/y", true},  // what an address holds, nobody knows, unless its name says so
      {"data:application/pdf;base64," + base64, false},
      {"Data:Application/PDF;base64," + base64, false},
      {" data:audio/mp3;base64," + base64, false},
      {"data:video/mp4;base64," + base64, false},
      {"data:text/plain;image/png," + base64, false},
      {"data:;base64," + base64, false},
      {base64, false},
  };
  for (const bool strict : {false, true}) {
    const int64_t plain = HeldFor(BodyWith({}), strict);
    for (const auto& c : cases) {
      for (const std::string_view form :
           {R"({"type":"image_url","image_url":{"url":")", R"({"type":"image_url","image_url":")",
            R"({"type":"input_image","image_url":")",
            R"({"type":"image_url","image_url":{"detail":"low","url":")"}) {
        const std::string part = std::string(form) + c.url +
                                 (form.find("\":{\"") != std::string_view::npos ? "\"}}" : "\"}");
        const std::string body = BodyWith({.part = part});
        const int64_t held = HeldFor(body, strict) - plain;
        EXPECT_GE(held, c.picture ? kMostPictureTokens : kUnsizedTokens) << part.substr(0, 80);
        EXPECT_EQ(held >= size, !c.picture) << part.substr(0, 80);
        EXPECT_EQ(ReadChat(body)->ask.other_kinds, !c.picture);
      }
    }
  }
}

// Templates write such JSON in forms of their own: indented, or as something shorter.
TEST(HoldReferencesTest, DefinitionsOfToolsAreHeldForByTwiceTheirEstimate) {
  std::string tools;
  for (int i = 0; i < 40; ++i) {
    tools += std::string(i > 0 ? "," : "") + R"({"type":"function","function":{"name":"tool_)" +
             std::to_string(i) +
             R"(","description":"Looks up the orders of a customer and says when they arrive.",)"
             R"("parameters":{"type":"object","properties":{"customer":{"type":"string",)"
             R"("description":"The number that the customer was given."},"days":{"type":)"
             R"("integer","minimum":1}},"required":["customer"],"additionalProperties":false}}})";
  }
  const auto bytes = static_cast<int64_t>(tools.size());
  const std::string schema =
      R"({"type":"json_schema","json_schema":{"name":"s","schema":{"anyOf":[)" + tools + "]}}}";
  for (const std::string& field : {R"("tools":[)" + tools + "]", R"("functions":[)" + tools + "]",
                                   R"("response_format":)" + schema}) {
    const std::string body = BodyWith({.field = field});
    const int64_t expected = EstimateChatPrompt(body).tokens;
    EXPECT_GE(HeldFor(body, false), 2 * expected);
    EXPECT_LE(HeldFor(body, false), 3 * expected);
    EXPECT_GE(HeldFor(body, true), bytes);
  }
  // Outside ASCII vocabularies differ more: there each byte counts.
  std::string greek;
  for (int i = 0; i < 500; ++i) greek += "\xce\xbb";
  const std::string described =
      R"({"type":"function","function":{"name":"f","description":")" + greek + R"("}})";
  EXPECT_GE(HeldFor(BodyWith({.tool = described}), false), 1000);
}

}  // namespace
}  // namespace seekroute
