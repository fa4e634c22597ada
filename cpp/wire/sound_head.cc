#include "wire/sound_head.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace seekroute {
namespace {

constexpr std::string_view kLineBreaks = "\r\n";

// Of one letter of base64; nothing: it is none.
constexpr std::optional<uint32_t> Sextet(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<uint32_t>(c - 'A');
  if (c >= 'a' && c <= 'z') return static_cast<uint32_t>(c - 'a') + 26;
  if (c >= '0' && c <= '9') return static_cast<uint32_t>(c - '0') + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return std::nullopt;
}

// Bytes in base64, read where they stand. What lies behind their end is nothing.
class Base64Bytes {
 public:
  // `text` has letters of base64 alone, and outlives this.
  explicit Base64Bytes(std::string_view text) : text_(text) {}

  uint64_t size() const { return uint64_t{text_.size()} * 3 / 4; }

  std::optional<uint32_t> At(uint64_t place) const {
    if (place >= size()) return std::nullopt;
    const size_t letter = static_cast<size_t>(place / 3 * 4 + place % 3);
    const uint32_t two = *Sextet(text_[letter]) << 6 | *Sextet(text_[letter + 1]);
    return two >> (4 - 2 * (place % 3)) & 0xff;
  }

  // An integer of `bytes`, the lowest first.
  std::optional<uint32_t> Little(uint64_t place, int bytes) const {
    uint32_t number = 0;
    for (int i = bytes; i > 0; --i) {
      const std::optional<uint32_t> byte = At(place + static_cast<uint64_t>(i) - 1);
      if (!byte) return std::nullopt;
      number = number << 8 | *byte;
    }
    return number;
  }

  bool Has(uint64_t place, std::string_view bytes) const {
    for (const char c : bytes) {
      if (At(place++) != static_cast<unsigned char>(c)) return false;
    }
    return true;
  }

