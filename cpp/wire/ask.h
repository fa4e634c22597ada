// What the gateway acts on of a request, whatever API it came by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/money.h"
#include "wire/asked_route.h"
#include "wire/json/json.h"
#include "wire/token_estimate.h"
#include "wire/traits.h"

namespace seekroute {

// What one picture of a prompt takes at most, in tokens.
inline constexpr int64_t kMostPictureTokens = 65'536;

// What is held for each part that is no picture and cannot be sized (a document, a video, what a
// search finds) where no context is known that it may fill.
inline constexpr int64_t kUnsizedTokens = int64_t{1} << 20;

// Of the text that a model is chosen by: its beginning and its end, where there is more of it.
inline constexpr size_t kMostExcerptBytes = 4096;

// A service tier of a request: whichever its provider likes.
inline constexpr std::string_view kAnyTier = "auto";

// A fact of a request, never of a dialect: what an endpoint must be able to do for it. The first
// ones say what is wanted at all. At most 64.
enum class Need : uint8_t {
  kChat,
  kEmbedding,
  kNoPromptText,   // there is no text that could be a prompt
  kOddPromptText,  // half of a surrogate pair stands in that text: no JSON but the client's has it
};
inline constexpr int kNeedCount = 4;

// A set of needs. Value type.
class NeedSet {
 public:
  constexpr NeedSet() = default;
  constexpr NeedSet(Need need) : bits_(Bit(need)) {}  // NOLINT: a set of one

  constexpr void Add(Need need) { bits_ |= Bit(need); }
  constexpr bool Has(Need need) const { return (bits_ & Bit(need)) != 0; }
  constexpr bool IsEmpty() const { return bits_ == 0; }
  constexpr bool operator==(const NeedSet&) const = default;
  friend constexpr NeedSet operator|(NeedSet a, NeedSet b) { return NeedSet(a.bits_ | b.bits_); }
  friend constexpr NeedSet operator&(NeedSet a, NeedSet b) { return NeedSet(a.bits_ & b.bits_); }

 private:
  explicit constexpr NeedSet(uint64_t bits) : bits_(bits) {}
  static constexpr uint64_t Bit(Need need) { return uint64_t{1} << static_cast<int>(need); }
  uint64_t bits_ = 0;
};

// What a client says of its answer.
enum class AnswerKinds : uint8_t { kUnsaid, kTextOnly, kOthers };

// What a request says of thinking.
struct AskedReasoning {
  bool any = false;             // it may ask for some
  std::optional<int64_t> most;  // tokens of one choice, where it names them
};

// What requests of one conversation begin with alike: its provider's cache may know it.
struct Affinity {
  std::string cache_key;  // `prompt_cache_key`, cut; empty: not said
  ByteRange system;       // in the body, the content of the first system message; empty: none
  ByteRange first_turn;   // likewise, of the first other one
  bool answered = false;  // an assistant has a message: it is no first question
};

// Made by its surface in the one pass over the body: nothing scans that again. Value type.
struct Ask {
  std::string model;  // decoded, as asked for
  bool stream = false;
  int64_t choices = 1;                // whole answers to pay for
  std::optional<int64_t> max_output;  // tokens of one choice; nothing: no length was named
  std::optional<Money> max_cost;      // the most that the answer may cost
  NeedSet needs;                      // judged against Endpoint::lacks before any hold
  TraitSet wants;                     // what it needs that not every endpoint has
  ParameterSet parameters;  // the optional fields that were sent, as far as they have names
  std::shared_ptr<const AskedRoute> route;  // what it says of where it may go; null: nothing
  AskedReasoning reasoning;
  Affinity affinity;
  // Of the last message of a user, the text, at most kMostExcerptBytes; empty: it was not asked for
  // (ReadScope), or there is none. Where the body has odd bytes, so has this.
  std::string excerpt;

  // As an upstream is expected to count it; nothing: it was not asked for (ReadScope).
  std::optional<TokenEstimate> prompt;
  // Tokens that no tokenizer exceeds, a token a byte of whatever the model may read, with what
  // stands around each message and each sized part of another kind; without the unsized.
  int64_t strict_prompt = 0;
  int64_t unsized_parts = 0;  // of the prompt: each may fill a context
  int64_t preamble = 0;       // tokens that a provider may write into the prompt besides
  // Of the prompt: what a model reads by itself, in a context of its own where its endpoint gives
  // each one (DialectTraits::one_context). A chat is one.
  int64_t inputs = 1;
  int64_t predicted = 0;     // tokens of output that the client foretold: paid for where not taken
  bool other_kinds = false;  // the prompt may hold something else than text and pictures
  AnswerKinds answer_kinds = AnswerKinds::kUnsaid;
  // That is asked for, letter by letter; empty: none but the usual one. A provider may answer at
  // that or at the usual one; of kAnyTier it chooses.
  std::string service_tier;
  // It has text and fields that the gateway knows, and nothing else: what such a request meets, any
  // may meet.
  bool is_ordinary = true;
};

// A request as it was read once. The subclasses are of their surfaces: ranges of the body, which
// must stay as it is. Immutable.
struct ParsedRequest {
  virtual ~ParsedRequest() = default;

  // The member of the request that a need is of: the `param` of a refusal; may be empty.
  virtual std::string PathOf(Need need) const = 0;

  Ask ask;
  ByteRange model_value;  // of "model", quotes included
};

}  // namespace seekroute
