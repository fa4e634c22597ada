// A profile: the vocabulary one gateway speaks on the wire. Data only; it changes names and
// defaults, never logic.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"

namespace seekroute {

// How the `model` of an answer is spelled.
enum class AnswerModel : uint8_t {
  kAsAsked,    // the client's own spelling; for `auto`, the id of the model used
  kCanonical,  // "provider/model": the catalog's full id
  kBare,       // the model used without its provider prefix
};

// What one error code is called in this profile; unset parts keep the table's words.
struct ErrorWords {
  std::optional<std::string> type;
  std::optional<std::string> code;
  std::optional<std::string> message;  // replaces the sentence as a whole
};

// Immutable once installed.
struct Profile {
  std::string name = "seekroute";
  std::string id_prefix = "gen-";          // of an answer's `id`
  std::string object = "chat.completion";  // of an answer that is not streamed
  AnswerModel answer_model = AnswerModel::kCanonical;
  bool usage_cost = true;               // usage.cost in every answer, and the header
  bool upstream_cost = true;            // who answered and what that provider charges is told
  bool error_metadata = true;           // error.metadata{error_type, request_id, ...}
  bool error_param = true;              // error.param, null where there is none
  bool integer_code_on_api_v1 = false;  // error.code is the HTTP status under /api/v1
  bool reasoning_on_v1 = false;         // thinking is called `reasoning` too, as under /api/v1
  std::array<ErrorWords, kErrorCodeCount> words;

  // Request checks. Unset: the provider decides.
  std::optional<double> temperature_min, temperature_max;
  std::optional<double> top_p_min, top_p_max;
  std::optional<int64_t> max_tokens_min;

  const ErrorWords& WordsFor(ErrorCode code) const { return words[static_cast<size_t>(code)]; }
};

}  // namespace seekroute
