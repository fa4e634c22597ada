// What `auto` thinks of the models that may serve one request.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace seekroute {

// Of a prompt alone, whoever may serve it.
struct AutoJudgement {
  float difficulty = 0.5F;     // 0: easy, 1: hard
  std::vector<float> quality;  // by the place in the pool: the chance that it serves well, 0 to 1
};

// What a model of the pool would take for one request.
struct AutoOffer {
  uint32_t model = 0;         // its place in the pool
  uint64_t cost_pico = 0;     // that are expected
  uint32_t latency_ms = 0;    // until the first content; 0: unknown
  bool last_resort = false;   // it has no endpoint in service
  int64_t answer_tokens = 0;  // that `cost_pico` is for
};

// Why a model has its place.
enum class AutoReason : uint8_t {
  kOnly,      // there is no other
  kExplored,  // drawn, to learn how it does
  kBest,
  kCheapest,
  kQuickest,
  kBalance,     // the most for its cost
  kDearer,      // than the chosen one, and not worth it
  kSlower,      // than the chosen one
  kWorse,       // than the chosen one, or by too much than the best
  kStayed,      // it has answered the conversation, and none is much better
  kLastResort,  // it is out of service
};

// As reports have it.
constexpr std::string_view NameOf(AutoReason reason) {
  switch (reason) {
    case AutoReason::kOnly:
      return "only";
    case AutoReason::kExplored:
      return "explored";
    case AutoReason::kBest:
      return "best";
    case AutoReason::kCheapest:
      return "cheapest";
    case AutoReason::kQuickest:
      return "quickest";
    case AutoReason::kBalance:
      return "balance";
    case AutoReason::kDearer:
      return "dearer";
    case AutoReason::kSlower:
      return "slower";
    case AutoReason::kWorse:
      return "worse";
    case AutoReason::kStayed:
      return "stayed";
    case AutoReason::kLastResort:
      break;
  }
  return "last_resort";
}

struct AutoVerdict {
  AutoOffer offer;
  float quality = 0;
  // Quality; in a balance, less what the cost weighs.
  double score = 0;
  double chance = 0;  // that it came to be the first
  AutoReason reason = AutoReason::kOnly;
};

}  // namespace seekroute
