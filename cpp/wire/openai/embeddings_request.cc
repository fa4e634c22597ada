#include "wire/openai/embeddings_request.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "base/letter_case.h"
#include "wire/json/json_scan.h"
#include "wire/openai/field_checks.h"
#include "wire/openai/prompt_parts.h"
#include "wire/openai/request_fields.h"
#include "wire/openai/routing_reader.h"

namespace seekroute {
namespace {

using enum ErrorCode;

// What a provider writes around a text at most, in tokens: what opens and ends it, and a word that
// says what it is embedded for. Around tokens nobody writes.
constexpr int64_t kMostTextMarks = 8;

// The fields that a chat request does not have.
enum class Own : uint8_t { kNone, kInput, kDimensions, kEncoding, kOtherSpelling };

Own OwnNamed(std::string_view name) {
  struct Name {
    std::string_view name;
    Own field;
  };
  static constexpr std::array kNames = {Name{"input", Own::kInput},
                                        Name{"dimensions", Own::kDimensions},
                                        Name{"encoding_format", Own::kEncoding}};
  for (const Name& each : kNames) {
    if (each.name == name) return each.field;
    if (IsSameWhenFolded(name, each.name)) return Own::kOtherSpelling;
  }
  return Own::kNone;
}

// Puts together a ParsedEmbeddings from one scan of a body. Not thread-safe.
class EmbeddingsSink final : public JsonSink {
 public:
  explicit EmbeddingsSink(bool estimates) : estimates_(estimates) { ask_.inputs = 0; }

  Step OnOpen(const JsonPlace& place, JsonType type) override;
  bool OnClose(const JsonPlace& place, const JsonValue& value) override;
  bool OnScalar(const JsonPlace& place, const JsonValue& value) override;

  // After the scan that has ended so: the request, or why it is refused. Once.
  Result<std::unique_ptr<ParsedEmbeddings>> Take(const Status& scanned);

 private:
  // What the elements of `input` are.
  enum class Input : uint8_t { kUnknown, kTexts, kTokens, kTokenArrays };

  Step OpenField(const JsonPlace& place, JsonType type);
  bool BeginField(const JsonPlace& place, JsonType type);
  bool BeginElement(const JsonPlace& place, Input kind, JsonType type);
  bool EndInputs(const JsonPlace& place);
  bool AddText(const JsonPlace& place, const JsonValue& value);
  bool AddToken(const JsonPlace& place, const JsonValue& value);
  bool SetInput(const JsonPlace& place, const JsonValue& value);
  bool SetField(const JsonPlace& place, const JsonValue& value);
  bool SetDimensions(const JsonPlace& place, const JsonValue& value);
  void EndField(const JsonPlace& place, const JsonValue& value);
  void CountMedia(const JsonPlace& place, JsonType type, std::string_view text);
  int64_t marks() const { return texts_read_ * kMostTextMarks; }
  bool WrongType(const JsonPlace& place, std::string_view expected, JsonType got) {
    return Fail(WrongTypeError(place, expected, got));
  }
  bool Passes(std::optional<Error> refused) { return !refused || Fail(*std::move(refused)); }

