// Internal to wire/: errors as providers put them into JSON. What they mean: upstream_refusal.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace seekroute {

// What was found in the text of an error, as it stands there: nothing is sanitised. Value type.
struct ProviderError {
  bool readable = false;        // it is JSON
  bool says_error = false;      // and by itself an error, whatever it came with
  int status = 0;               // the HTTP status that it names, 400 to 599; 0: none
  std::string code;             // `code`, unless that is a status
  std::string param;            // `param`, or the `loc` of a validation error as a path
  std::string message;          // its sentence
  int64_t retry_after_ms = -1;  // in its words (Google's RetryInfo)
  bool flagged = false;         // names what a moderation found
  // Every word or number that may name its kind, in lower case: codes, types, states, reasons.
  // MiniMax's numbers have "base_resp:" before them, since others use the same.
  std::vector<std::string> names;
};

// At most so many names, of so many bytes each; what is longer is no name.
inline constexpr size_t kMaxErrorNames = 12;
inline constexpr size_t kMaxErrorName = 80;

// Reads {"error":{...}}, {"error":"..."}, {"message","code"}, {"detail"}, FastAPI's lists, the
// first of an array of such, and an error inside an error (JSON within a string, one level). Never
// fails: of a text that is not JSON, `readable` is false and nothing else is set.
ProviderError ReadProviderError(std::string_view text);

// `json`, the value of a member `error`, says nothing: null, false, 0, "", a word for it (none, ok,
// success), or a list or an object of nothing else. Whoever writes such a thing beside an answer
// means that there was no error.
bool SaysNothing(std::string_view json);

}  // namespace seekroute
