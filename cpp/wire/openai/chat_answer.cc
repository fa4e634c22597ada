#include "wire/openai/chat_answer.h"

#include <algorithm>
#include <utility>

#include "wire/json/splice.h"
#include "wire/openai/chat_object.h"
#include "wire/openai/chat_writer.h"
#include "wire/openai/usage_object.h"
#include "wire/upstream_refusal.h"

namespace seekroute {
namespace {

std::optional<ByteRange> ValueOf(const std::optional<JsonMember>& member) {
  if (!member) return std::nullopt;
  return member->value;
}

}  // namespace

Result<ChatAnswer> ParseChatAnswer(std::string_view body) {
  Result<ChatObject> read = ReadChatObject(body, ChatShape::kMessage);
  if (!read) {
    // Error bodies of some providers are arrays.
    if (std::optional<Error> error = FindErrorInAnswer(body)) return *std::move(error);
    return std::move(read).error();
  }
  ChatObject& chat = *read;
  if (std::optional<Error> error = ErrorIn(body, chat)) return *std::move(error);
  if (chat.choice_count == 0) {
    if (std::optional<Error> error = FindErrorInAnswer(body)) return *std::move(error);
  }
  if (!chat.has_choices) {
    return MakeError(ErrorCode::kBadUpstreamResponse, "the provider's answer has no choices");
  }
  ChatAnswer answer;
  answer.usage = chat.usage.Counts();
  answer.usage_odd = chat.usage.odd;
  answer.content_bytes = chat.content_bytes;
  answer.lacks_member = chat.lacks_member;
  answer.has_content = chat.has_content;
  answer.media = chat.media;
  answer.finish_reason = std::move(chat.finish_reason);
  answer.service_tier = std::move(chat.service_tier);
  answer.id = ValueOf(chat.id);
  answer.object = ValueOf(chat.object);
  answer.model = ValueOf(chat.model);
  answer.created = ValueOf(chat.created);
  std::vector<JsonMember> repeated;
  for (const JsonMember& usage : chat.usages) {
    if (!usage.top_level) continue;
    if (answer.usage_value) {
      repeated.push_back(usage);
    } else {
      answer.usage_value = usage.value;
    }
  }
  repeated.insert(repeated.end(), chat.repeated.begin(), chat.repeated.end());
  std::sort(repeated.begin(), repeated.end(),
            [](const JsonMember& a, const JsonMember& b) { return a.whole.begin < b.whole.begin; });
  answer.repeated = RangesToRemove(body, repeated);
  answer.hidden_reasoning = std::move(chat.hidden_reasoning);
  return answer;
}

TokenEstimate EstimateChatAnswer(std::string_view body) {
  TokenEstimator content;
  // What is wrong with the answer has been told; what was read of it counts.
  (void)ReadChatObject(body, ChatShape::kMessage, &content);
  return content.Estimate();
}

std::string RewriteChatAnswer(std::string_view body, const ChatAnswer& answer,
                              const AnswerNames& names, const UsageReport& report) {
  std::string id, object, model;
  AppendJsonString(names.id, &id);
  AppendJsonString(names.object, &object);
  AppendJsonString(names.model, &model);
  const std::string usage = WriteUsage(report);
  const std::string created = std::to_string(names.created);

  Splice splice(body);
  std::string added;  // right behind the opening brace; `choices` follows somewhere
  JsonWriter json = JsonWriter::Members(&added);
  const auto set = [&](JsonName key, const std::optional<ByteRange>& value, std::string_view text) {
    if (value) return splice.Replace(*value, text);
    json.Key(key).Raw(text);
  };
  set("id", answer.id, id);
  set("object", answer.object, object);
  if (!answer.created || answer.created->In(body) == "null") {
    set("created", answer.created, created);
  }
  set("model", answer.model, model);
  set("usage", answer.usage_value, usage);
  for (const ByteRange& member : answer.repeated) splice.Replace(member, {});
  std::deque<std::string> reasoning;
  if (names.repeats_reasoning) ShowReasoning(body, answer.hidden_reasoning, &reasoning, &splice);
  json.RawMembers(report.routing);
  if (!added.empty()) added += ',';
  const size_t inside = body.find('{') + 1;
  splice.Replace({inside, inside}, added);

  std::string out;
  out.reserve(body.size() + added.size() + usage.size() + id.size() + model.size());
  splice.AppendTo(&out);
  return out;
}

std::string WriteChatAnswer(const AnswerNames& names, const std::vector<std::string>& contents,
                            const UsageReport& report) {
  std::string out;
  JsonWriter json(&out);
  json.Object();
  WriteChatHead(names, names.object, &json);
  json.Key("choices").Array();
  for (size_t i = 0; i < contents.size(); ++i) {
    json.Object().Key("index").Integer(i);
    json.Key("message").Object().Key("role").String("assistant");
    json.Key("content").String(contents[i]).Key("refusal").Null().End();
    json.Key("logprobs").Null().Key("finish_reason").String("stop").End();
  }
  json.End();
  WriteUsageMembers(report, &json);
  json.End();
  return out;
}

std::string WriteChatStream(const AnswerNames& names, const std::vector<std::string>& contents,
                            const UsageReport& report, bool include_usage) {
  enum class Piece : uint8_t { kRole, kContent, kEnd };
  std::string out;
  const auto chunk = [&](size_t index, Piece piece, bool with_usage) {
    out += "data: ";
    JsonWriter json(&out);
    json.Object();
    WriteChatHead(names, kChunkObject, &json);
    json.Key("choices").Array().Object().Key("index").Integer(index);
    json.Key("delta").Object();
    if (piece == Piece::kRole) json.Key("role").String("assistant").Key("content").String("");
    if (piece == Piece::kContent) json.Key("content").String(contents[index]);
    json.End().Key("finish_reason");
    piece == Piece::kEnd ? json.String("stop") : json.Null();
    json.End().End();
    if (with_usage) WriteUsageMembers(report, &json);
    json.End();
    out += "\n\n";
  };
  for (size_t i = 0; i < contents.size(); ++i) {
    chunk(i, Piece::kRole, false);
    chunk(i, Piece::kContent, false);
    chunk(i, Piece::kEnd, i + 1 == contents.size() && !include_usage);
  }
  if (include_usage || contents.empty()) AppendUsageChunk(names, report, &out);
  out += kDoneEvent;
  return out;
}

}  // namespace seekroute