  const bool estimates_;
  std::unique_ptr<ParsedEmbeddings> parsed_ = std::make_unique<ParsedEmbeddings>();
  Ask& ask_ = parsed_->ask;
  Own own_ = Own::kNone;  // the top-level member being read
  FieldRule rule_;        // where that is none of those
  MediaMembers members_{MemberOf::kRequest, 1};
  RoutingReader routing_;
  Input input_ = Input::kUnknown;
  bool has_model_ = false;
  bool has_input_ = false;
  int64_t expected_ = 0;  // tokens of the texts
  int64_t texts_read_ = 0;
  int64_t text_bytes_ = 0;
  int64_t tokens_ = 0;         // that came as tokens
  int64_t tokens_before_ = 0;  // the array of them that is being read
  int64_t other_bytes_ = 0;    // of fields of which nobody knows who reads them
  int64_t picture_tokens_ = 0;
};

JsonSink::Step EmbeddingsSink::OnOpen(const JsonPlace& place, JsonType type) {
  if (place.depth() == 0) {
    if (type == JsonType::kObject) return Step::kEnter;
    Fail(kInvalidJson, "expected a JSON object, got an array");
    return Step::kStop;
  }
  if (place.depth() == 1) return OpenField(place, type);
  if (own_ == Own::kInput) {
    const bool opens = place.depth() == 2 && type == JsonType::kArray;
    tokens_before_ = tokens_;
    const bool fits = opens ? BeginElement(place, Input::kTokenArrays, type)
                            : WrongType(place, place.depth() == 2 ? "a string" : "a token", type);
    if (!fits) return Step::kStop;
    ++ask_.inputs;
    return Step::kEnter;
  }
  if (rule_.kind == FieldKind::kRouting) {
    return Passes(routing_.OnOpen(place, type)) ? Step::kEnter : Step::kStop;
  }
  if (!rule_.may_hold_media()) return Step::kSkip;
  CountMedia(place, type, {});
  return Step::kEnter;
}

JsonSink::Step EmbeddingsSink::OpenField(const JsonPlace& place, JsonType type) {
  if (!BeginField(place, type)) return Step::kStop;
  if (own_ == Own::kInput) {
    if (type == JsonType::kArray) return Step::kEnter;
    WrongType(place, "a string or an array", type);
    return Step::kStop;
  }
  if (own_ != Own::kNone) {
    WrongType(place, own_ == Own::kDimensions ? "an integer" : "a string", type);
    return Step::kStop;
  }
  if (rule_.kind == FieldKind::kRouting) {
    return Passes(routing_.OnOpen(place, type)) ? Step::kEnter : Step::kStop;
  }
  if (!rule_.may_hold_media()) return Step::kSkip;
  CountMedia(place, type, {});
  return Step::kEnter;
}

// Whether a field may be there at all, and as that. What is refused is not given where it is null.
bool EmbeddingsSink::BeginField(const JsonPlace& place, JsonType type) {
  own_ = OwnNamed(place.key());
  rule_ = own_ == Own::kNone ? FieldNamed(place.key()) : FieldRule{};
  if (own_ == Own::kOtherSpelling) rule_.kind = FieldKind::kOtherSpelling;
  if (own_ == Own::kInput) has_input_ = true;
  if (rule_.may_hold_media()) ask_.is_ordinary = false;
  switch (rule_.kind) {
    case FieldKind::kMessages:
      return Fail(kUnknownParameter,
                  "an embedding is made of 'input'; messages are sent to POST /v1/chat/completions",
                  place.Path());
    case FieldKind::kForeign:
    case FieldKind::kAnyPrompt:
    case FieldKind::kOtherSpelling:
      if (IsAbsent(rule_.kind, type)) return true;
      return Fail(kUnknownParameter, std::string(RefusalOf(rule_.kind)), place.Path());
    case FieldKind::kModel:
    case FieldKind::kUser:
    case FieldKind::kStream:
    case FieldKind::kMaxCost:
      return MayBe(rule_.kind, type) || WrongType(place, ExpectedBy(rule_.kind), type);
    default:
      return true;
  }
}

bool EmbeddingsSink::OnScalar(const JsonPlace& place, const JsonValue& value) {
  if (place.depth() == 0) {
    return Fail(kInvalidJson, "expected a JSON object, got " + std::string(NameOf(value.type)));
  }
  if (place.depth() > 1) {
    if (own_ == Own::kInput) return SetInput(place, value);
    if (rule_.kind == FieldKind::kRouting) return Passes(routing_.OnScalar(place, value));
    if (rule_.may_hold_media()) CountMedia(place, value.type, TextOf(value));
    return true;
  }
  if (!BeginField(place, value.type)) return false;
  switch (own_) {
    case Own::kInput:
      if (value.type != JsonType::kString) {
        return WrongType(place, "a string or an array", value.type);
      }
      ask_.inputs = 1;
      return AddText(place, value);
    case Own::kDimensions:
      return value.type == JsonType::kNull || SetDimensions(place, value);
    case Own::kEncoding:
      if (value.type == JsonType::kNull) return true;
      if (value.type != JsonType::kString) return WrongType(place, "a string", value.type);
      parsed_->base64 = value.text == "base64";
      if (value.text == "float" || parsed_->base64) return true;
      return Fail(kInvalidValue, "expected 'float' or 'base64'", place.Path());
    default:
      return SetField(place, value);
  }
}

// A field that chat requests have as well, or that nobody knows.
bool EmbeddingsSink::SetField(const JsonPlace& place, const JsonValue& value) {
  switch (rule_.kind) {
    case FieldKind::kModel:
      if (std::optional<Error> why = RefuseModelName(value, place)) return Fail(*std::move(why));
      has_model_ = true;
      ask_.model = value.text;
      parsed_->model_value = value.range;
      return true;
    case FieldKind::kUser:
      return !value.lone_surrogate ||
             Fail(kInvalidUnicode, "expected text without lone surrogates", place.Path());
    case FieldKind::kRouting:
      EndField(place, value);
      return Passes(routing_.OnScalar(place, value));
    case FieldKind::kStream:
      return value.type != JsonType::kTrue ||
             Fail(kInvalidValue, "expected false: embeddings come in one answer", place.Path());
    case FieldKind::kMaxCost: {
      parsed_->unsent.push_back({place.key_range().begin, value.range.end});
      if (value.type == JsonType::kNull) return true;
      Result<Money> amount = ParseUsdLimit(value.text);
      if (!amount) return Fail(kInvalidValue, std::move(amount.error().message), place.Path());
      ask_.max_cost = *amount;
      return true;
    }
    default:
      if (rule_.may_hold_media() && value.type != JsonType::kNull &&
          value.type != JsonType::kFalse) {
        CountMedia(place, value.type, TextOf(value));
      }
      EndField(place, value);
      return true;
  }
}

bool EmbeddingsSink::SetDimensions(const JsonPlace& place, const JsonValue& value) {
  if (value.type != JsonType::kNumber) return WrongType(place, "an integer", value.type);
  const std::optional<int64_t> number = WholeNumber(value.text);
  if (!number) return Fail(kInvalidType, "expected an integer, got a fraction", place.Path());
  parsed_->dimensions = *number;
  if (*number >= 1 && *number <= kMaxDimensions) return true;
  return Fail(kInvalidValue,
              "expected an integer from 1 to " + std::to_string(kMaxDimensions) + ", got " +
                  std::string(value.text.substr(0, 32)),
              place.Path());
}

// An element of `input`, or of an array in it.
bool EmbeddingsSink::SetInput(const JsonPlace& place, const JsonValue& value) {
  if (place.depth() == 2 && value.type == JsonType::kString) {
    if (!BeginElement(place, Input::kTexts, value.type)) return false;
    ++ask_.inputs;
    return AddText(place, value);
  }
  if (value.type != JsonType::kNumber) {
    return WrongType(place, place.depth() == 2 ? "a string" : "a token", value.type);
  }
  // The tokens of one array are one input.
  if (place.depth() == 2) {
    if (!BeginElement(place, Input::kTokens, value.type)) return false;
    ask_.inputs = 1;
  }
  return AddToken(place, value);
}

// All elements are of one kind.
bool EmbeddingsSink::BeginElement(const JsonPlace& place, Input kind, JsonType type) {
  if (input_ == Input::kUnknown) input_ = kind;
  if (input_ == kind) return true;
  const std::string_view others = input_ == Input::kTexts    ? "a string"
                                  : input_ == Input::kTokens ? "a token"
                                                             : "an array of tokens";
  return WrongType(place, std::string(others) + " like the elements before", type);
}

// Too many are refused where they end: the client is told how many there are.
bool EmbeddingsSink::EndInputs(const JsonPlace& place) {
  if (ask_.inputs == 0) {
    return Fail(kInvalidValue, "expected at least one input", place.Path());
  }
  if (ask_.inputs <= kMaxInputs) return true;
  return Fail(kInvalidValue,
              "expected at most " + std::to_string(kMaxInputs) + " inputs, got " +
                  std::to_string(ask_.inputs) + "; split them into several requests",
              place.Path());
}

bool EmbeddingsSink::AddText(const JsonPlace& place, const JsonValue& value) {
  if (value.text.empty()) {
    return Fail(kInvalidValue, "expected text, got an empty string", place.Path());
  }
  ++texts_read_;
  text_bytes_ += static_cast<int64_t>(value.text.size());
  if (!estimates_) return true;
  expected_ += EstimateTokens(value.text).tokens;  // no text is less than a token
  return true;
}

// There may be millions: most are plain digits.
bool EmbeddingsSink::AddToken(const JsonPlace& place, const JsonValue& value) {
  const char* const end = value.text.data() + value.text.size();
  int64_t token = -1;
  const auto read = std::from_chars(value.text.data(), end, token);
  if (read.ec != std::errc() || read.ptr != end) {
    const std::optional<int64_t> whole = WholeNumber(value.text);
    if (!whole) return Fail(kInvalidType, "expected a token, got a fraction", place.Path());
    token = *whole;
  }
  if (token < 0 || token > kMaxTokenId) {
    return Fail(kInvalidValue,
                "expected a token from 0 to " + std::to_string(kMaxTokenId) + ", got " +
                    std::string(value.text.substr(0, 32)),
                place.Path());
  }
  ++tokens_;
  return true;
}

bool EmbeddingsSink::OnClose(const JsonPlace& place, const JsonValue& value) {
  if (own_ == Own::kInput) {
    if (place.depth() == 1) return EndInputs(place);
    return place.depth() != 2 || tokens_ != tokens_before_ ||
           Fail(kInvalidValue, "expected at least one token", place.Path());
  }
  if (place.depth() != 1) return true;
  EndField(place, value);
  return rule_.kind != FieldKind::kRouting || Passes(routing_.OnEnd(place, value));
}

// Of a field that is none of this surface's own.
void EmbeddingsSink::EndField(const JsonPlace& place, const JsonValue& value) {
  const ByteRange member{place.key_range().begin, value.range.end};
  switch (rule_.kind) {
    case FieldKind::kElsewhere:
      if (!AsksForNothing(value)) parsed_->ignored.push_back(rule_.name);
      [[fallthrough]];
    case FieldKind::kGiven:
    case FieldKind::kRouting:
    case FieldKind::kForeign:
    case FieldKind::kAnyPrompt:
      parsed_->unsent.push_back(member);
      return;
    default:
      break;
  }
  if (value.type == JsonType::kNull || value.type == JsonType::kFalse) return;
  if (rule_.use == FieldUse::kServiceTier) {
    ask_.service_tier = TierAskedFor(value);
  } else if (rule_.use != FieldUse::kNone) {
    // Not counted as a value that could name anything, but it switches something on.
    const bool switches = rule_.use == FieldUse::kFetches && value.type == JsonType::kNumber;
    if (switches) ++ask_.unsized_parts;
    other_bytes_ += static_cast<int64_t>(member.end - member.begin);
  }
}

void EmbeddingsSink::CountMedia(const JsonPlace& place, JsonType type, std::string_view text) {
  const MediaCount more = members_.OnValue(place, type, text);
  if (more.all() == 0) return;
  picture_tokens_ += more.pictures * kMostPictureTokens;
  ask_.unsized_parts += more.unsized;
  ask_.other_kinds = true;
}

Result<std::unique_ptr<ParsedEmbeddings>> EmbeddingsSink::Take(const Status& scanned) {
  if (!scanned) return WithField(scanned.error());
  if (!has_model_) {
    return WithField(MakeError(kMissingRequiredParameter, "expected the name of a model", "model"));
  }
  if (!has_input_) {
    return WithField(MakeError(kMissingRequiredParameter, "expected text or tokens", "input"));
  }
  ask_.needs.Add(Need::kEmbedding);
  if (routing_.has_unknown()) parsed_->ignored.push_back("provider");
  ask_.route = routing_.Take();
  ask_.answer_kinds = AnswerKinds::kTextOnly;  // nothing in it has a price of its own
  if (ask_.unsized_parts > 0 || ask_.other_kinds) ask_.is_ordinary = false;
  const int64_t others = other_bytes_ * ask_.inputs + picture_tokens_;
  ask_.strict_prompt = text_bytes_ + marks() + tokens_ + others;
  if (estimates_) {
    ask_.prompt = TokenEstimate{expected_ + tokens_, ask_.strict_prompt};
  }
  return std::move(parsed_);
}

}  // namespace

Result<std::unique_ptr<ParsedEmbeddings>> ReadEmbeddings(std::string_view body, ReadScope scope) {
  EmbeddingsSink sink(scope.prompt);
  Result<std::unique_ptr<ParsedEmbeddings>> read =
      sink.Take(ScanJson(body, JsonKeys::kUnique, &sink));
  if (read && (*read)->ask.max_cost && !scope.prompt) {
    (*read)->ask.prompt = EstimateEmbeddingsPrompt(body);
  }
  return read;
}

TokenEstimate EstimateEmbeddingsPrompt(std::string_view body) {
  EmbeddingsSink sink(true);
  const auto read = sink.Take(ScanJson(body, JsonKeys::kUnique, &sink));
  return read ? *(*read)->ask.prompt : EstimateTokens(body);
}

}  // namespace seekroute
