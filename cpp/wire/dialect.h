// A protocol as upstreams speak it: the catalog's word.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "wire/ask.h"
#include "wire/request_form.h"
#include "wire/sse/sse_parser.h"
#include "wire/surface.h"
#include "wire/transcoder.h"

namespace seekroute {

// In the order of the table in wire/protocols/protocols.cc.
enum class DialectId : uint8_t { kOpenAiChat, kOpenAiImages, kOpenAiEmbeddings };

// Whether the usage of a stream is asked for, where the client has not: some upstreams refuse the
// field.
enum class Asking : uint8_t {
  kYes,
  kNo,     // it is refused there; not sent, also where the client has
  kAgain,  // it was: whether it still is is seen now
};

// What a try is made of. Nothing is owned, and all of it outlives the transcoder but `body`, which
// Open() alone reads.
struct TranscoderPlan {
  SurfaceId surface = SurfaceId::kChat;
  const ParsedRequest* request = nullptr;  // as that surface reads it, from that body
  std::string_view body;
  std::string_view upstream_model;
  const RequestForm* form = nullptr;
  AnswerNames names;
  std::optional<AnswerCap> cap;
  Asking usage = Asking::kYes;
  bool may_fall_back = false;   // another candidate may be asked as long as nothing was written
  size_t max_answer_bytes = 0;  // of one that is held whole
  SseParser::Limits sse;
};

// What its endpoints are like. Constant.
struct DialectTraits {
  NeedSet lacks;             // what none of them can do
  bool token_answer = true;  // an answer is made of tokens, and charged by them
  int64_t pieces = 0;        // pictures of one choice
  bool one_context = true;   // a context holds a whole request; else each of its inputs
};

// One stateless object each; thread-safe.
class Dialect {
 public:
  virtual ~Dialect() = default;

  virtual DialectId id() const = 0;
  virtual std::string_view label() const = 0;  // the catalog's word: "openai-chat"
  virtual DialectTraits traits() const = 0;

  // The way from plan.surface to this dialect and back: a splice where the two say the same, else a
  // translation. Fails where the request cannot be said here, with the client's error.
  virtual Result<std::unique_ptr<Transcoder>> Open(TranscoderPlan plan) const = 0;
};

}  // namespace seekroute
