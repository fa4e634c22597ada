// The only include of pybind11.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace seekroute {

void BindRecord(pybind11::module_& m);
void BindPrice(pybind11::module_& m);
void BindGateway(pybind11::module_& m);
void BindKeyShapes(pybind11::module_& m);
void BindTokens(pybind11::module_& m);
void BindLedger(pybind11::module_& m);
void BindAuto(pybind11::module_& m);
void BindAutoWeights(pybind11::module_& m);

}  // namespace seekroute
