#include "wire/openai/upstream_chat.h"

#include <algorithm>
#include <vector>

#include "wire/json/cut_members.h"
#include "wire/json/json_writer.h"
#include "wire/json/splice.h"
#include "wire/openai/request_fields.h"

namespace seekroute {
namespace {

// The members that are cut, a length field among them, and seven edits of what stays.
static_assert(kMostUnsent + kRefusable.size() + 1 + 7 <= Splice::kMaxEdits);

bool IsBefore(const ByteRange& a, const ByteRange& b) { return a.begin < b.begin; }

// What a splice points to, and what is not sent at all.
struct CapEdits {
  std::string number;
  std::string name;  // of the provider's own field, in quotes
  std::string member;
  std::string reasoning;  // of the budget for thinking, likewise: a number or a member
  std::optional<ByteRange> cut;
};

// Likewise the thinking that comes beside.
void SpliceReasoning(const ChatRequest& request, int64_t tokens, CapEdits* edits, Splice* splice) {
  if (const auto& own = request.reasoning_budget_field) {
    edits->reasoning = std::to_string(tokens);
    if (!own->tokens || *own->tokens > tokens) splice->Replace(own->value, edits->reasoning);
    return;
  }
  edits->reasoning = ',';
  JsonWriter::Members(&edits->reasoning).KeyOf(kReasoningBudgetField).Integer(tokens);
  splice->Replace({request.model_value.end, request.model_value.end}, edits->reasoning);
}

// Tells the upstream `cap` in its own field. What is short enough keeps its bytes.
void SpliceCap(const ChatRequest& request, const AnswerCap& cap, CapEdits* edits, Splice* splice) {
  const int64_t tokens = std::min(cap.tokens, request.max_tokens.value_or(cap.tokens));
  edits->number = std::to_string(tokens);
  AppendJsonString(cap.field, &edits->name);
  const bool completion = cap.field == kMaxCompletionTokensField;
  const auto& own = completion ? request.max_completion_tokens_field : request.max_tokens_field;
  const auto& other = completion ? request.max_tokens_field : request.max_completion_tokens_field;
  const auto shorten = [&](const LengthField& field) {
    if (!field.tokens || *field.tokens > tokens) splice->Replace(field.value, edits->number);
  };
  if (own) {
    shorten(*own);
    if (!other || !other->tokens) return;
    // Who sent one in earnest has sent one: providers refuse two.
    if (own->tokens) return shorten(*other);
    edits->cut = ByteRange{other->name.begin, other->value.end};
  } else if (other) {
    splice->Replace(other->name, edits->name);
    shorten(*other);
  } else {
    edits->member = ',';
    JsonWriter::Members(&edits->member).KeyOf(cap.field).Integer(tokens);
    splice->Replace({request.model_value.end, request.model_value.end}, edits->member);
  }
}

// Whether the effort in `reasoning` is told in OpenAI's field: not where that says something
// itself.
bool TellsEffort(const ChatRequest& request, ReasoningForm form) {
  return form == ReasoningForm::kEffort && request.reasoning && request.reasoning->effort &&
         !request.reasoning_effort;
}

// The member whose value that is, with its name: no quote stands in this name, however it is
// escaped.
ByteRange MemberAround(std::string_view body, ByteRange value) {
  const size_t name_end = body.rfind('"', value.begin - 1);
  return {body.rfind('"', name_end - 1), value.end};
}

}  // namespace

std::string IgnoredFields(const ChatRequest& request, ReasoningForm reasoning,
                          const DroppedFields& dropped) {
  std::string names;
  const auto add = [&names](std::string_view name) {
    if (!names.empty()) names += ", ";
    names += name;
  };
  for (const std::string_view name : request.ignored) add(name);
  for (size_t i = 0; i < kRefusable.size(); ++i) {
    if (dropped[i] && request.refusable[i] && request.refusable[i]->set) add(kRefusable[i]);
  }
  if (reasoning == ReasoningForm::kObject) return names;
  if (const auto& asked = request.reasoning) {
    const bool told = !asked->effort || TellsEffort(request, reasoning);
    if (asked->other || !told) add("reasoning");
  }
  if (request.hides_reasoning) add("include_reasoning");
  return names;
}

std::string BuildUpstreamChat(std::string_view body, const ChatRequest& request,
                              std::string_view upstream_model, const std::optional<AnswerCap>& cap,
                              StreamUsage usage, ReasoningForm form, const DroppedFields& dropped) {
  std::string model;
  AppendJsonString(upstream_model, &model);
  Splice splice(body);
  splice.Replace(request.model_value, model);
  std::vector<ByteRange> cut = request.unsent;
  const auto leave_out = [&cut](ByteRange member) {
    cut.insert(std::upper_bound(cut.begin(), cut.end(), member, IsBefore), member);
  };
  for (size_t i = 0; i < kRefusable.size(); ++i) {
    if (dropped[i] && request.refusable[i]) leave_out(request.refusable[i]->member);
  }
  if (usage == StreamUsage::kUnasked) {
    if (request.stream_options) leave_out(MemberAround(body, *request.stream_options));
  } else if (request.stream) {
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
  std::string effort, effort_member;
  if (form != ReasoningForm::kObject) {
    if (request.include_reasoning_member) leave_out(*request.include_reasoning_member);
    if (TellsEffort(request, form)) effort = request.reasoning->effort->In(body);
    if (effort.empty()) {
      if (request.reasoning) leave_out(request.reasoning->member);
    } else if (request.reasoning_effort_value) {
      leave_out(request.reasoning->member);
      splice.Replace(*request.reasoning_effort_value, effort);
    } else {
      JsonWriter::Members(&effort_member).Key("reasoning_effort").Raw(effort);
      splice.Replace(request.reasoning->member, effort_member);
    }
  }
  CapEdits edits;
  if (cap) SpliceCap(request, *cap, &edits, &splice);
  if (cap && cap->reasoning) SpliceReasoning(request, *cap->reasoning, &edits, &splice);
  if (edits.cut) leave_out(*edits.cut);
  CutMembers(body, cut, &splice);
  std::string out;
  out.reserve(body.size() + model.size() + 64);
  splice.AppendTo(&out);
  return out;
}

}  // namespace seekroute
