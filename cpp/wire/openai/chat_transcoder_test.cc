// A try at an OpenAI-compatible upstream, through the Transcoder's interface alone: whatever form
// its answer has, and wherever its bytes are cut, the client gets the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "testing/transcoder_cuts.h"
#include "wire/openai/parsed_chat.h"
#include "wire/protocols/protocols.h"

namespace seekroute {
namespace {

using testing::Ended;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Relay;
using testing::SameAtEveryCut;
using State = Transcoder::State;

constexpr size_t kMostAnswerBytes = 2048;

class Asked : public testing::AskedOfDialect {
 public:
  explicit Asked(const std::string& members, DialectId dialect = DialectId::kOpenAiChat)
      : AskedOfDialect(
            SurfaceId::kChat, dialect,
            R"({"model":"m","messages":[{"role":"user","content":"draw a cat"}])" + members + "}") {
    plan.names.repeats_reasoning = true;
    plan.max_answer_bytes = kMostAnswerBytes;
    report.usage.prompt = 3;
    report.usage.completion = 2;
  }
};

std::string Chunk(std::string_view delta, std::string_view finish, std::string_view more = "") {
  return R"(data: {"id":"up","object":"chat.completion.chunk","created":5,"model":"x","choices":)"
         R"([{"index":0,"delta":)" +
         std::string(delta) + R"(,"finish_reason":)" + std::string(finish) + "}]" +
         std::string(more) + "}\n\n";
}

constexpr std::string_view kUsage = R"(,"usage":{"prompt_tokens":11,"completion_tokens":7})";

std::string Stream() {
  return ": hello\n\n" + Chunk(R"({"role":"assistant","content":""})", "null") +
         Chunk(R"({"content":"a cat"})", "null") +
         Chunk(R"({"content":" sat"})", "null", R"(,"service_tier":"flex")") +
         Chunk("{}", R"("stop")", kUsage) + "data: [DONE]\n\n";
}

std::string Whole(std::string_view more = "") {
  return R"({"id":"up","object":"chat.completion","created":5,"model":"x","choices":[{"index":0,)"
         R"("message":{"role":"assistant","content":"a cat sat"},"finish_reason":"stop")" +
         std::string(more) + "}]" + std::string(kUsage) + R"(,"service_tier":"flex"})";
}

constexpr std::string_view kBom = "\xEF\xBB\xBF";
const std::string kStreamed = R"(,"stream":true)";

TEST(ChatTranscoder, SaysTheRequestInTheFormOfTheEndpoint) {
  Asked asked(R"(,"max_tokens":500,"temperature":0.5,"reasoning":{"effort":"low"},"stream":true)");
  asked.form.cap_field = kMaxCompletionTokensField;
  asked.form.dropped.set(*RefusableNamed("temperature"));
  asked.form.reasoning = ReasoningForm::kNone;
  asked.plan.cap = AnswerCap{64, kMaxCompletionTokensField};
  const std::unique_ptr<Transcoder> way = asked.Open();
  EXPECT_EQ(way->Ignored(), "temperature, reasoning");
  EXPECT_TRUE(way->streams());
  const UpstreamRequest call = way->TakeRequest();
  EXPECT_EQ(call.path, "/chat/completions");
  EXPECT_THAT(call.headers, ::testing::ElementsAre("Accept: text/event-stream"));
  EXPECT_THAT(call.body, HasSubstr(R"("model":"up")"));
  EXPECT_THAT(call.body, HasSubstr(R"("max_completion_tokens":64)"));
  EXPECT_THAT(call.body, HasSubstr(R"("stream_options":{"include_usage":true})"));
  EXPECT_THAT(call.body, Not(HasSubstr("temperature")));
  EXPECT_THAT(call.body, Not(HasSubstr("reasoning")));
}

// A refusal is of the member that was added, or of something else.
TEST(ChatTranscoder, KnowsWhatOfItsRequestIsItsOwn) {
  Error refusal = MakeError(ErrorCode::kUpstreamInvalidRequest, "no");
  refusal.said_by_upstream = true;
  refusal.words = "Unknown parameter: 'stream_options'";
  struct Case {
    std::string members;
    Asking usage;
    bool adds;
  };
  const std::string own = R"(,"stream":true,"stream_options":{"include_usage":true})";
  for (const Case& c : {Case{"", Asking::kYes, false}, Case{kStreamed, Asking::kYes, true},
                        Case{kStreamed, Asking::kNo, false}, Case{own, Asking::kYes, false},
                        Case{own, Asking::kAgain, true}}) {
    Asked asked(c.members);
    asked.plan.usage = c.usage;
    const std::unique_ptr<Transcoder> way = asked.Open();
    EXPECT_EQ(way->adds_member(), c.adds) << c.members;
    EXPECT_EQ(way->RefusesAdded(refusal), c.adds) << c.members;
    const bool sent = c.usage != Asking::kNo && c.members != "";
    EXPECT_EQ(way->TakeRequest().body.find("stream_options") != std::string::npos, sent);
  }
  const Asked streamed(kStreamed);
  const std::unique_ptr<Transcoder> way = streamed.Open();
  refusal.words = "Unknown parameter: 'temperature'";
  EXPECT_FALSE(way->RefusesAdded(refusal));
}

TEST(ChatTranscoder, RefusesARequestOfAnotherSurface) {
  for (const DialectId dialect : {DialectId::kOpenAiChat, DialectId::kOpenAiImages}) {
    Asked asked("", dialect);
    asked.plan.surface = SurfaceId::kEmbeddings;
    const Result<std::unique_ptr<Transcoder>> way = asked.TryOpen();
    ASSERT_FALSE(way.has_value());
    EXPECT_EQ(way.error().code, ErrorCode::kNoMatchingEndpoint);
  }
}

TEST(ChatTranscoder, RelaysAStreamThatWasAskedFor) {
  for (const std::string usage : {"", R"(,"stream_options":{"include_usage":true})"}) {
    const Ended ended = SameAtEveryCut(Asked(kStreamed + usage), Stream(), "text/event-stream");
    EXPECT_THAT(ended.out, HasSubstr(R"("id":"gen-1")"));
    EXPECT_TRUE(ended.out.ends_with("data: [DONE]\n\n"));
    EXPECT_THAT(ended.known, HasSubstr("prompt 11 completion 7"));
    EXPECT_THAT(ended.known, HasSubstr("usage_whole 1 streamed 1 any 1 finish stop tier flex"));
  }
  // Its bytes say what it is, however it is labelled.
  EXPECT_EQ(SameAtEveryCut(Asked(kStreamed), std::string(kBom) + Stream(), "text/plain").out,
            Relay(Asked(kStreamed), Stream(), "text/event-stream").out);
}

TEST(ChatTranscoder, RelaysAWholeAnswerByteForByte) {
  const Ended ended = SameAtEveryCut(Asked(""), Whole());
  EXPECT_EQ(ended.out, R"({"id":"gen-1","object":"chat.completion","created":5,"model":"m/n",)"
                       R"("choices":[{"index":0,"message":{"role":"assistant","content":)"
                       R"("a cat sat"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,)"
                       R"("completion_tokens":2,"total_tokens":5},"service_tier":"flex"})");
  EXPECT_THAT(ended.known, HasSubstr("prompt 11 completion 7"));
  EXPECT_THAT(ended.known, HasSubstr("usage_whole 0 streamed 0 any 1 finish stop tier flex"));
  EXPECT_EQ(SameAtEveryCut(Asked(""), std::string(kBom) + Whole()).out, ended.out);
}

TEST(ChatTranscoder, WritesAWholeAnswerAsAStreamWhereThatWasAskedFor) {
  const Ended ended = SameAtEveryCut(Asked(kStreamed), Whole());
  EXPECT_THAT(ended.out, HasSubstr(R"("delta":{"role":"assistant","content":"a cat sat"})"));
  EXPECT_TRUE(ended.out.ends_with("data: [DONE]\n\n"));
  EXPECT_THAT(ended.known, HasSubstr("prompt 11 completion 7"));
  EXPECT_THAT(ended.known, HasSubstr("streamed 1 any 1 finish stop tier flex"));
  EXPECT_EQ(SameAtEveryCut(Asked(kStreamed), std::string(kBom) + Whole()).out, ended.out);
}

TEST(ChatTranscoder, CollectsAStreamThatNobodyAskedFor) {
  std::string stream = Stream();
  for (const std::string_view media_type : {"text/event-stream", "application/json"}) {
    const Ended ended = SameAtEveryCut(Asked(""), stream, media_type);
    EXPECT_THAT(ended.out, HasSubstr(R"("object":"chat.completion")"));
    EXPECT_THAT(ended.out, HasSubstr(R"("content":"a cat sat")"));
    EXPECT_THAT(ended.out, Not(HasSubstr("data:")));
    EXPECT_THAT(ended.known, HasSubstr("prompt 11 completion 7"));
    EXPECT_THAT(ended.known, HasSubstr("usage_whole 0 streamed 1 any 1 finish stop tier flex"));
  }
  // Thinking has its second name once all of it is together.
  stream.insert(0, Chunk(R"({"reasoning_content":"hm"})", "null"));
  const std::string out = SameAtEveryCut(Asked(""), stream).out;
  EXPECT_THAT(out, HasSubstr(R"("reasoning_content":"hm")"));
  EXPECT_THAT(out, HasSubstr(R"("reasoning":"hm")"));
}

TEST(ChatTranscoder, MendsWhatNoClientCouldRead) {
  const std::string odd = Whole(R"(,"logprobs":{"content":[{"token":"a","logprob":-Infinity}]})");
  EXPECT_THAT(SameAtEveryCut(Asked(""), odd).out, HasSubstr(R"("logprob":null)"));
  EXPECT_THAT(SameAtEveryCut(Asked(kStreamed), odd).out, HasSubstr(R"("logprob":null)"));
  const std::string bare = R"({"choices":[{"text":"a cat"}]})";
  EXPECT_THAT(SameAtEveryCut(Asked(""), bare).out, HasSubstr(R"("content":"a cat")"));
  EXPECT_THAT(SameAtEveryCut(Asked(kStreamed), bare).out, HasSubstr(R"("content":"a cat")"));
}

TEST(ChatTranscoder, FailsWhereThereIsNoAnswer) {
  struct Case {
    std::string bytes;
    std::string_view media_type;
    std::string_view says;
  };
  const Case cases[] = {
      {"<!doctype html><html>gateway</html>", "text/html", "answered with text/html instead"},
      {"<html></html>", "", "answered with HTML or XML instead"},
      {"", "application/json", "an empty body"},
      {R"({"error":{"message":"the model is busy","code":"x"}})", "application/json", "is busy"},
      {R"({"choices":[]})" + std::string(2 * kMostAnswerBytes, ' '), "application/json",
       "too large"},
      {R"({"choices":[{"message":{"content":")" + std::string(2 * kMostAnswerBytes, 'a') + "\"}}]}",
       "application/json", "too large"},
  };
  for (const std::string& members : {std::string(), kStreamed}) {
    for (const Case& c : cases) {
      const Ended ended = SameAtEveryCut(Asked(members), c.bytes, c.media_type);
      EXPECT_THAT(ended.known, HasSubstr(std::string(c.says))) << members << c.bytes.substr(0, 40);
      EXPECT_EQ(ended.out, "");
    }
  }
}

// What makes it too large ends it: nothing behind that is read.
TEST(ChatTranscoder, EndsWhatIsCollectedWhereItIsTooLarge) {
  std::string stream;
  for (int i = 0; i < 10; ++i) {
    stream +=
        Chunk(R"({"content":")" + std::string(300, static_cast<char>('a' + i)) + "\"}", "null");
  }
  stream += R"(data: {"error":{"message":"the model is busy"}})"
            "\n\n";
  EXPECT_THAT(SameAtEveryCut(Asked(""), stream).known, HasSubstr("too large"));
  // A stream that was asked for is never held whole.
  EXPECT_THAT(SameAtEveryCut(Asked(kStreamed), stream).known, HasSubstr("is busy"));
}

