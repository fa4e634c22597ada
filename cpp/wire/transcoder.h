// One try's bytes: the request that one upstream gets, and its answer on the way to the client.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/delivered_media.h"
#include "wire/profile.h"
#include "wire/surface.h"
#include "wire/token_estimate.h"
#include "wire/usage.h"

namespace seekroute {

// What an answer is called on the way to the client.
struct AnswerNames {
  std::string id;
  std::string object;  // "chat.completion", or the profile's word
  std::string model;
  int64_t created = 0;             // used only where the upstream sent none
  bool repeats_reasoning = false;  // thinking as `reasoning_content` stands as `reasoning` too
};

// One POST to an upstream, as far as its dialect decides it.
struct UpstreamRequest {
  std::string_view path;  // below the provider's base URL, with a slash; a literal
  std::string body;
  std::vector<std::string> headers;  // "Name: value" lines, beside the provider's own
};

// What has been read of an answer so far. Value type.
struct Reading {
  Usage usage;               // the provider's count
  bool usage_odd = false;    // it contradicts itself
  bool usage_whole = false;  // it is the whole answer's: nothing but the mark of the end is missing
  bool streamed = false;  // what has come so far can be counted: it came, or was asked, as a stream
  bool any_output = false;  // of any kind; of a whole answer once it has ended
  std::string finish_reason;
  std::string service_tier;
  DeliveredMedia media;  // of the answer, beside its text
};

// Sans I/O: every cutting of the input gives the same output. Not thread-safe; owned by its
// attempt.
class Transcoder {
 public:
  virtual ~Transcoder() = default;

  enum class State : uint8_t {
    kSilent,    // nothing was written: another try may be made
    kProgress,  // no content yet, but what comes before it has been written
    kContent,   // content has been written
    kEnded,     // the answer is complete: Finish() is due
    kFailed,
  };

  // Once.
  virtual UpstreamRequest TakeRequest() = 0;

  // The upstream is asked for a stream.
  virtual bool streams() const = 0;

  // The request has a member that its client has not sent and that the upstream may not know; and
  // whether an upstream's refusal is of that one: without it nothing would have been refused.
  virtual bool adds_member() const = 0;
  virtual bool RefusesAdded(const Error& refusal) const = 0;

  // Members of the request that have no effect at this upstream, separated by ", "; empty: none.
  virtual std::string Ignored() const = 0;

  // Of a 2xx answer, once, before any byte of it: of another one nothing is fed. `media_type`:
  // lower-case, without parameters.
  virtual void OnHead(std::string_view media_type) = 0;

  // Reads upstream bytes and appends what the client shall see now. A failure lasts.
  virtual Status Feed(std::string_view bytes, std::string* out) = 0;

  // No more will come, and nothing was cut off. kEnded, or fails: a stream with kUpstreamTruncated
  // unless it IsWhole().
  virtual Status EndOfInput(std::string* out) = 0;

  // Nothing is missing of the answer but the mark of its end.
  virtual bool IsWhole() const = 0;

  // The connection broke, or fell silent, where it IsWhole(). kEnded, or fails.
  virtual Status EndWhole() = 0;

  // In kEnded, once, after the settlement: what was held back, with the usage, and the surface's
  // end. Of an answer that is not streamed: all of it.
  virtual void Finish(const UsageReport& report, std::string* out) = 0;

  // Instead of Finish(), where bytes were written: the surface's way to say that it failed.
  virtual void Fail(const Error& error, const Profile& profile, const ErrorPlace& place,
                    std::string* out) = 0;

  virtual State state() const = 0;
  virtual bool has_content() const = 0;  // written, or waiting for Finish()
  virtual int64_t pieces() const = 0;    // parts with content that were read: the stream lives
  virtual Reading reading() const = 0;

  // Our own count of the text that was read. May walk through a whole answer.
  virtual TokenEstimate CountContent() const = 0;
};

}  // namespace seekroute
