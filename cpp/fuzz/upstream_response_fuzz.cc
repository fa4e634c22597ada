// Whatever an upstream sends, whole or in pieces, the client gets the same bytes; every event of
// them is valid JSON, and so is every answer that is rewritten.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/json/json.h"
#include "wire/openai/chat_answer.h"
#include "wire/openai/chat_collect.h"
#include "wire/openai/chat_stream.h"
#include "wire/openai/chunk_shape.h"
#include "wire/openai/image_request.h"
#include "wire/upstream_refusal.h"

namespace {

using seekroute::AnswerNames;
using seekroute::ChatStream;
using seekroute::Status;

void Check(bool holds) {
  if (!holds) std::abort();
}

const AnswerNames& Names() {
  static const AnswerNames names{"gen-\"1\"", "chat.completion", "m/n", 7};
  return names;
}

std::string Relay(std::string_view bytes, size_t step, bool include_usage) {
  ChatStream::Options options;
  options.names = Names();
  options.include_usage = include_usage;
  ChatStream stream(options);
  std::string out;
  Status status;
  for (size_t at = 0; at < bytes.size() && status; at += step) {
    status = stream.Feed(bytes.substr(at, step), &out);
    Check(stream.state() != ChatStream::State::kWaiting || out.empty());
  }
  if (status) status = stream.EndOfInput(&out);
  if (status) {
    stream.Finish({stream.usage(), {}}, &out);
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
  const bool include_usage = size % 2 == 1;
  const std::string whole = Relay(bytes, size + 1, include_usage);
  Check(Relay(bytes, 1, include_usage) == whole);
  CheckEvents(whole);

  seekroute::ChatCollector collector(size_t{1} << 20);
  if (collector.Add(whole).ok()) CheckAnswer(collector.Write());

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
  const auto images = seekroute::ParseImageAnswer(bytes);
  if (images) Check(!images->empty());
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
