#include "bindings/pybind.h"
#include "bindings/released_gil.h"

#include "wire/ask.h"
#include "wire/openai/chat_prompt.h"
#include "wire/openai/chat_request.h"
#include "wire/token_estimate.h"

namespace py = pybind11;

namespace seekroute {
namespace {

py::tuple TupleOf(const TokenEstimate& estimate) {
  return py::make_tuple(estimate.tokens, estimate.upper);
}

}  // namespace

void BindTokens(py::module_& m) {
  // The bytes object is alive while its caller waits; long texts do not hold the GIL.
  m.def(
      "estimate_tokens",
      [](const py::bytes& text) {
        const std::string_view view(text);
        TokenEstimate estimate;
        {
          const ReleasedGil released;
          estimate = EstimateTokens(view);
        }
        return TupleOf(estimate);
      },
      py::arg("text"));
  m.def(
      "estimate_prompt",
      [](const py::bytes& body) {
        const std::string_view view(body);
        TokenEstimate estimate;
        {
          const ReleasedGil released;
          estimate = EstimateChatPrompt(view, kUnsizedTokens);
        }
        return TupleOf(estimate);
      },
      py::arg("body"));
}

}  // namespace seekroute
