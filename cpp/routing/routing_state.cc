#include "routing/routing_state.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>

#include "base/crc32c.h"

namespace seekroute {
namespace {

constexpr std::string_view kMagic = "SRRS";
constexpr uint64_t kVersion = 1;
constexpr size_t kCrcBytes = 4;
// Of any span: within it the sum of two is far from the end of its type.
constexpr uint64_t kLongestSpan = uint64_t{7} * 86'400 * 1'000'000'000;
constexpr uint64_t kMostCount = std::numeric_limits<uint32_t>::max();
constexpr uint64_t kMostSmall = 1'000'000;

// Whole numbers in seven bits a byte, the lowest first.
class Writer {
 public:
  void Number(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
    bytes.push_back(static_cast<char>(value));
  }
  void Span(Duration span) { Number(static_cast<uint64_t>(std::max<int64_t>(span.ns, 0))); }
  void Fixed32(uint32_t value) {
    for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  }

  std::string bytes;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  // 0 once anything was wrong: see ok().
  uint64_t Number(uint64_t most = std::numeric_limits<uint64_t>::max()) {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      const auto byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      if (shift == 63 && byte > 1) break;
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (value <= most) return value;
        break;
      }
    }
    return Fail();
  }
  Duration Span() { return {static_cast<int64_t>(Number(kLongestSpan))}; }
  int Small() { return static_cast<int>(Number(kMostSmall)); }
  // How many items follow, each of a byte at least.
  size_t Count() { return static_cast<size_t>(Number(rest_.size())); }

  bool ok() const { return ok_; }
  bool done() const { return rest_.empty(); }

 private:
  uint64_t Fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }

  std::string_view rest_;
  bool ok_ = true;
};

KeyTrouble ReadTrouble(Reader* in) {
  return static_cast<KeyTrouble>(in->Number(static_cast<uint64_t>(KeyTrouble::kLimited)));
}

// `read` gives one item; no more memory is taken than bytes are there.
template <typename T, typename Read>
std::vector<T> ReadList(Reader* in, const Read& read) {
  std::vector<T> items;
  for (size_t left = in->Count(); left > 0 && in->ok(); --left) items.push_back(read());
  return items;
}

void WriteCounts(const std::vector<KeptCounts>& slices, Writer* out) {
  out->Number(slices.size());
  for (const KeptCounts& each : slices) {
    out->Span(each.age);
    for (const uint32_t count : {each.counts.ok, each.counts.fault, each.counts.limited}) {
      out->Number(count);
    }
  }
}

std::vector<KeptCounts> ReadCounts(Reader* in) {
  const auto count = [in] { return static_cast<uint32_t>(in->Number(kMostCount)); };
  return ReadList<KeptCounts>(in, [&] {
    KeptCounts slice{.age = in->Span(), .counts = {}};
    slice.counts.ok = count();
    slice.counts.fault = count();
    slice.counts.limited = count();
    return slice;
  });
}

void WriteSketch(const Sketch::Kept& sketch, Writer* out) {
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

Sketch::Kept ReadSketch(Reader* in) {
  const auto bucket = [in] {
    const auto place = static_cast<uint8_t>(in->Number(LogBuckets::kCount - 1));
    const auto count = static_cast<uint16_t>(in->Number(std::numeric_limits<uint16_t>::max()));
    return std::pair(place, count);
  };
  const auto slice = [&] {
    Sketch::KeptSlice read{.age = in->Span(), .buckets = {}};
    read.buckets = ReadList<std::pair<uint8_t, uint16_t>>(in, bucket);
    return read;
  };
  Sketch::Kept sketch;
  sketch.five = ReadList<Sketch::KeptSlice>(in, slice);
  sketch.thirty = ReadList<Sketch::KeptSlice>(in, slice);
  return sketch;
}

void WriteProvider(const RoutingState::Provider& provider, Writer* out) {
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

RoutingState::Provider ReadProvider(Reader* in) {
  RoutingState::Provider provider;
  provider.id = in->Number();
  provider.keys = ReadList<RoutingState::Key>(in, [in] {
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

void WriteEndpoint(const RoutingState::Endpoint& endpoint, Writer* out) {
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

RoutingState::Endpoint ReadEndpoint(Reader* in) {
  RoutingState::Endpoint endpoint;
  EndpointHealth::Kept& health = endpoint.health;
  endpoint.id = in->Number();
  endpoint.provider = in->Number();
  health.ejected_for = in->Span();
  health.times = in->Small();
  health.out_for = in->Span();
  health.back_since = in->Span() - Duration{1};
  health.minutes = ReadCounts(in);
  health.hours = ReadCounts(in);
  health.first_content = ReadSketch(in);
  health.throughput = ReadSketch(in);
  endpoint.pairs = ReadList<RoutingState::Pair>(in, [in] {
    RoutingState::Pair pair;
    pair.key = in->Number();
    pair.health.why = ReadTrouble(in);
    pair.health.out_for = in->Span();
    pair.health.run = in->Small();
    pair.health.cap = in->Small();
    pair.health.worked = in->Small();
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
  passed = std::clamp(passed, Duration{}, kLongestAge);
  wall_ms += passed.ns / 1'000'000;
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

std::string WriteRoutingState(const RoutingState& state) {
  Writer out;
  out.bytes = kMagic;
  out.Number(kVersion);
  out.Number(static_cast<uint64_t>(std::max<int64_t>(state.wall_ms, 0)));
  out.Number(state.providers.size());
  for (const RoutingState::Provider& each : state.providers) WriteProvider(each, &out);
  out.Number(state.endpoints.size());
  for (const RoutingState::Endpoint& each : state.endpoints) WriteEndpoint(each, &out);
  out.Fixed32(Crc32c(out.bytes));
  return std::move(out.bytes);
}

Result<RoutingState> ReadRoutingState(std::string_view bytes) {
  const auto refuse = [](std::string why) {
    return MakeError(ErrorCode::kInvalidValue, std::move(why));
  };
  if (!bytes.starts_with(kMagic) || bytes.size() < kMagic.size() + kCrcBytes) {
    return refuse("it is no state of routing");
  }
  const std::string_view body = bytes.substr(0, bytes.size() - kCrcBytes);
  Writer crc;
  crc.Fixed32(Crc32c(body));
  if (crc.bytes != bytes.substr(body.size())) return refuse("it is damaged");
  Reader in(body.substr(kMagic.size()));
  if (in.Number() != kVersion) return refuse("it is of another version");
  RoutingState state;
  state.wall_ms = static_cast<int64_t>(in.Number(std::numeric_limits<int64_t>::max() / 2));
  state.providers = ReadList<RoutingState::Provider>(&in, [&in] { return ReadProvider(&in); });
  state.endpoints = ReadList<RoutingState::Endpoint>(&in, [&in] { return ReadEndpoint(&in); });
  if (!in.ok() || !in.done()) return refuse("it is damaged");
  return state;
}

}  // namespace seekroute
