// What a task on the writer's thread says of itself when it ends.
#pragma once

#include <cstdint>
#include <utility>

#include "base/result.h"
#include "store/sqlite/database.h"

namespace seekroute {

// How a task has left the file.
enum class TaskEnd : uint8_t {
  kCommitted,
  kUnchanged,  // it has written nothing, or it was rolled back
  kUnknown,    // what it began may be there or not
};

// Of a task that was rolled back over SQLite's `code`.
inline TaskEnd EndOf(int code) {
  return IsTransient(code) ? TaskEnd::kUnchanged : TaskEnd::kUnknown;
}

// Of a task. A status alone: what has not failed is committed, and of what failed nobody knows.
struct TaskResult {
  TaskResult(Status s)  // NOLINT(google-explicit-constructor): most tasks have one end
      : status(std::move(s)), end(status.ok() ? TaskEnd::kCommitted : TaskEnd::kUnknown) {}
  TaskResult(Status s, TaskEnd e) : status(std::move(s)), end(e) {}

  Status status;
  TaskEnd end;
};

}  // namespace seekroute
