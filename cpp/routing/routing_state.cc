#include "routing/routing_state.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace seekroute {
namespace {

constexpr uint64_t kMostCount = std::numeric_limits<uint32_t>::max();
constexpr uint64_t kMostSmall = 1'000'000;

int ReadSmall(VarintReader* in) { return static_cast<int>(in->Number(kMostSmall)); }

KeyTrouble ReadTrouble(VarintReader* in) {
  return static_cast<KeyTrouble>(in->Number(static_cast<uint64_t>(KeyTrouble::kLimited)));
}

void WriteCounts(const std::vector<KeptCounts>& slices, VarintWriter* out) {
  out->Number(slices.size());
  for (const KeptCounts& each : slices) {
    out->Span(each.age);
    for (const uint32_t count : {each.counts.ok, each.counts.fault, each.counts.limited}) {
      out->Number(count);
    }
  }
}

std::vector<KeptCounts> ReadCounts(VarintReader* in) {
  const auto count = [in] { return static_cast<uint32_t>(in->Number(kMostCount)); };
  return in->List<KeptCounts>([&] {
    KeptCounts slice{.age = in->Span(), .counts = {}};
    slice.counts.ok = count();
    slice.counts.fault = count();
    slice.counts.limited = count();
    return slice;
  });
}

void WriteSketch(const Sketch::Kept& sketch, VarintWriter* out) {
  for (const auto* window : {&sketch.five, &sketch.thirty}) {
    out->Number(window->size());
    for (const Sketch::KeptSlice& slice : *window) {
      out->Span(slice.age);
      out->Number(slice.buckets.size());
      for (const auto& [bucket, count] : slice.buckets) {
        out->Number(bucket);
        out->Number(count);
      }
    }
  }
}

Sketch::Kept ReadSketch(VarintReader* in) {
  const auto bucket = [in] {
    const auto place = static_cast<uint8_t>(in->Number(LogBuckets::kCount - 1));
    const auto count = static_cast<uint16_t>(in->Number(std::numeric_limits<uint16_t>::max()));
    return std::pair(place, count);
  };
  const auto slice = [&] {
    Sketch::KeptSlice read{.age = in->Span(), .buckets = {}};
    read.buckets = in->List<std::pair<uint8_t, uint16_t>>(bucket);
    return read;
  };
  Sketch::Kept sketch;
  sketch.five = in->List<Sketch::KeptSlice>(slice);
  sketch.thirty = in->List<Sketch::KeptSlice>(slice);
  return sketch;
}

void WriteProvider(const RoutingState::Provider& provider, VarintWriter* out) {
  out->Number(provider.id);
  out->Number(provider.keys.size());
  for (const RoutingState::Key& key : provider.keys) {
    out->Number(key.id);
    out->Number(key.fingerprint);
    out->Number(static_cast<uint64_t>(key.health.trouble));
    out->Span(key.health.dead_for);
    out->Span(key.health.wait);
    out->Span(key.health.out_for);
  }
}

RoutingState::Provider ReadProvider(VarintReader* in) {
  RoutingState::Provider provider;
  provider.id = in->Number();
  provider.keys = in->List<RoutingState::Key>([in] {
    RoutingState::Key key;
    key.id = in->Number();
    key.fingerprint = in->Number();
    key.health.trouble = ReadTrouble(in);
    key.health.dead_for = in->Span();
    key.health.wait = in->Span();
    key.health.out_for = in->Span();
    return key;
  });
  return provider;
}

void WriteEndpoint(const RoutingState::Endpoint& endpoint, VarintWriter* out) {
  const EndpointHealth::Kept& health = endpoint.health;
  out->Number(endpoint.id);
  out->Number(endpoint.provider);
  out->Span(health.ejected_for);
  out->Number(static_cast<uint64_t>(health.times));
  out->Span(health.out_for);
  out->Span(health.back_since + Duration{1});  // 0: never
  WriteCounts(health.minutes, out);
  WriteCounts(health.hours, out);
  WriteSketch(health.first_content, out);
  WriteSketch(health.throughput, out);
  out->Number(endpoint.pairs.size());
  for (const RoutingState::Pair& pair : endpoint.pairs) {
    out->Number(pair.key);
    out->Number(static_cast<uint64_t>(pair.health.why));
    out->Span(pair.health.out_for);
    for (const int figure : {pair.health.run, pair.health.cap, pair.health.worked}) {
      out->Number(std::min(static_cast<uint64_t>(std::max(figure, 0)), kMostSmall));
    }
    out->Span(pair.health.cut_since);
  }
}

RoutingState::Endpoint ReadEndpoint(VarintReader* in) {
  RoutingState::Endpoint endpoint;
  EndpointHealth::Kept& health = endpoint.health;
  endpoint.id = in->Number();
  endpoint.provider = in->Number();
  health.ejected_for = in->Span();
  health.times = ReadSmall(in);
  health.out_for = in->Span();
  health.back_since = in->Span() - Duration{1};
  health.minutes = ReadCounts(in);
  health.hours = ReadCounts(in);
  health.first_content = ReadSketch(in);
  health.throughput = ReadSketch(in);
  endpoint.pairs = in->List<RoutingState::Pair>([in] {
    RoutingState::Pair pair;
    pair.key = in->Number();
    pair.health.why = ReadTrouble(in);
    pair.health.out_for = in->Span();
    pair.health.run = ReadSmall(in);
    pair.health.cap = ReadSmall(in);
    pair.health.worked = ReadSmall(in);
    pair.health.cut_since = in->Span();
    return pair;
  });
  return endpoint;
}

// What is over is due at once, not forgotten.
Duration StillDue(Duration span, Duration passed) {
  return span.ns > 0 ? std::max(span - passed, Duration{1}) : span;
}

Duration Rest(Duration span, Duration passed) { return std::max(span - passed, Duration{}); }

void AgeSlices(auto* slices, Duration passed) {
  for (auto& slice : *slices) slice.age = slice.age + passed;
}

}  // namespace

