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
  const auto set = [&](std::string_view key, const std::optional<ByteRange>& value,
                       std::string_view text) {
    if (value) return splice.Replace(*value, text);
    added += '"';
    added += key;
    added += "\":";
    added += text;
    added += ',';
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
  if (!report.routing.empty()) added += report.routing + ',';
  const size_t inside = body.find('{') + 1;
  splice.Replace({inside, inside}, added);

  std::string out;
  out.reserve(body.size() + added.size() + usage.size() + id.size() + model.size());
  splice.AppendTo(&out);
  return out;
}

std::string WriteChatAnswer(const AnswerNames& names, const std::vector<std::string>& contents,
                            const UsageReport& report) {
  std::string out = "{";
  AppendChatHead(names, names.object, &out);
  out += ",\"choices\":[";
  for (size_t i = 0; i < contents.size(); ++i) {
    if (i > 0) out += ',';
    out += "{\"index\":" + std::to_string(i) + R"(,"message":{"role":"assistant","content":)";
    AppendJsonString(contents[i], &out);
    out += R"(,"refusal":null},"logprobs":null,"finish_reason":"stop"})";
  }
  out += "]," + UsageMembers(report) + '}';
  return out;
}

std::string WriteChatStream(const AnswerNames& names, const std::vector<std::string>& contents,
                            const UsageReport& report, bool include_usage) {
  std::string out;
  const auto chunk = [&](size_t index, std::string_view delta, std::string_view finish_reason,
                         std::string_view members) {
    out += "data: {";
    AppendChatHead(names, kChunkObject, &out);
    out += ",\"choices\":[{\"index\":" + std::to_string(index) + ",\"delta\":{";
    out += delta;
    out += "},\"finish_reason\":";
    out += finish_reason;
    out += "}]";
    if (!members.empty()) out += ',';
    out += members;
    out += "}\n\n";
  };
  const std::string members = UsageMembers(report);
  for (size_t i = 0; i < contents.size(); ++i) {
    chunk(i, R"("role":"assistant","content":"")", "null", {});
    std::string delta = "\"content\":";
    AppendJsonString(contents[i], &delta);
    chunk(i, delta, "null", {});
    const bool last = i + 1 == contents.size();
    chunk(i, {}, "\"stop\"",
          last && !include_usage ? std::string_view(members) : std::string_view());
  }
  if (include_usage || contents.empty()) AppendUsageChunk(names, members, &out);
  out += kDoneEvent;
  return out;
}

}  // namespace seekroute
