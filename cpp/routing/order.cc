#include "routing/order.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

namespace seekroute {
namespace {

// Where a candidate stands in its group, by what kind of weight it has.
enum class Share : uint8_t { kFree, kPaid, kNone };

struct Place {
  size_t at = 0;       // in `ranked`
  bool spare = false;  // it is asked after some failures alone
  uint32_t model_rank = 0;
  bool last_resort = false;
  uint32_t listed = 0;
  uint8_t group = 0;
  bool unmeasured = false;
  double figure = 0;  // of the sort, the smallest first
  Share share = Share::kPaid;
  double key = 0;  // of the default order
  double weight = 0;

  auto before() const {
    return std::tie(spare, model_rank, last_resort, listed, group, unmeasured, figure);
  }
  bool SameSet(const Place& other) const {
    return spare == other.spare && model_rank == other.model_rank &&
           last_resort == other.last_resort && listed == other.listed && group == other.group &&
           share == other.share;
  }
};

void Weigh(const Ranked& each, Place* place) {
  const double weight = each.candidate.endpoint->weight *
                        static_cast<double>(each.health.slow_start) *
                        static_cast<double>(each.health.head);
  const auto price = static_cast<double>(each.candidate.expected_pico);
  place->share = weight <= 0 ? Share::kNone : price == 0 ? Share::kFree : Share::kPaid;
  place->weight = price == 0 ? weight : weight / (price * price);
}

// What `sort` goes by; false: it was not measured.
bool FigureOf(const Ranked& each, RouteSort sort, double* figure) {
  switch (sort) {
    case RouteSort::kPrice:
      *figure = static_cast<double>(each.candidate.expected_pico);
      return true;
    case RouteSort::kThroughput:
      *figure = -static_cast<double>(each.health.tokens_per_second[Percentile::kP50]);
      return each.health.tokens_per_second.known();
    case RouteSort::kLatency:
      *figure = static_cast<double>(each.health.ttft_ms[Percentile::kP50]);
      return each.health.ttft_ms.known();
    case RouteSort::kDefault:
      break;
  }
  return false;
}

// Of equals by a sort.
bool IsBetter(const Ranked& a, const Ranked& b) {
  const auto uptime = [](const Ranked& each) {
    return each.health.has_uptime() ? int{each.health.uptime} : 0;
  };
  const auto key = [&uptime](const Ranked& each) {
    return std::tuple(-uptime(each), each.candidate.expected_pico, each.candidate.endpoint->id);
  };
  return key(a) < key(b);
}

// Of the first set of a model alone somebody can be the first of it; a sort leaves nothing to
// chance.
void SetProbabilities(const std::vector<Place>& places, bool listed, std::vector<Ranked>* ranked) {
  const auto end_of = [&places](size_t begin) {
    const auto same = [&](const Place& each) {
      return each.spare == places[begin].spare && each.model_rank == places[begin].model_rank;
    };
    return static_cast<size_t>(
        std::find_if_not(places.begin() + static_cast<ptrdiff_t>(begin), places.end(), same) -
        places.begin());
  };
  const auto chance_of = [&](const Place& front) {
    return front.spare ? 0 : (*ranked)[front.at].chance;
  };
  double chances = 0;
  for (size_t i = 0; i < places.size(); i = end_of(i)) chances += chance_of(places[i]);
  for (size_t begin = 0; begin < places.size();) {
    const size_t end = end_of(begin);
    const Place& front = places[begin];
    const double first = chances > 0 ? chance_of(front) / chances : begin == 0 ? 1 : 0;
    double all = 0;
    for (size_t i = begin; i < end; ++i) {
      if (places[i].SameSet(front)) all += places[i].weight;
    }
    const bool drawn = front.unmeasured && !listed && all > 0;
    for (size_t i = begin; i < end; ++i) {
      double within = i == begin ? 1 : 0;
      if (drawn) within = places[i].SameSet(front) ? places[i].weight / all : 0;
      (*ranked)[places[i].at].candidate.probability = first * within;
    }
    begin = end;
  }
}

}  // namespace

uint64_t SplitMix64(uint64_t state) {
  uint64_t z = state + 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

double UnitDraw(uint64_t seed, uint64_t i) {
  return (static_cast<double>(SplitMix64(seed + i) >> 11) + 0.5) * 0x1p-53;
}

void SortCandidates(const OrderRules& rules, std::vector<Ranked>* ranked) {
  if (ranked->size() < 2) {
    for (Ranked& each : *ranked) each.candidate.probability = 1;
    return;
  }
  std::vector<Place> places(ranked->size());
  for (size_t i = 0; i < places.size(); ++i) {
    const Ranked& each = (*ranked)[i];
    Place& place = places[i];
    place.at = i;
    place.spare = each.candidate.after != AskedAfter::kAny;
    place.model_rank = each.model_rank;
    place.listed = each.listed;
    place.last_resort = each.health.last_resort;
    // What the client lists stays where it does.
    place.group = each.listed == Ranked::kUnlisted ? each.candidate.group : uint8_t{0};
    const bool by_price = each.listed != Ranked::kUnlisted;
    place.unmeasured = !FigureOf(each, by_price ? RouteSort::kPrice : each.sort, &place.figure);
    if (place.unmeasured) place.figure = 0;
    Weigh(each, &place);
    if (place.unmeasured && rules.balance == Balance::kInverseSquare) {
      place.key = place.share == Share::kNone ? 0 : -std::log(UnitDraw(rules.seed, i));
      if (place.weight > 0) place.key /= place.weight;
    }
  }
  const bool listed = rules.balance == Balance::kListed;
  std::stable_sort(places.begin(), places.end(), [&](const Place& a, const Place& b) {
    if (a.before() != b.before()) return a.before() < b.before();
    if (!a.unmeasured) return IsBetter((*ranked)[a.at], (*ranked)[b.at]);
    if (listed) return false;
    return std::tie(a.share, a.key) < std::tie(b.share, b.key);
  });
  SetProbabilities(places, listed, ranked);
  std::vector<Ranked> sorted;
  sorted.reserve(ranked->size());
  for (const Place& place : places) sorted.push_back((*ranked)[place.at]);
  *ranked = std::move(sorted);
}

void ShareRoom(std::vector<Ranked>* ranked) {
  if (ranked->size() <= Route::kMostCandidates) return;
  std::vector<std::pair<const Model*, size_t>> left;  // that a model has yet of its part
  const auto part_of = [&left](const Ranked& each) {
    return std::ranges::find(left, each.candidate.model, [](const auto& one) { return one.first; });
  };
  for (const Ranked& each : *ranked) {
    const auto found = part_of(each);
    found == left.end() ? (void)left.emplace_back(each.candidate.model, 1) : (void)++found->second;
  }
  const size_t part = std::max<size_t>(1, Route::kMostCandidates / left.size());
  size_t spare = Route::kMostCandidates;
  for (auto& [model, count] : left) {
    count = std::min({count, part, spare});
    spare -= count;
  }
  std::erase_if(*ranked, [&](const Ranked& each) {
    size_t& own = part_of(each)->second;
    size_t& from = own > 0 ? own : spare;
    if (from == 0) return true;
    --from;
    return false;
  });
}

}  // namespace seekroute