void RoutingState::Age(Duration passed) {
  for (Provider& provider : providers) {
    for (Key& key : provider.keys) {
      key.health.dead_for = StillDue(key.health.dead_for, passed);
      key.health.out_for = Rest(key.health.out_for, passed);
    }
  }
  for (Endpoint& endpoint : endpoints) {
    EndpointHealth::Kept& health = endpoint.health;
    health.ejected_for = StillDue(health.ejected_for, passed);
    health.out_for = Rest(health.out_for, passed);
    if (health.back_since.ns >= 0) health.back_since = health.back_since + passed;
    for (auto* const counts : {&health.minutes, &health.hours}) AgeSlices(counts, passed);
    for (Sketch::Kept* const sketch : {&health.first_content, &health.throughput}) {
      AgeSlices(&sketch->five, passed);
      AgeSlices(&sketch->thirty, passed);
    }
    for (Pair& pair : endpoint.pairs) {
      pair.health.out_for = Rest(pair.health.out_for, passed);
      pair.health.cut_since = pair.health.cut_since + passed;
    }
  }
}

void WriteRoutingState(const RoutingState& state, VarintWriter* out) {
  out->Number(state.providers.size());
  for (const RoutingState::Provider& each : state.providers) WriteProvider(each, out);
  out->Number(state.endpoints.size());
  for (const RoutingState::Endpoint& each : state.endpoints) WriteEndpoint(each, out);
}

RoutingState ReadRoutingState(VarintReader* in) {
  RoutingState state;
  state.providers = in->List<RoutingState::Provider>([in] { return ReadProvider(in); });
  state.endpoints = in->List<RoutingState::Endpoint>([in] { return ReadEndpoint(in); });
  return state;
}

}  // namespace seekroute
