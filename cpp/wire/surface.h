// An API as clients speak it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/result.h"
#include "wire/ask.h"
#include "wire/profile.h"
#include "wire/token_estimate.h"

namespace seekroute {

// In the order of the table in wire/protocols/protocols.cc.
enum class SurfaceId : uint8_t { kChat, kEmbeddings };

// Where an error body is going.
struct ErrorPlace {
  std::string_view request_id;
  bool api_v1 = false;        // under /api/v1
  std::string_view provider;  // named in metadata.provider_name; may be empty
  std::string_view routing;   // a whole JSON member put behind "error"; may be empty
};

// What is to be found beside what is read of every request: it takes longer.
struct ReadScope {
  bool prompt = false;  // Ask::prompt, also where no max_cost needs it
  // Ask::excerpt, where one of these names is asked for, with a suffix or without.
  std::span<const std::string> excerpt_for = {};
};

// One stateless object each; thread-safe. No clock, no I/O.
class Surface {
 public:
  virtual ~Surface() = default;

  virtual SurfaceId id() const = 0;

  // Its name in metrics, and for whoever submits: "chat_completions".
  virtual std::string_view label() const = 0;

  // Checks and reads a request. Fails with the client's error, `param` set. Linear, in one pass,
  // but for one with a max_cost and without scope.prompt; of one for an excerpt the last message of
  // a user is read again, as `model` may stand behind it.
  virtual Result<std::unique_ptr<const ParsedRequest>> Read(std::string_view body,
                                                            const Profile& profile,
                                                            ReadScope scope) const = 0;

  // Ask::prompt of a body that was read without: one more pass.
  virtual TokenEstimate EstimatePrompt(std::string_view body) const = 0;

  // `body`, which Read() has taken, as a request to that model alone for a whole answer: without
  // what chooses among models, what streams, and what has a provider keep it. Not another byte
  // differs. Empty: no model is ever chosen for requests of this API.
  virtual std::string ForOneModel(std::string_view body, std::string_view model) const = 0;

  // The body of an answer that is an error.
  virtual std::string WriteError(const Error& error, const Profile& profile,
                                 const ErrorPlace& place) const = 0;

  // An error as the end of a stream that has brought nothing of an answer yet.
  virtual std::string WriteErrorEvent(const Error& error, const Profile& profile,
                                      const ErrorPlace& place, std::string_view id,
                                      std::string_view model, int64_t created) const = 0;

  // Bytes that mean nothing to a client, for a stream that is silent. Empty: nothing streams.
  virtual std::string_view keep_alive() const = 0;
};

}  // namespace seekroute
