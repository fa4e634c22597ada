#include "bindings/pybind.h"

#include "base/key_shapes.h"

namespace py = pybind11;

namespace seekroute {

void BindKeyShapes(py::module_& m) {
  m.def(
      "without_keys",
      [](const py::bytes& text) { return py::bytes(WithoutKeys(std::string_view(text))); },
      py::arg("text"));
  m.def(
      "begins_as_key",
      [](const py::bytes& text) { return KeyHeadAt(std::string_view(text), 0) > 0; },
      py::arg("text"));
  m.def("key_heads", [] {
    py::list heads;
    for (const KeyShape& shape : KeyShapes()) {
      const std::string head(shape.head);
      if (shape.separators.empty()) heads.append(head);
      for (const char separator : shape.separators) heads.append(head + separator);
    }
    return heads;
  });
}

}  // namespace seekroute
