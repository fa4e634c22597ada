#include "gateway/kept_state.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

#include "base/crc32c.h"
#include "base/varint.h"

namespace seekroute {
namespace {

constexpr std::string_view kMagic = "SRRS";
constexpr uint64_t kVersion = 3;         // 1 had no limits
constexpr uint64_t kWithoutAnswers = 2;  // and is read all the same
constexpr size_t kCrcBytes = 4;

std::string CrcOf(std::string_view bytes) {
  const uint32_t crc = Crc32c(bytes);
  std::string out;
  for (size_t i = 0; i < kCrcBytes; ++i) out.push_back(static_cast<char>(crc >> (8 * i)));
  return out;
}

}  // namespace

void KeptState::Age(Duration passed) {
  passed = std::clamp(passed, Duration{}, kLongestAge);
  wall_ms += passed.ns / 1'000'000;
  routing.Age(passed);
  limits.Age(passed);
  upstream_limits.Age(passed);
}

std::string WriteKeptState(const KeptState& state) {
  VarintWriter out;
  out.bytes = kMagic;
  out.Number(kVersion);
  out.Number(static_cast<uint64_t>(std::max<int64_t>(state.wall_ms, 0)));
  WriteRoutingState(state.routing, &out);
  WriteLimitState(state.limits, &out);
  WriteLimitState(state.upstream_limits, &out);
  WriteAnswerLengths(state.answers, &out);
  out.bytes += CrcOf(out.bytes);
  return std::move(out.bytes);
}

Result<KeptState> ReadKeptState(std::string_view bytes) {
  const auto refuse = [](std::string why) {
    return MakeError(ErrorCode::kInvalidValue, std::move(why));
  };
  if (!bytes.starts_with(kMagic) || bytes.size() < kMagic.size() + kCrcBytes) {
    return refuse("it is no state of routing");
  }
  const std::string_view body = bytes.substr(0, bytes.size() - kCrcBytes);
  if (CrcOf(body) != bytes.substr(body.size())) return refuse("it is damaged");
  VarintReader in(body.substr(kMagic.size()));
  const uint64_t version = in.Number();
  if (version != kVersion && version != kWithoutAnswers) return refuse("it is of another version");
  KeptState state;
  state.wall_ms = static_cast<int64_t>(in.Number(std::numeric_limits<int64_t>::max() / 2));
  state.routing = ReadRoutingState(&in);
  state.limits = ReadLimitState(&in);
  state.upstream_limits = ReadLimitState(&in);
  if (version != kWithoutAnswers) state.answers = ReadAnswerLengths(&in);
  if (!in.ok() || !in.done()) return refuse("it is damaged");
  return state;
}

}  // namespace seekroute
