// A string that cannot be printed by accident: it has no formatter, no comparison, no implicit
// conversion. The one way to the bytes is Reveal(), which reviewers grep for.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace seekroute {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}

  bool empty() const { return value_.empty(); }
  // The caller puts the bytes where they must go (a header, a MAC) and nowhere else.
  std::string_view Reveal() const { return value_; }

 private:
  std::string value_;
};

}  // namespace seekroute
