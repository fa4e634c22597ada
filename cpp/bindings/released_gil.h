#pragma once

#include <unistd.h>

#include "bindings/pybind.h"

namespace seekroute {

// Lets Python's other threads run for as long as it lives. The thread that makes it holds the GIL,
// and holds it again afterwards.
//
// In the place of pybind11::gil_scoped_release: once the interpreter ends, Python unwinds a daemon
// thread that asks for the GIL, and what leaves a destructor so is std::terminate. Here such a
// thread sleeps until the process is gone, as Python 3.14 has all of them do. What it holds is not
// released.
class ReleasedGil {
 public:
  ReleasedGil() : thread_(PyEval_SaveThread()) {}
  ReleasedGil(const ReleasedGil&) = delete;
  ReleasedGil& operator=(const ReleasedGil&) = delete;
  ~ReleasedGil() {
    try {
      PyEval_RestoreThread(thread_);
    } catch (...) {  // the unwinding itself: nothing else is thrown there
      while (true) pause();
    }
  }

 private:
  PyThreadState* const thread_;
};

}  // namespace seekroute
