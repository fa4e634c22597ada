// A streamed chat completion on its way through: upstream bytes in, client bytes out.
// Sans I/O: every cutting of the input gives the same output.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/delivered_media.h"
#include "wire/openai/chat_answer.h"
#include "wire/openai/choice_set.h"
#include "wire/openai/extra_members.h"
#include "wire/openai/sent_parts.h"
#include "wire/sse/sse_parser.h"
#include "wire/token_estimate.h"
#include "wire/usage.h"

namespace seekroute {

struct ChatObject;

// Not thread-safe.
//
// Rules it keeps:
//  - nothing is written before the first content (or finish reason), so that a failure until then
//    can still be a real HTTP status and another candidate can be asked; role-only and empty
//    chunks, and those about the prompt's progress, are held back and written first. Progress that
//    the client asked for is written at once. When too much is held it is written as well, if
//    nobody else can be asked; else the first chunk and the newest are kept;
//  - comments, event names, ids and empty data lines of the upstream are dropped;
//  - an error is one whether its JSON, the event's name ("error") or its field (`error: ...`) says
//    so; nothing that follows it counts, [DONE] included. JSON that is no chunk is one where it has
//    a member for errors that says something, a failure's code or status, or a sentence and no
//    member that makes it a ping or a state. What stands past the framing, on lines that are no
//    field, is read alike: JSON as an event, a page of HTML as a failure;
//  - every chunk gets names.id, names.model and its object; a missing created is added, and so is a
//    missing `delta` (wire/openai/chunk_shape.h): a whole completion is one chunk, and only what it
//    adds to what has been sent;
//  - thinking as `reasoning_content` is repeated as `reasoning`, where names.repeats_reasoning says
//    so and the provider has not done it;
//  - chunks keep their order, and content is written at once; from the first finish reason on the
//    newest chunk without content is held back, so that Finish() can put the usage on the last.
//    Where that has content the usage gets a chunk of its own;
//  - usage is taken from any chunk (maximum per field) and removed from where it stood; a chunk
//    that has nothing else to say does not reach the client, but its other members do, beside the
//    usage;
//  - [DONE] ends the stream, whatever follows; it is the gateway that writes it, by Finish().
class ChatStream {
 public:
  struct Options {
    AnswerNames names;            // names.object is not used: chunks are chat.completion.chunk
    bool include_usage = false;   // the client asked for the extra `choices: []` chunk
    int64_t choices = 1;          // that were asked for
    bool may_fall_back = false;   // another candidate may be asked as long as nothing was written
    bool wants_progress = false;  // the client asked for chunks about the prompt's progress
    SseParser::Limits limits;
  };
  explicit ChatStream(Options options);
  ~ChatStream();

  enum class State : uint8_t {
    kWaiting,   // no content yet: nothing was written
    kProgress,  // no content yet, but what comes before it has been written, and is from now on
    kContent,   // content has been written
    kEnded,     // the upstream said [DONE]; Finish() is due
    kFailed,
  };

  // Reads upstream bytes and appends what the client shall see to *out. Fails as
  // wire/upstream_refusal.h reads it for an error event of the provider, with kUpstreamError for a
  // choice that ended in the finish reason `error`, with kBadUpstreamResponse for bytes that are no
  // such stream. A failure lasts.
  Status Feed(std::string_view bytes, std::string* out);

  // The same for a chat completion that came whole, as one chunk of the stream.
  // The stream has ended then.
  Status FeedWhole(std::string_view chunk, std::string* out);

  // Nothing is missing of the answer: [DONE] was seen, or every choice asked for has a finish
  // reason and no content after it, or content and, after all of it, a usage in a chunk of its own
  // (with output in it). A usage beside choices is no sign: some providers send one in every chunk.
  bool IsWhole() const;

  // No more will come. Reads what the input ended in, as Feed(), where that is whole JSON.
  // Succeeds, and ends the stream, when it IsWhole(); else fails with kUpstreamTruncated.
  Status EndOfInput(std::string* out);

  // The same where the connection broke: what the input ended in counts for nothing.
  Status BreakOff();

  // The usage is that of the whole answer: it came with a finish reason, or behind all content.
  bool HasFinalUsage() const { return IsWhole() && (final_usage_ || finish_usage_); }

  // Appends the final chunk, the usage where it belongs, and [DONE]. Once, in state kEnded.
  void Finish(const UsageReport& report, std::string* out);

  State state() const { return state_; }
  bool has_content() const { return has_content_; }  // written, or waiting for Finish()
  Usage usage() const { return usage_.Counts(); }
  bool usage_odd() const { return usage_.odd; }
  TokenEstimate content_tokens() const { return content_.Estimate(); }  // of the text delivered
  const DeliveredMedia& media() const { return media_; }
  bool any_content() const { return any_content_; }  // of any kind, a finish reason is none
  int64_t pieces() const { return pieces_; }         // chunks with some, or with logprobs
  const std::string& finish_reason() const { return finish_reason_; }
  const std::string& service_tier() const { return service_tier_; }  // the last one named

 private:
  Status OnEvents(std::string* out);
  Status OnStray(const SseEvent& event, std::string* out);
  Status OnEvent(std::string_view raw, std::string* out);
  Status ReadEvent(std::string_view data, std::string* out);
  Status OnChunk(std::string_view data, const ChatObject& chat, std::string* out);
  void Defer(std::string chunk, std::string* out);
  void Release(std::string* out);
  std::string Rewrite(std::string_view data, const ChatObject& chat) const;
  Status Fail(Error error);

  const Options options_;
  const std::string id_;  // names.id and names.model as JSON strings
  const std::string model_;
  SseParser parser_;
  std::vector<SseEvent> events_;
  std::vector<std::string> pending_;  // complete client events waiting for the first content
  size_t pending_bytes_ = 0;
  std::string last_;    // the chunk held back for Finish(), without its framing
  ExtraMembers extra_;  // of the chunks with usage alone
  UsageReading usage_;
  TokenEstimator content_;
  DeliveredMedia media_;
  std::string finish_reason_;
  std::string service_tier_;
  int64_t created_;  // of the first chunk that had one, for chunks that have none
  bool any_chunk_ = false;
  ChoiceSet seen_ = 0;      // bit i: choice i was seen
  ChoiceSet finished_ = 0;  // bit i: choice i has a finish reason, and no content after it
  SentParts sent_;
  CallNumbers calls_;
  ChoiceSet in_pieces_ = 0;  // bit i: it came as a `message` a piece
  int64_t pieces_ = 0;
  bool final_usage_ = false;   // a usage in a chunk of its own came, and no content after it
  bool finish_usage_ = false;  // one with output in it came with a finish reason, likewise
  bool any_content_ = false;
  bool is_all_ = false;  // what is read now ends the stream
  bool has_content_ = false;
  State state_ = State::kWaiting;
};

}  // namespace seekroute
