#include "wire/upstream_chat.h"

#include <charconv>

#include "wire/splice.h"

namespace seekroute {
namespace {

// A member with the comma that it leaves behind. It is never alone in its object.
ByteRange WithComma(std::string_view body, ByteRange member) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t next = body.find_first_not_of(kSpace, member.end);
  if (body[next] == ',') return {member.begin, next + 1};
  return {body.find_last_not_of(kSpace, member.begin - 1), member.end};
}

// Tells the upstream `cap`. `number` and `member` keep what the splice points to.
void SpliceCap(std::string_view body, const ChatRequest& request, const AnswerCap& cap,
               std::string* number, std::string* member, Splice* splice) {
  *number = std::to_string(cap.tokens);
  const auto is_null = [body](const ByteRange& value) { return body[value.begin] == 'n'; };
  bool said = false;
  for (const auto& value : {request.max_tokens_value, request.max_completion_tokens_value}) {
    if (!value || is_null(*value)) continue;
    said = true;
    int64_t asked = 0;  // an integer in range: it was parsed
    std::from_chars(body.data() + value->begin, body.data() + value->end, asked);
    if (asked > cap.tokens) splice->Replace(*value, *number);
  }
  if (said) return;
  const bool completion = request.max_completion_tokens_value ||
                          (!request.max_tokens_value && cap.field == kMaxCompletionTokensField);
  const auto& place = completion ? request.max_completion_tokens_value : request.max_tokens_value;
  if (place) return splice->Replace(*place, *number);
  *member = ",\"" + std::string(completion ? kMaxCompletionTokensField : kMaxTokensField) +
            "\":" + *number;
  splice->Replace({request.model_value.end, request.model_value.end}, *member);
}

}  // namespace

std::string BuildUpstreamChat(std::string_view body, const ChatRequest& request,
                              std::string_view upstream_model,
                              const std::optional<AnswerCap>& cap) {
  std::string model;
  AppendJsonString(upstream_model, &model);
  Splice splice(body);
  splice.Replace(request.model_value, model);
  if (request.stream) {
    const size_t model_end = request.model_value.end;
    if (request.include_usage_value) {
      splice.Replace(*request.include_usage_value, "true");
    } else if (!request.stream_options) {
      splice.Replace({model_end, model_end}, R"(,"stream_options":{"include_usage":true})");
    } else if (body[request.stream_options->begin] != '{') {
      splice.Replace(*request.stream_options, R"({"include_usage":true})");
    } else {
      const size_t inside = request.stream_options->begin + 1;
      const size_t first = body.find_first_not_of(" \t\r\n", inside);
      splice.Replace({inside, inside},
                     body[first] == '}' ? R"("include_usage":true)" : R"("include_usage":true,)");
    }
  }
  std::string number, member;
  if (cap) SpliceCap(body, request, *cap, &number, &member, &splice);
  if (request.max_cost_member) splice.Replace(WithComma(body, *request.max_cost_member), {});
  std::string out;
  out.reserve(body.size() + model.size() + 64);
  splice.AppendTo(&out);
  return out;
}

}  // namespace seekroute
