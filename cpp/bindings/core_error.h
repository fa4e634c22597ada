// An Error of the core as an exception of Python: `_core.CoreError`, with code, message and
// retry_after_ms.
#pragma once

#include "base/result.h"
#include "bindings/pybind.h"

namespace seekroute {

void BindCoreError(pybind11::module_& m);

// Raises `error` in Python once the binding is left.
[[noreturn]] void ThrowError(const Error& error);

// The value, or ThrowError().
template <typename T>
T Unwrap(Result<T> result) {
  if (!result) ThrowError(result.error());
  return std::move(*result);
}

}  // namespace seekroute
