#include <malloc.h>

#include "bindings/core_error.h"
#include "bindings/pybind.h"

#include "base/digest.h"
#include "base/error.h"

namespace py = pybind11;

PYBIND11_MODULE(_core, m) {
  m.attr("__version__") = SEEKROUTE_VERSION;
  seekroute::BindCoreError(m);
  seekroute::BindRecord(m);
  seekroute::BindPrice(m);
  seekroute::BindGateway(m);
  seekroute::BindKeyShapes(m);
  seekroute::BindTokens(m);
  seekroute::BindLedger(m);
  seekroute::BindAuto(m);
  seekroute::BindAutoWeights(m);

  m.def(
      "hmac_sha256",
      [](const py::bytes& key, const py::bytes& message) {
        const seekroute::Mac mac =
            seekroute::HmacSha256(seekroute::Secret(std::string(key)), std::string_view(message));
        return py::bytes(reinterpret_cast<const char*>(mac.data()), mac.size());
      },
      py::arg("key"), py::arg("message"));
  // Blocks of 128 KiB and more are the system's again when they are freed. Of itself malloc
  // learns from the first large body to keep all of them. Of the whole process, so for programs of
  // our own.
  m.def("return_large_blocks", [] { return mallopt(M_MMAP_THRESHOLD, 128 << 10) == 1; });
  m.def("errors", [] {
    py::list rows;
    for (int i = 0; i < seekroute::kErrorCodeCount; ++i) {
      const auto& row = seekroute::TraitsOf(static_cast<seekroute::ErrorCode>(i));
      py::object retry = py::none();
      if (row.client_retry != seekroute::ClientRetry::kUnsaid) {
        retry = py::bool_(row.client_retry == seekroute::ClientRetry::kYes);
      }
      rows.append(py::make_tuple(row.name, row.status, row.type, std::move(retry),
                                 row.retry_after_ms, row.hint));
    }
    return rows;
  });
}
