#include "wire/openai/embeddings_answer.h"

#include <utility>

#include "wire/json/cut_members.h"
#include "wire/json/json_scan.h"
#include "wire/json/json_writer.h"
#include "wire/json/splice.h"
#include "wire/openai/usage_object.h"
#include "wire/provider_error.h"
#include "wire/upstream_refusal.h"

namespace seekroute {
namespace {

using enum ErrorCode;

Error Bad(std::string message) {
  return MakeError(kBadUpstreamResponse, "the provider's answer " + std::move(message));
}

// {"data":[{"embedding"}],"model","service_tier","usage"}
class AnswerSink final : public JsonSink {
 public:
  explicit AnswerSink(std::string_view body) : body_(body) {}

  Step OnOpen(const JsonPlace& place, JsonType type) override {
    switch (place.depth()) {
      case 0:
        return type == JsonType::kObject ? Step::kEnter : Stop("has no data");
      case 1:
        in_data_ = type == JsonType::kArray && place.key() == "data";
        if (in_data_ && std::exchange(has_data, true)) return Stop("has its data twice");
        return in_data_ ? Step::kEnter : Step::kSkip;
      case 2:
        if (type != JsonType::kObject) return Stop("has an entry that is no object");
        ++entries;
        has_embedding_ = false;
        return Step::kEnter;
      case 3:
        in_embedding_ = place.key() == "embedding";
        if (!in_embedding_) return Step::kSkip;
        if (type != JsonType::kArray) return Stop("has an embedding that is no list of numbers");
        if (std::exchange(has_embedding_, true)) return Stop("has an embedding twice");
        numbers_ = 0;
        return Step::kEnter;
      default:
        return Stop("has an embedding that is no list of numbers");
    }
  }

  bool OnClose(const JsonPlace& place, const JsonValue& value) override {
    if (place.depth() == 1) return Note(place, value);
    if (place.depth() == 2 && !has_embedding_) return Fail(Bad("has an entry without embedding"));
    if (place.depth() == 3 && in_embedding_) {
      in_embedding_ = false;
      if (numbers_ == 0) return Fail(Bad("has an empty embedding"));
    }
    return true;
  }

  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
    switch (place.depth()) {
      case 0:
        return Fail(Bad("has no data"));
      case 1:
        return Note(place, value);
      case 2:
        return Fail(Bad("has an entry that is no object"));
      case 3:
        return place.key() != "embedding" || SeeString(value);
      default:
        ++numbers_;
        return value.type == JsonType::kNumber || value.type == JsonType::kNull ||
               Fail(Bad("has an embedding that is no list of numbers"));
    }
  }

  EmbeddingsAnswer answer;
  bool has_data = false;
  bool has_error = false;
  int64_t entries = 0;

 private:
  Step Stop(std::string message) {
    Fail(Bad(std::move(message)));
    return Step::kStop;
  }

  bool SeeString(const JsonValue& value) {
    if (value.type != JsonType::kString) {
      return Fail(Bad("has an embedding that is no list of numbers"));
    }
    if (value.text.empty()) return Fail(Bad("has an empty embedding"));
    return !std::exchange(has_embedding_, true) || Fail(Bad("has an embedding twice"));
  }

  // A member of the answer itself.
  bool Note(const JsonPlace& place, const JsonValue& value) {
    const std::string_view key = place.key();
    std::optional<ByteRange>* first = nullptr;
    if (key == "error") {
      has_error = has_error || !SaysNothing(value.range.In(body_));
    } else if (key == "object") {
      has_error = has_error || value.text == "error";
      first = &answer.object;
    } else if (key == "id") {
      first = &answer.id;
    } else if (key == "model") {
      first = &answer.model;
    } else if (key == "service_tier") {
      if (value.type == JsonType::kString && IsTierName(value.text)) {
        answer.service_tier = value.text;
      }
    } else if (key == "usage") {
      answer.usage_odd = answer.usage_odd || answer.usage_value.has_value();
      first = &answer.usage_value;
    }
    if (first == nullptr) return true;
    if (*first) {
      answer.repeated.push_back({place.key_range().begin, value.range.end});
    } else {
      *first = value.range;
    }
    return true;
  }

  const std::string_view body_;
  bool in_data_ = false;
  bool in_embedding_ = false;
  bool has_embedding_ = false;
  int64_t numbers_ = 0;
};

// What a provider says of the prompt, under whichever name: some tell the total alone. What it says
// of an output is none.
Usage PromptUsage(const Usage& told) {
  const std::optional<int64_t> prompt = told.prompt ? told.prompt : told.total;
  if (prompt.value_or(0) == 0) return {};
  Usage usage;
  usage.TakePrompt(told);
  usage.prompt = prompt;
  usage.completion = 0;
  usage.total = prompt;
  return usage;
}

}  // namespace

Result<EmbeddingsAnswer> ReadEmbeddingsAnswer(std::string_view body, int64_t inputs) {
  AnswerSink sink(body);
  Status read = ScanJson(body, JsonKeys::kAny, &sink);
  const bool unread = !read && read.error().code != kBadUpstreamResponse;
  if (unread) return Bad("is no list of embeddings: " + read.error().message);
  if (sink.has_error) return ReadErrorInAnswer(body);
  if (read && !sink.has_data) read = Bad("has no data");
  if (read && sink.entries != inputs) {
    read = Bad("has " + std::to_string(sink.entries) + " embeddings of " + std::to_string(inputs) +
               (inputs == 1 ? " input" : " inputs"));
  }
  if (!read) {
    // Error bodies of some providers are arrays, or objects of another kind.
    if (std::optional<Error> error = FindErrorInAnswer(body)) return *std::move(error);
    return read.error();
  }
  EmbeddingsAnswer answer = std::move(sink.answer);
  if (answer.usage_value) {
    const UsageReading usage = ParseUsage(answer.usage_value->In(body));
    answer.usage = PromptUsage(usage.Counts());
    answer.usage_odd = answer.usage_odd || usage.odd;
  }
  return answer;
}

void RewriteEmbeddingsAnswer(const EmbeddingsAnswer& answer, const AnswerNames& names,
                             const UsageReport& report, std::string* body) {
  std::string id, model, usage;
  AppendJsonString(names.id, &id);
  AppendJsonString(names.model, &model);
  JsonWriter usage_json(&usage);
  WritePromptUsage(report, &usage_json);

  Splice splice(*body);
  std::string added;  // right behind the opening brace; `data` follows somewhere
  JsonWriter json = JsonWriter::Members(&added);
  const auto set = [&](JsonName key, const std::optional<ByteRange>& value, std::string_view text) {
    if (value) return splice.Replace(*value, text);
    json.Key(key).Raw(text);
  };
  if (answer.id) splice.Replace(*answer.id, id);
  if (!answer.object) json.Key("object").String("list");
  set("model", answer.model, model);
  set("usage", answer.usage_value, usage);
  CutMembers(*body, answer.repeated, &splice);
  json.RawMembers(report.routing);
  if (!added.empty()) added += ',';
  const size_t inside = body->find('{') + 1;
  splice.Replace({inside, inside}, added);
  splice.ApplyTo(body);
}

}  // namespace seekroute
