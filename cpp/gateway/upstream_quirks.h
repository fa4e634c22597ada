// What endpoints turned out not to take, until they are asked again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "wire/dialect.h"

namespace seekroute {

// Owned by an engine; its thread only. Each engine finds out for itself.
class UpstreamQuirks {
 public:
  // Endpoints beyond it are asked as if nothing were known of them.
  static constexpr size_t kMost = 4096;
  // Of so many streams to an endpoint that refuses the field one has it. What was learnt may have
  // been of one request alone, and a stream without a usage is charged by what is seen of it.
  static constexpr int kAskAgainAfter = 16;

  // For the next stream there. Nothing that a client sent is meant.
  Asking NextStream(std::string_view base_url, std::string_view upstream_model) {
    const auto known = refuse_.find(Key(base_url, upstream_model));
    if (known == refuse_.end()) return Asking::kYes;
    if (++known->second < kAskAgainAfter) return Asking::kNo;
    known->second = 0;
    return Asking::kAgain;
  }
  void NoteRefusedStreamOptions(std::string_view base_url, std::string_view upstream_model) {
    if (refuse_.size() < kMost) refuse_.try_emplace(Key(base_url, upstream_model), 0);
  }
  void NoteTakenStreamOptions(std::string_view base_url, std::string_view upstream_model) {
    refuse_.erase(Key(base_url, upstream_model));
  }

 private:
  static std::string Key(std::string_view base_url, std::string_view upstream_model) {
    std::string key(base_url);
    key += '\n';
    key += upstream_model;
    return key;
  }

  std::map<std::string, int> refuse_;  // and how many streams went without since
};

}  // namespace seekroute
