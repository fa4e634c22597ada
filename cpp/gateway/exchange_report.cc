// What an answer tells beside its content: its names, its usage and cost, and its route.
#include "gateway/exchange.h"

namespace seekroute {

AnswerNames Exchange::Names() const {
  AnswerNames names{row_.generation_id, admission_.profile->object, {}, row_.created.s};
  names.repeats_reasoning =
      in_.origin == Origin::kServerApiV1 || admission_.profile->reasoning_on_v1;
  if (admission_.profile->answer_model == AnswerModel::kAsAsked && !admission_.automatic) {
    names.model = ask().model;
  } else if (admission_.profile->answer_model == AnswerModel::kBare) {
    names.model = candidate_->model->id.substr(candidate_->model->id.find('/') + 1);
  } else {
    names.model = candidate_->model->id;
  }
  return names;
}

UsageReport Exchange::Report() const {
  UsageReport report{bill_.usage, std::nullopt, Routing()};
  report.reported = bill_.reported;
  if (admission_.profile->usage_cost) {
    report.cost = {.cost = bill_.charge.total,
                   .details = admission_.profile->upstream_cost,
                   .upstream = bill_.charge.upstream,
                   .upstream_prompt = bill_.charge.upstream_prompt,
                   .upstream_completion = bill_.charge.upstream_completion};
  }
  return report;
}

std::string Exchange::Routing() const {
  if (in_.explain == Explain::kNo || admission_.model == nullptr) return {};
  return WriteRouting(in_.explain, row_, admission_.route, *in_.snapshot, next_candidate_,
                      world_.stats);
}

}  // namespace seekroute
