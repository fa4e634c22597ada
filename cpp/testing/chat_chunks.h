// Chunks of a stream as an upstream sends them and as a client gets them, and what becomes of a
// whole stream.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>

#include "testing/corpora.h"
#include "wire/openai/chat_stream.h"

namespace seekroute::testing {

inline ChatStream::Options Options(bool include_usage = false) {
  ChatStream::Options options;
  options.names = {"gen-1", "", "m/n", 77};
  options.include_usage = include_usage;
  return options;
}

inline UsageReport Report() {
  UsageReport report;
  report.usage.prompt = 3;
  report.usage.completion = 2;
  return report;
}

inline const std::string kUsage =
    R"("usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5})";

inline std::string Event(std::string_view json) { return "data: " + std::string(json) + "\n\n"; }

// A chunk as an upstream sends it, with one choice.
inline std::string Chunk(std::string_view delta, std::string_view finish = "null",
                         std::string_view more = {}) {
  return Event(R"({"id":"up","object":"chat.completion.chunk","created":5,"model":"x","choices":)"
               R"([{"index":0,"delta":)" +
               std::string(delta) + ",\"finish_reason\":" + std::string(finish) + "}]" +
               std::string(more) + "}");
}

// The same as the client gets it.
inline std::string Sent(std::string_view delta, std::string_view finish = "null",
                        std::string_view more = {}) {
  return Event(R"({"id":"gen-1","object":"chat.completion.chunk","created":5,"model":"m/n",)"
               R"("choices":[{"index":0,"delta":)" +
               std::string(delta) + ",\"finish_reason\":" + std::string(finish) + "}]" +
               std::string(more) + "}");
}

// A chunk with these choices, as an upstream sends it and as the client gets it.
inline std::string With(std::string_view choices, std::string_view object = "chat.completion.chunk",
                        std::string_view more = {}) {
  return Event(R"({"id":"up","object":")" + std::string(object) +
               R"(","created":5,"model":"x","choices":[)" + std::string(choices) + "]" +
               std::string(more) + "}");
}
inline std::string SentWith(std::string_view choices, std::string_view more = {}) {
  return Event(R"({"id":"gen-1","object":"chat.completion.chunk","created":5,"model":"m/n",)"
               R"("choices":[)" +
               std::string(choices) + "]" + std::string(more) + "}");
}

inline const std::string kRole = R"({"role":"assistant","content":""})";
inline const std::string kA = R"({"content":"a"})";
inline const std::string kDone = "data: [DONE]\n\n";

// The usage in a chunk of its own, behind content that was the last.
inline const std::string kEnd = Sent("{}", "null", "," + kUsage);

// How a stream went, as text: what was written, how it ended, and what was counted.
inline std::string Relay(std::string_view bytes, bool include_usage = false) {
  ChatStream stream(Options(include_usage));
  std::string out;
  Status status = stream.Feed(bytes, &out);
  if (status) status = stream.EndOfInput(&out);
  if (!status) return out + "!" + std::string(status.error().name());
  stream.Finish(Report(), &out);
  return out;
}

// The result of a stream at every cutting must be that of the whole.
inline void ExpectSameAtEveryCutting(std::string_view bytes, int rounds) {
  const std::string whole = Relay(bytes);
  std::optional<ChatStream> stream;
  std::string out, round;
  Status status;
  testing::ForEachCutting(
      bytes, rounds,
      [&](std::string name) {
        round = std::move(name);
        stream.emplace(Options());
        out.clear();
        status = {};
      },
      [&](std::string_view piece) {
        if (status) status = stream->Feed(piece, &out);
      },
      [&] {
        if (status) status = stream->EndOfInput(&out);
        if (status) stream->Finish(Report(), &out);
        if (!status) out += "!" + std::string(status.error().name());
        ASSERT_EQ(out, whole) << round;
      });
}

}  // namespace seekroute::testing
