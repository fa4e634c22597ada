// What endpoints turned out not to take, for the life of a process.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace seekroute {

// How one exchange asks for the usage of its stream.
struct UsageAsking {
  bool added = false;    // `stream_options` stand in the request by our doing
  bool without = false;  // the running attempt repeats one that was refused for them
  int repeats = 0;       // attempts that were the same candidate's second
};

// Owned by an engine; its thread only. Each engine finds out for itself.
class UpstreamQuirks {
 public:
  // Endpoints beyond it are asked as if nothing were known of them.
  static constexpr size_t kMost = 4096;

  // `stream_options` is refused there; nothing that a client sent is meant.
  bool RefusesStreamOptions(std::string_view base_url, std::string_view upstream_model) const {
    return refuse_.contains(Key(base_url, upstream_model));
  }
  void NoteRefusedStreamOptions(std::string_view base_url, std::string_view upstream_model) {
    if (refuse_.size() < kMost) refuse_.insert(Key(base_url, upstream_model));
  }

 private:
  static std::string Key(std::string_view base_url, std::string_view upstream_model) {
    std::string key(base_url);
    key += '\n';
    key += upstream_model;
    return key;
  }

  std::set<std::string> refuse_;
};

}  // namespace seekroute
