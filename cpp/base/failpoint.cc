#include "base/failpoint.h"

#ifdef SEEKROUTE_FAILPOINTS

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace seekroute {
namespace {

constexpr std::array<std::string_view, 13> kNames = {
    "after_hold_commit", "after_upstream_send",  "mid_stream",          "after_upstream_end",
    "in_settle",         "before_settle_commit", "after_settle_commit", "in_order",
    "in_expire",         "in_write_back",        "in_backup",           "in_prune",
    "in_migration"};

[[noreturn]] void Die() {
  kill(getpid(), SIGKILL);
  std::abort();
}

struct Failpoint {
  std::string name;  // empty: none
  int at = 1;        // the hit that kills
};

// name:abort[@n]
Failpoint FromEnvironment() {
  const char* set = std::getenv("SEEKROUTE_FAILPOINT");  // NOLINT(concurrency-mt-unsafe)
  if (set == nullptr || *set == '\0') return {};
  const std::string_view text(set);
  const size_t colon = text.find(':');
  const size_t count = text.find('@');
  Failpoint point{std::string(text.substr(0, colon)), 1};
  bool known =
      std::find(kNames.begin(), kNames.end(), point.name) != kNames.end() &&
      colon != std::string_view::npos &&
      text.substr(colon, count == std::string_view::npos ? count : count - colon) == ":abort";
  if (known && count != std::string_view::npos) {
    const std::string_view digits = text.substr(count + 1);
    const auto [end, code] = std::from_chars(digits.begin(), digits.end(), point.at);
    known = code == std::errc() && end == digits.end() && point.at > 0;
  }
  if (known) return point;
  std::fprintf(stderr, "SEEKROUTE_FAILPOINT=%s: expected name:abort or name:abort@n\n", set);
  Die();
}

}  // namespace

void HitFailpoint(std::string_view name) {
  static const Failpoint point = FromEnvironment();
  static std::atomic<int> hits{0};
  if (point.name == name && ++hits == point.at) Die();
}

}  // namespace seekroute

#endif
