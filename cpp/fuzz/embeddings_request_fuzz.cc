// An embeddings request that is accepted is valid JSON, and what is sent to the upstream parses
// again: with the new model, without what is not for an upstream, and with everything else as it
// was. The one pass that also estimates the prompt says the same as two, and never more tokens than
// are held for.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/json/json.h"
#include "wire/openai/embeddings_request.h"
#include "wire/protocols/protocols.h"

namespace {

constexpr std::string_view kModel = "up/\"model\"\n";

void Check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto request = seekroute::ReadEmbeddings(body, {.prompt = true});
  const auto plain = seekroute::ReadEmbeddings(body, {});
  Check(plain.has_value() == request.has_value());
  if (!request) {
    const seekroute::Error& error = request.error();
    Check(error.status() == 400 && error.param.size() <= 80 && error.message.size() <= 240);
    Check(plain.error().message == error.message);
    return 0;
  }
  const seekroute::Ask& ask = (*request)->ask;
  const seekroute::TokenEstimate later = seekroute::EstimateEmbeddingsPrompt(body);
  Check(ask.prompt->tokens == later.tokens && ask.prompt->upper == later.upper);
  Check(ask.strict_prompt == (*plain)->ask.strict_prompt);
  Check(ask.prompt->tokens <= ask.prompt->upper && ask.prompt->upper <= ask.strict_prompt);
  Check((*request)->ask.inputs >= 1 && (*request)->ask.inputs <= seekroute::kMaxInputs);
  Check(ask.strict_prompt >= (*request)->ask.inputs);
  Check(seekroute::CheckJson(body).ok());

  const seekroute::RequestForm form;
  seekroute::TranscoderPlan plan;
  plan.surface = seekroute::SurfaceId::kEmbeddings;
  plan.request = request->get();
  plan.body = body;
  plan.upstream_model = kModel;
  plan.form = &form;
  plan.max_answer_bytes = size_t{1} << 40;
  const auto way = seekroute::DialectOf(seekroute::DialectId::kOpenAiEmbeddings).Open(plan);
  Check(way.has_value());
  const seekroute::UpstreamRequest sent = (*way)->TakeRequest();
  const auto again = seekroute::ReadEmbeddings(sent.body, {.prompt = true});
  Check(again.has_value() && (*again)->unsent.empty() && (*again)->ask.model == kModel);
  Check((*again)->ask.inputs == (*request)->ask.inputs && !(*again)->ask.max_cost);
  Check((*again)->ask.strict_prompt == ask.strict_prompt);
  Check((*again)->ask.prompt->upper == ask.prompt->upper);
  return 0;
}
