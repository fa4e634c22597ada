// An embeddings request, as its surface reads it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/ask.h"
#include "wire/json/json.h"
#include "wire/surface.h"

namespace seekroute {

inline constexpr int64_t kMaxInputs = 2048;        // of one request
inline constexpr int64_t kMaxDimensions = 65'536;  // of one embedding
inline constexpr int64_t kMaxTokenId = int64_t{1} << 31;

// What a way to an upstream needs of a request beside its Ask. The ranges point into the body it
// was read from.
struct ParsedEmbeddings final : ParsedRequest {
  std::string PathOf(Need) const override { return "input"; }

  int64_t dimensions = 0;  // numbers of each embedding; 0: as many as the model gives
  bool base64 = false;     // asked for in that
  // Members that are not for an upstream, in order: what is the gateway's own, and what would
  // choose elsewhere.
  std::vector<ByteRange> unsent;
  // The names of those that ask for something which is not done here, in the table's spelling.
  std::vector<std::string_view> ignored;
};

// Accepts a body under these rules: valid UTF-8 JSON, an object, depth at most 128, no duplicate
// key in any object (param = its path), `model` a string, and `input` one of: a text, an array of
// texts, an array of tokens, an array of arrays of tokens. There are 1 to kMaxInputs texts or
// arrays of tokens, none of them empty; a token is an integer from 0 to kMaxTokenId. `dimensions`
// is an integer from 1 to kMaxDimensions, `encoding_format` "float" or "base64". `stream` may only
// be false. The other fields that a chat request has in common with this one are judged as its are:
// names that would lead elsewhere are refused or never sent.
//
// Everything else passes as it is. Nobody knows which of it a provider puts before each text: the
// bytes of what the gateway does not know count once an input, and what may be media in it as in a
// chat request.
//
// Error messages never quote more than 64 bytes of input. Linear; in one pass, but for a request
// with a max_cost that is read without scope.prompt. Pure.
Result<std::unique_ptr<ParsedEmbeddings>> ReadEmbeddings(std::string_view body, ReadScope scope);

// Ask::prompt of a body: of each text its estimate, and of tokens their number. Its upper bound is
// strict_prompt, not that of the estimate: embedding models have vocabularies of their own, in
// which a script may take four times what is expected of it. A body that would be refused is
// estimated as text.
TokenEstimate EstimateEmbeddingsPrompt(std::string_view body);

}  // namespace seekroute