TEST(ChatTranscoder, EndsWholeWhatMissesTheMarkOfItsEndAlone) {
  const std::string all = Stream();
  const std::string unmarked = all.substr(0, all.rfind("data: [DONE]"));
  for (const std::string& members : {std::string(), kStreamed}) {
    const Asked asked(members);
    const std::unique_ptr<Transcoder> way = asked.Open();
    way->OnHead("text/event-stream");
    std::string out;
    ASSERT_TRUE(way->Feed(unmarked.substr(0, unmarked.size() / 2), &out).ok());
    EXPECT_FALSE(way->IsWhole());
    ASSERT_TRUE(way->Feed(unmarked.substr(unmarked.size() / 2), &out).ok());
    ASSERT_TRUE(way->IsWhole());
    EXPECT_NE(way->state(), State::kEnded);
    ASSERT_TRUE(way->EndWhole().ok());
    ASSERT_EQ(way->state(), State::kEnded);
    way->Finish(asked.report, &out);
    EXPECT_EQ(out, Relay(asked, all, "text/event-stream").out);
  }
  // Of an answer in one piece nobody knows before its end.
  const Asked plain("");
  const std::unique_ptr<Transcoder> way = plain.Open();
  way->OnHead("application/json");
  std::string out;
  ASSERT_TRUE(way->Feed(Whole(), &out).ok());
  EXPECT_FALSE(way->IsWhole());
}

