#include "wire/openai/embeddings_dialect.h"

#include <algorithm>
#include <string>
#include <utility>

#include "wire/json/cut_members.h"
#include "wire/json/splice.h"
#include "wire/openai/embeddings_transcoder.h"
#include "wire/openai/field_checks.h"
#include "wire/openai/request_fields.h"

namespace seekroute {
namespace {

static_assert(kMostUnsent + 1 <= Splice::kMaxEdits, "and the model");

std::string UpstreamBody(std::string_view body, const ParsedEmbeddings& asked,
                         std::string_view upstream_model) {
  std::string model;
  AppendJsonString(upstream_model, &model);
  Splice splice(body);
  splice.Replace(asked.model_value, model);
  CutMembers(body, asked.unsent, &splice);
  std::string out;
  out.reserve(body.size() + model.size());
  splice.AppendTo(&out);
  return out;
}

// What an embedding takes at least in an answer: what stands around it, and each of its numbers. A
// float of fewer digits would be of no use to anybody.
constexpr std::string_view kLeastEntry = R"({"embedding":""},)";
constexpr std::string_view kLeastFloat = "0.012,";

// Whether the answer to it, of floats of single precision, is longer than that for certain. What
// asks for other numbers is a field that the gateway does not know.
bool MustExceed(const ParsedEmbeddings& asked, int64_t model_dimensions, size_t most_bytes) {
  int64_t numbers = asked.dimensions;
  // Not every provider heeds the field.
  if (model_dimensions > 0)
    numbers = std::min(numbers > 0 ? numbers : kMaxDimensions, model_dimensions);
  if (numbers == 0 || !asked.ask.is_ordinary) return false;
  const int64_t in_base64 = (numbers * 4 * 4 + 2) / 3;
  const int64_t in_floats = numbers * static_cast<int64_t>(kLeastFloat.size());
  const int64_t each =
      (asked.base64 ? in_base64 : in_floats) + static_cast<int64_t>(kLeastEntry.size());
  return std::cmp_greater(asked.ask.inputs * each, most_bytes);
}

Error NoRoom(const ParsedEmbeddings& asked, size_t most_bytes) {
  std::string message = std::to_string(asked.ask.inputs) +
                        (asked.ask.inputs == 1 ? " embedding" : " embeddings") +
                        " of that length take more than the " + std::to_string(most_bytes) +
                        " bytes that an answer may have here: send fewer inputs at a time";
  if (!asked.base64) message += ", or ask for the encoding_format base64";
  return WithField(MakeError(ErrorCode::kInvalidValue, std::move(message), "input"));
}

}  // namespace

DialectTraits EmbeddingsDialect::traits() const {
  return {.lacks = Need::kChat, .token_answer = false, .one_context = false};
}

Result<std::unique_ptr<Transcoder>> EmbeddingsDialect::Open(TranscoderPlan plan) const {
  if (plan.surface != SurfaceId::kEmbeddings) {
    return MakeError(ErrorCode::kNoMatchingEndpoint, "this is no request for embeddings");
  }
  const auto& asked = static_cast<const ParsedEmbeddings&>(*plan.request);
  // Before it is sent: the provider would charge for what nobody gets.
  if (MustExceed(asked, plan.form->dimensions, plan.max_answer_bytes)) {
    return NoRoom(asked, plan.max_answer_bytes);
  }
  WholeTranscoder::Plan way{.request = {"/embeddings",
                                        UpstreamBody(plan.body, asked, plan.upstream_model),
                                        {"Accept: application/json"}},
                            .names = std::move(plan.names),
                            .max_answer_bytes = plan.max_answer_bytes};
  return std::unique_ptr<Transcoder>(
      std::make_unique<EmbeddingsTranscoder>(std::move(way), &asked));
}

}  // namespace seekroute