 private:
  const std::string_view text_;
};

// A `fmt ` chunk of `size` at `place`: so many bytes a second as its samples take.
bool IsPlainFormat(const Base64Bytes& bytes, uint64_t place, uint32_t size) {
  constexpr uint32_t kPcm = 1, kFloat = 3, kALaw = 6, kMuLaw = 7, kExtensible = 0xfffe;
  constexpr uint32_t kLeastSize = 16, kExtensibleSize = 40;
  constexpr uint64_t kSubformat = 24;
  // Behind the number of a subformat, which is then one of those above.
  constexpr std::string_view kSubformatRest("\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71", 14);
  if (size < kLeastSize) return false;
  std::optional<uint32_t> tag = bytes.Little(place, 2);
  const auto channels = bytes.Little(place + 2, 2);
  const auto rate = bytes.Little(place + 4, 4);
  const auto byte_rate = bytes.Little(place + 8, 4);
  const auto block = bytes.Little(place + 12, 2);
  const auto bits = bytes.Little(place + 14, 2);
  if (!bits) return false;
  if (tag == kExtensible) {
    if (size < kExtensibleSize || !bytes.Has(place + kSubformat + 2, kSubformatRest)) return false;
    tag = bytes.Little(place + kSubformat, 2);
  }
  const uint32_t format = tag.value_or(0);
  const bool law = format == kALaw || format == kMuLaw;
  if (format != kPcm && format != kFloat && !law) return false;
  if (*bits == 0 || *bits % 8 != 0 || *bits > 64 || (law && *bits != 8)) return false;
  return *channels > 0 && *rate >= kLeastWavRate && *block == *channels * (*bits / 8) &&
         *byte_rate == uint64_t{*rate} * *block;
}

// Every chunk is seen: some decoders believe the last format that stands anywhere.
bool IsPlainWav(const Base64Bytes& bytes) {
  constexpr int kMostChunks = 64;
  if (!bytes.Has(0, "RIFF") || !bytes.Has(8, "WAVE")) return false;
  bool formed = false;
  bool samples = false;
  uint64_t place = 12;
  for (int chunks = 0; place + 8 <= bytes.size(); ++chunks) {
    if (chunks == kMostChunks) return false;
    const uint32_t size = *bytes.Little(place + 4, 4);
    const bool to_the_end = uint64_t{size} + place + 8 >= bytes.size();
    if (bytes.Has(place, "fmt ")) {
      if (formed || !IsPlainFormat(bytes, place + 8, size)) return false;
      formed = true;
    } else if (bytes.Has(place, "data")) {
      if (!formed) return false;
      samples = true;
      if (to_the_end) break;  // also of a stream, which says no length
    }
    // Some take the byte that fills up an odd chunk for the next one.
    if (size % 2 != 0 && !samples) return false;
    place += 8 + uint64_t{size} + size % 2;
  }
  return samples;
}

// The bytes of the frame of MPEG sound at `place`; 0: there is none, or one that says no rate.
uint32_t FrameAt(const Base64Bytes& bytes, uint64_t place) {
  // In kbit a second, of layers 1 to 3; of the versions after the first, layer 1 and the others.
  constexpr std::array<std::array<uint16_t, 14>, 5> kRates = {{
      {32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
      {32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
      {32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
      {32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
      {8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
  }};
  constexpr std::array<uint32_t, 3> kSamples = {44'100, 48'000, 32'000};  // a second
  const auto second = bytes.At(place + 1);
  const auto third = bytes.At(place + 2);
  if (!third || bytes.At(place) != 0xff || *second < 0xe0) return 0;
  const uint32_t version = *second >> 3 & 3;      // 3: the first, 2: the second, 0: half of that
  const uint32_t layer = 4 - (*second >> 1 & 3);  // 4: none, as in AAC
  const uint32_t rate = *third >> 4;
  const uint32_t samples = *third >> 2 & 3;
  if (version == 1 || layer == 4 || rate == 0 || rate == 15 || samples == 3) return 0;
  const bool first = version == 3;
  const auto& rates = kRates[first ? layer - 1 : layer == 1 ? 3 : 4];
  const uint32_t bits = uint32_t{rates[rate - 1]} * 1000;
  const uint32_t frequency = kSamples[samples] / (first ? 1 : version == 2 ? 2 : 4);
  const uint32_t padding = *third >> 1 & 1;
  if (layer == 1) return (12 * bits / frequency + padding) * 4;
  return (layer == 3 && !first ? 72 : 144) * bits / frequency + padding;
}

// Behind a tag there may be anything: two frames one after the other are MPEG sound.
bool IsMp3(const Base64Bytes& bytes) {
  constexpr uint64_t kTagHead = 10;
  uint64_t place = 0;
  if (bytes.Has(0, "ID3")) {
    uint64_t size = 0;
    for (uint64_t i = 6; i < kTagHead; ++i) {
      const std::optional<uint32_t> seven = bytes.At(i);
      if (!seven || *seven > 0x7f) return false;
      size = size << 7 | *seven;
    }
    const bool has_foot = (*bytes.At(5) & 0x10) != 0;
    place = kTagHead + size + (has_foot ? kTagHead : 0);
  }
  const uint32_t frame = FrameAt(bytes, place);
  if (frame == 0) return false;
  return place + frame + 4 > bytes.size() || FrameAt(bytes, place + frame) > 0;
}

}  // namespace

bool IsSizedSound(std::string_view text) {
  std::string joined;
  if (text.find_first_of(kLineBreaks) != std::string_view::npos) {
    joined = text;
    std::erase_if(joined, [](char c) { return kLineBreaks.find(c) != std::string_view::npos; });
    text = joined;
  }
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  if (!std::ranges::all_of(text, [](char c) { return Sextet(c).has_value(); })) return false;
  const Base64Bytes bytes(text);
  return IsPlainWav(bytes) || IsMp3(bytes);
}

}  // namespace seekroute