TEST(ChatTranscoder, TellsOfAFailureBehindContent) {
  const Asked asked(kStreamed);
  const std::unique_ptr<Transcoder> way = asked.Open();
  way->OnHead("text/event-stream");
  std::string out;
  ASSERT_TRUE(way->Feed(Chunk(R"({"role":"assistant"})", "null"), &out).ok());
  EXPECT_EQ(out, "");
  EXPECT_EQ(way->state(), State::kSilent);
  ASSERT_TRUE(way->Feed(Chunk(R"({"content":"a"})", "null"), &out).ok());
  EXPECT_EQ(way->state(), State::kContent);
  out.clear();
  const Status truncated = way->EndOfInput(&out);
  ASSERT_FALSE(truncated.ok());
  EXPECT_EQ(truncated.error().code, ErrorCode::kUpstreamTruncated);
  EXPECT_EQ(way->state(), State::kFailed);
  way->Fail(truncated.error(), Profile{}, {.request_id = "r", .api_v1 = true}, &out);
  EXPECT_TRUE(out.starts_with(R"(data: {"id":"gen-1")")) << out;
  EXPECT_THAT(out, HasSubstr(R"("model":"m/n")"));
  EXPECT_THAT(out, HasSubstr(R"("error":{)"));
  EXPECT_THAT(out, Not(HasSubstr("[DONE]")));
}

