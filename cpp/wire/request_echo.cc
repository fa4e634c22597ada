#include "wire/request_echo.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdint>
#include <vector>

namespace seekroute {
namespace {

constexpr uint64_t kBase = 0x9E3779B97F4A7C15;  // odd, and far from small numbers

constexpr uint64_t Power(size_t exponent) {
  uint64_t power = 1;
  for (size_t i = 0; i < exponent; ++i) power *= kBase;
  return power;
}

// The byte that is compared; 0 for one that is passed over.
uint8_t Compared(char c) {
  const auto byte = static_cast<uint8_t>(c);
  if (byte >= 0x80 || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9')) return byte;
  if (byte >= 'A' && byte <= 'Z') return static_cast<uint8_t>(byte + 0x20);
  return 0;
}

// The hash of the last kEchoBytes bytes that were put in.
class Window {
 public:
  void Put(uint8_t byte) {
    uint8_t& oldest = bytes_[count_ % kEchoBytes];
    hash_ = hash_ * kBase + byte - oldest * Power(kEchoBytes);
    oldest = byte;
    ++count_;
  }
  bool full() const { return count_ >= kEchoBytes; }
  uint64_t hash() const { return hash_; }
  bool Equals(const uint8_t* other) const {
    for (size_t i = 0; i < kEchoBytes; ++i) {
      if (bytes_[(count_ + i) % kEchoBytes] != other[i]) return false;
    }
    return true;
  }
  void Clear() { *this = {}; }

 private:
  std::array<uint8_t, kEchoBytes> bytes_ = {};
  uint64_t hash_ = 0;
  size_t count_ = 0;
};

// The words, and which of them were found in the request.
class Echo {
 public:
  explicit Echo(std::string_view words) {
    for (size_t at = 0; at < words.size(); ++at) {
      if (const uint8_t byte = Compared(words[at])) {
        bytes_.push_back(byte);
        places_.push_back(at);
      }
    }
    found_.resize(bytes_.size());
    Window window;
    for (size_t i = 0; i < bytes_.size(); ++i) {
      window.Put(bytes_[i]);
      if (window.full()) runs_.push_back({window.hash(), i + 1 - kEchoBytes});
    }
    std::sort(runs_.begin(), runs_.end(),
              [](const Run& a, const Run& b) { return a.hash < b.hash; });
    for (const Run& run : runs_) filter_.set(Slot(run.hash));
  }

  bool empty() const { return runs_.empty(); }

  void Put(uint8_t byte) {
    window_.Put(byte);
    if (!window_.full() || !filter_.test(Slot(window_.hash()))) return;
    auto run = std::lower_bound(runs_.begin(), runs_.end(), window_.hash(),
                                [](const Run& a, uint64_t hash) { return a.hash < hash; });
    // A run is compared until it was found once: a request that repeats itself costs no more.
    for (; run != runs_.end() && run->hash == window_.hash() && !run->found; ++run) {
      if (!window_.Equals(&bytes_[run->begin])) continue;
      run->found = true;
      std::fill_n(found_.begin() + static_cast<std::ptrdiff_t>(run->begin), kEchoBytes, true);
    }
  }
  void Break() { window_.Clear(); }

  std::string Cut(std::string_view words) const {
    const auto goes_on = [&](size_t at) {
      return at < words.size() && (static_cast<uint8_t>(words[at]) & 0xC0) == 0x80;
    };
    std::string out;
    size_t done = 0;
    for (size_t i = 0; i < found_.size();) {
      size_t end = i;
      while (end < found_.size() && found_[end]) ++end;
      if (end > i) {
        size_t from = places_[i];
        size_t to = places_[end - 1] + 1;
        while (from > done && goes_on(from)) --from;
        while (goes_on(to)) ++to;
        out += words.substr(done, from - done);
        out += "...";
        done = to;
      }
      i = end + 1;
    }
    out += words.substr(done);
    return out;
  }

 private:
  struct Run {
    uint64_t hash;
    size_t begin;
    bool found = false;
  };
  static size_t Slot(uint64_t hash) { return hash >> 51; }

  std::vector<uint8_t> bytes_;
  std::vector<size_t> places_;
  std::vector<bool> found_;
  std::vector<Run> runs_;
  std::bitset<8192> filter_;
  Window window_;
};

// The four digits behind "\u"; 0 where they are none.
uint32_t UnitAt(std::string_view text, size_t at) {
  uint32_t unit = 0;
  if (at + 4 > text.size()) return 0;
  for (const char c : text.substr(at, 4)) {
    const bool digit = c >= '0' && c <= '9';
    const char lower = static_cast<char>(c | 0x20);
    if (!digit && (lower < 'a' || lower > 'f')) return 0;
    unit = unit * 16 + static_cast<uint32_t>(digit ? c - '0' : lower - 'a' + 10);
  }
  return unit;
}

void PutCodePoint(uint32_t code, Echo* echo) {
  const auto put = [echo](uint32_t byte) { echo->Put(static_cast<uint8_t>(byte)); };
  if (code < 0x80) {
    if (const uint8_t byte = Compared(static_cast<char>(code))) put(byte);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

}  // namespace

std::string WithoutEcho(std::string_view words, std::string_view request, ByteRange not_prompt) {
  words = words.substr(0, kMaxEchoWords);
  Echo echo(words);
  if (echo.empty()) return std::string(words);
  for (size_t at = 0; at < request.size(); ++at) {
    if (at >= not_prompt.begin && at < not_prompt.end) {
      echo.Break();
      at = not_prompt.end - 1;
      continue;
    }
    if (request[at] != '\\') {
      if (const uint8_t byte = Compared(request[at])) echo.Put(byte);
      continue;
    }
    ++at;  // what is escaped by one character is no letter
    if (at >= request.size() || request[at] != 'u') continue;
    uint32_t code = UnitAt(request, at + 1);
    at += 4;
    if (code >= 0xD800 && code < 0xDC00 && request.substr(at + 1).starts_with("\\u")) {
      const uint32_t low = UnitAt(request, at + 3);
      if (low >= 0xDC00 && low < 0xE000) {
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        at += 6;
      }
    }
    PutCodePoint(code, &echo);
  }
  return echo.Cut(words);
}

std::string NameInWords(std::string_view words) {
  const size_t end = words.find(": ");
  if (end == std::string_view::npos) return {};
  const std::string_view name = words.substr(0, end);
  return name.find(' ') == std::string_view::npos ? std::string(name) : std::string();
}

}  // namespace seekroute
