#include "bindings/core_error.h"

#include <exception>
#include <stdexcept>
#include <utility>

namespace py = pybind11;

namespace seekroute {
namespace {

// On its way from C++ to Python.
class Thrown : public std::exception {
 public:
  explicit Thrown(Error error) : error_(std::move(error)) {}
  const char* what() const noexcept override { return error_.message.c_str(); }
  const Error& error() const { return error_; }

 private:
  Error error_;
};

PyObject* type = nullptr;  // for the life of the process, as the module is

void Raise(const Error& error) {
  const py::object made = py::handle(type)(error.message);
  made.attr("code") = py::str(error.name().data(), error.name().size());
  made.attr("message") = error.message;
  made.attr("retry_after_ms") = error.retry_after_ms;
  PyErr_SetObject(type, made.ptr());
}

}  // namespace

void ThrowError(const Error& error) { throw Thrown(error); }

void BindCoreError(py::module_& m) {
  type = PyErr_NewException("seekroute._core.CoreError", PyExc_Exception, nullptr);
  if (type == nullptr) throw py::error_already_set();
  m.attr("CoreError") = py::handle(type);
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(std::move(thrown));
    } catch (const Thrown& each) {
      Raise(each.error());
    }
  });
}

}  // namespace seekroute
