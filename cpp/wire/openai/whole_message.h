// Internal to wire/: what a whole message adds to the stream before it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/openai/chunk_output.h"
#include "wire/openai/sent_parts.h"

namespace seekroute {

// Compares the message of one choice with what that choice has sent. Nothing is owned; all outlives
// it. Not thread-safe.
class WholeMessage {
 public:
  // `text`: where `message` was found. `numbers` gets the calls that are sent. The work of
  // comparing is taken from `sent`.
  WholeMessage(std::string_view text, int64_t choice, const ChunkOutput& message, SentParts* sent,
               CallNumbers* numbers)
      : text_(text), choice_(choice), message_(message), sent_(sent), numbers_(numbers) {}

  // It begins with all that some member, or a call, has said: so it is no further piece. `ends`: it
  // ends its choice; else only what cannot be chance counts.
  bool RepeatsAll(bool ends);

  // The edits that leave of it what it adds. Nothing where it adds nothing. `*has_new_calls`: no
  // calls were sent before, and those in it have to be numbered.
  std::optional<std::vector<TextEdit>> Rest(bool* has_new_calls);

 private:
  std::string TextOfParts(const OutputMember& member) const;
  std::optional<std::string> NewItems(const OutputMember& member);
  std::vector<std::optional<int64_t>> KnownCalls();
  std::string NewCalls();
  std::string WholeCall(const OutputCall& found);
  std::string RestOfCall(const OutputCall& found, int64_t index, std::string_view rest);

  const std::string_view text_;
  const int64_t choice_;
  const ChunkOutput& message_;
  SentParts* const sent_;
  CallNumbers* const numbers_;
};

}  // namespace seekroute