std::string Pictures(std::string_view more = "") {
  return R"({"created":1,"data":[{"url":"https://p/1.png"},{"b64_json":"/9j/AAAA"}])" +
         std::string(more) + "}";
}

TEST(ImageTranscoder, AsksForThePictureThatTheLastMessageTells) {
  const Asked asked(R"(,"n":2,"stream":true,"preset":"x")", DialectId::kOpenAiImages);
  const std::unique_ptr<Transcoder> way = asked.Open();
  EXPECT_FALSE(way->streams());
  EXPECT_FALSE(way->adds_member());
  EXPECT_EQ(way->Ignored(), "preset");
  const UpstreamRequest call = way->TakeRequest();
  EXPECT_EQ(call.path, "/images/generations");
  EXPECT_THAT(call.headers, ::testing::ElementsAre("Accept: application/json"));
  EXPECT_EQ(call.body, R"({"model":"up","prompt":"draw a cat","n":2})");
}

TEST(ImageTranscoder, WritesPicturesAsAnAnswerOrAStream) {
  for (const std::string_view bom : {std::string_view(), kBom}) {
    const std::string bytes = std::string(bom) + Pictures();
    const Ended plain = SameAtEveryCut(Asked("", DialectId::kOpenAiImages), bytes);
    EXPECT_THAT(plain.out, HasSubstr(R"("object":"chat.completion")"));
    EXPECT_THAT(plain.out, HasSubstr("https://p/1.png"));
    EXPECT_THAT(plain.out, HasSubstr("data:image/jpeg;base64,/9j/AAAA"));
    EXPECT_THAT(plain.known, HasSubstr("images 2"));
    EXPECT_THAT(plain.known, HasSubstr("streamed 0 any 1 finish stop"));
    const Ended streamed = SameAtEveryCut(Asked(kStreamed, DialectId::kOpenAiImages), bytes);
    EXPECT_TRUE(streamed.out.ends_with("data: [DONE]\n\n"));
    EXPECT_THAT(streamed.out, HasSubstr("https://p/1.png"));
    EXPECT_EQ(streamed.known, plain.known);
  }
}

TEST(ImageTranscoder, FailsWhereThereIsNoPicture) {
  const Asked asked("", DialectId::kOpenAiImages);
  const auto failure = [&asked](std::string_view bytes, std::string_view media_type) {
    const Ended ended = SameAtEveryCut(asked, bytes, media_type);
    EXPECT_EQ(ended.out, "");
    EXPECT_THAT(ended.known, HasSubstr("images 0"));
    return ended.known;
  };
  EXPECT_THAT(failure("<html></html>", "text/html"), HasSubstr("answered with text/html"));
  EXPECT_THAT(failure(R"({"data":[]})", "application/json"), HasSubstr("has no images"));
  EXPECT_THAT(failure(R"({"error":{"message":"not such a cat"}})", "application/json"),
              HasSubstr("not such a cat"));
  EXPECT_THAT(failure(Pictures(",\"x\":\"" + std::string(kMostAnswerBytes, 'a') + "\""),
                      "application/json"),
              HasSubstr("too large"));
  // Nobody streams pictures.
  EXPECT_THAT(failure(Stream(), "text/event-stream"), HasSubstr("instead of JSON"));
}

TEST(Protocols, KnowEveryDialectByItsLabel) {
  for (const DialectId id : {DialectId::kOpenAiChat, DialectId::kOpenAiImages}) {
    const Dialect& dialect = DialectOf(id);
    EXPECT_EQ(dialect.id(), id);
    EXPECT_EQ(DialectNamed(dialect.label()), &dialect);
  }
  EXPECT_EQ(DialectNamed("openai-responses"), nullptr);
  const DialectTraits images = DialectOf(DialectId::kOpenAiImages).traits();
  EXPECT_TRUE(images.lacks.Has(Need::kNoPromptText));
  EXPECT_TRUE(images.lacks.Has(Need::kOddPromptText));
  EXPECT_FALSE(images.token_answer);
  EXPECT_EQ(images.pieces, 1);
}

}  // namespace
}  // namespace seekroute
