// Whatever an upstream sends, whole or in pieces, the client gets the same bytes; every event of
// them is valid JSON, and so is every answer that is rewritten.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "wire/json/json.h"
#include "wire/openai/chat_answer.h"
#include "wire/openai/chunk_shape.h"
#include "wire/protocols/protocols.h"
#include "wire/upstream_refusal.h"

namespace {

using seekroute::AnswerNames;
using seekroute::DialectId;
using seekroute::ParsedRequest;
using seekroute::Status;
using seekroute::SurfaceId;
using seekroute::Transcoder;

void Check(bool holds) {
  if (!holds) std::abort();
}

const AnswerNames& Names() {
  static const AnswerNames names{"gen-\"1\"", "chat.completion", "m/n", 7};
  return names;
}

// The requests that are answered, read once.
class Asked {
 public:
  explicit Asked(std::string_view members, SurfaceId surface = SurfaceId::kChat)
      : surface_(surface),
        body_(R"({"model":"m",)" + std::string(members) + "}"),
        request_(seekroute::SurfaceOf(surface).Read(body_, seekroute::Profile{}, {}).value()) {}

  std::unique_ptr<Transcoder> Open(DialectId dialect) const {
    static const seekroute::RequestForm form;
    seekroute::TranscoderPlan plan;
    plan.surface = surface_;
    plan.request = request_.get();
    plan.body = body_;
    plan.upstream_model = "up";
    plan.form = &form;
    plan.names = Names();
    plan.max_answer_bytes = size_t{1} << 20;
    return std::move(*seekroute::DialectOf(dialect).Open(plan));
  }

 private:
  const SurfaceId surface_;
  const std::string body_;
  const std::unique_ptr<const ParsedRequest> request_;
};

std::string Relay(const Asked& asked, DialectId dialect, std::string_view bytes, size_t step) {
  const std::unique_ptr<Transcoder> way = asked.Open(dialect);
  way->OnHead("");
  std::string out;
  Status status;
  for (size_t at = 0; at < bytes.size() && status; at += step) {
    status = way->Feed(bytes.substr(at, step), &out);
    Check(way->state() != Transcoder::State::kSilent || out.empty());
  }
  if (status) status = way->EndOfInput(&out);
  Check(status.ok() == (way->state() == Transcoder::State::kEnded));
  if (status) {
    way->Finish({way->reading().usage, {}}, &out);
  } else {
    out += '!';
    out += status.error().name();
  }
  return out;
}

// Duplicate keys of a provider pass through; anything else must be right.
void CheckAnswer(std::string_view json) {
  const Status status = seekroute::CheckJson(json);
  Check(status || status.error().code == seekroute::ErrorCode::kDuplicateKey ||
        status.error().code == seekroute::ErrorCode::kInvalidUnicode);
}

// A sequence of `data: <JSON>` events, with at most one [DONE], at its end.
void CheckEvents(std::string_view out) {
  while (!out.empty() && out[0] != '!') {
    Check(out.substr(0, 6) == "data: ");
    const size_t end = out.find("\n\n");
    Check(end != std::string_view::npos);
    const std::string_view json = out.substr(6, end - 6);
    out.remove_prefix(end + 2);
    if (json == "[DONE]") {
      Check(out.empty());
    } else {
      CheckAnswer(json);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static const std::string kMessages = R"("messages":[{"role":"user","content":"hi"}])";
  static const Asked kPlain(kMessages);
  static const Asked kStream(kMessages + R"(,"stream":true)");
  static const Asked kStreamWithUsage(kMessages +
                                      R"(,"stream":true,"stream_options":{"include_usage":true})");
  static const Asked kEmbeddings(R"("input":["a","b"])", SurfaceId::kEmbeddings);
  const Asked& stream = size % 2 == 1 ? kStreamWithUsage : kStream;
  for (const DialectId dialect : {DialectId::kOpenAiChat, DialectId::kOpenAiImages}) {
    const std::string events = Relay(stream, dialect, bytes, size + 1);
    Check(Relay(stream, dialect, bytes, 1) == events);
    CheckEvents(events);
    const std::string plain = Relay(kPlain, dialect, bytes, size + 1);
    Check(Relay(kPlain, dialect, bytes, 1) == plain);
    if (plain[0] != '!') CheckAnswer(plain);
  }

  const DialectId embeddings = DialectId::kOpenAiEmbeddings;
  const std::string vectors = Relay(kEmbeddings, embeddings, bytes, size + 1);
  Check(Relay(kEmbeddings, embeddings, bytes, 1) == vectors);
  if (vectors[0] != '!') {
    CheckAnswer(vectors);
    // What a client gets is an answer, and stays what it is.
    Check(Relay(kEmbeddings, embeddings, vectors, size + 1) == vectors);
  }

  const auto answer = seekroute::ParseChatAnswer(bytes);
  if (answer) {
    CheckAnswer(seekroute::ChunkFromAnswer(bytes));
    const std::string out =
        seekroute::RewriteChatAnswer(bytes, *answer, Names(), {answer->usage, {}});
    CheckAnswer(out);
    const auto again = seekroute::ParseChatAnswer(out);
    Check(again.has_value() && again->id && again->model && again->usage_value && again->created);
    Check(again->content_bytes == answer->content_bytes);
  }
  for (const int status : {0, 200, 301, 400, 401, 402, 403, 404, 413, 422, 429, 500, 503, 529}) {
    const seekroute::Error error = seekroute::ReadRefusal(status, bytes, {});
    Check(error.status() == 400 || error.status() == 413 || error.status() == 429 ||
          error.status() >= 500);
    for (const std::string& text : {error.message, error.words, error.param, error.shown_code}) {
      Check(text.size() <= 700 && seekroute::IsValidUtf8(text));
      Check(text.find('\n') == std::string::npos);
    }
  }
  return 0;
}
