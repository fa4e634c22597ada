// Internal to wire/: what a chunk that is held for its usage says beside it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace seekroute {

// Members that were found in chunks which do not reach the client (`timings`, citations, …), kept
// for the last one that does. At most kMaxMembers and kMaxBytes: what is beyond is dropped. Not
// thread-safe.
class ExtraMembers {
 public:
  static constexpr size_t kMaxMembers = 32;
  static constexpr size_t kMaxBytes = size_t{64} << 10;

  // Takes the members of `chunk`, a JSON object, but for those that the gateway writes itself. One
  // that is known already gets the new value.
  void Take(std::string_view chunk);

  // Puts them behind the last member of `*object`, which is a JSON object that is not empty; not
  // those that it has.
  void AppendTo(std::string* object) const;

 private:
  struct Member {
    std::string key;    // decoded
    std::string whole;  // the key and the value, as they were written
  };
  std::vector<Member> members_;
  size_t bytes_ = 0;
};

}  // namespace seekroute
