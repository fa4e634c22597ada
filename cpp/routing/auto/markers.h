// Words and signs by which a prompt shows what it asks for, found all in one scan.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace seekroute {

// What a marker speaks for. The first nine are counters of their own.
enum class Marker : uint8_t {
  kCode,
  kMath,
  kReasoning,
  kWriting,
  kExtraction,
  kRole,
  kNegation,
  kStatements,  // "Statement I", "only I and II": claims to be judged one by one
  kTranslation,
  kTechnical,  // terms of a trade
  kSimple,     // greetings, definitions, look-ups
};
inline constexpr size_t kMarkerCount = static_cast<size_t>(Marker::kSimple) + 1;

using MarkerCounts = std::array<uint32_t, kMarkerCount>;

// Finds all markers in one pass: Aho and Corasick's automaton as a table of moves. ASCII letters of
// either case are the same, all white space is one space. Immutable, thread-safe.
class MarkerScanner {
 public:
  // Of the markers of markers.cc.
  MarkerScanner();

  // How often each kind occurs. Markers that overlap all count. Linear in `text`.
  MarkerCounts Count(std::string_view text) const;

 private:
  struct Pattern {
    Marker marker;
    uint8_t size;
    bool whole_start;  // no letter or digit before
    bool whole_end;    // nor behind
    uint16_t next;     // another pattern that ends in the same place; kNone
  };
  static constexpr uint16_t kNone = UINT16_MAX;

  void Add(std::string_view text, Marker marker);
  void Link();

  size_t class_count_ = 1;  // 0: any byte that is in no marker
  std::array<uint8_t, 256> classes_{};
  std::vector<uint16_t> moves_;   // state * class_count_ + class
  std::vector<uint16_t> ending_;  // by state: the first pattern that ends there
  std::vector<Pattern> patterns_;
};

// The one scanner, built when it is first asked for.
const MarkerScanner& Markers();

}  // namespace seekroute
