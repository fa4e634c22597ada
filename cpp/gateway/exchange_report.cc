// What an answer tells beside its content: its names, its usage and cost, its route, and what of
// the request had no effect.
#include "gateway/exchange.h"
#include "wire/openai/upstream_chat.h"

namespace seekroute {

AnswerNames Exchange::Names() const {
  AnswerNames names{row_.generation_id, profile_->object, {}, row_.created.s};
  names.repeats_reasoning = in_.origin == Origin::kServerApiV1 || profile_->reasoning_on_v1;
  if (profile_->answer_model == AnswerModel::kAsAsked && !automatic_) {
    names.model = request_.model;
  } else if (profile_->answer_model == AnswerModel::kBare) {
    names.model = model_->id.substr(model_->id.find('/') + 1);
  } else {
    names.model = model_->id;
  }
  return names;
}

UsageReport Exchange::Report() const {
  UsageReport report{bill_.usage, std::nullopt, Routing()};
  report.reported = bill_.reported;
  if (profile_->usage_cost) {
    report.cost = {.cost = bill_.charge.total,
                   .details = profile_->upstream_cost,
                   .upstream = bill_.charge.upstream,
                   .upstream_prompt = bill_.charge.upstream_prompt,
                   .upstream_completion = bill_.charge.upstream_completion};
  }
  return report;
}

std::string Exchange::Routing() const {
  if (in_.explain == Explain::kNo || model_ == nullptr) return {};
  return WriteRouting(in_.explain, row_, *model_, *in_.snapshot, automatic_, next_candidate_,
                      world_.stats);
}

// The members that the client sent for nothing.
std::string Exchange::Ignored() const {
  const bool chat = model_->output == Output::kText;
  if (!chat) return IgnoredFields(request_, ReasoningForm::kNone);
  return IgnoredFields(request_, endpoint_->form.reasoning, endpoint_->form.dropped);
}

}  // namespace seekroute
