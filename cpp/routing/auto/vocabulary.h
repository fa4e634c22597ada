// The words of a table, and which of them a text has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace seekroute {

// Words as BERT's uncased tokenizer finds them, but never in pieces: a letter that is mistyped
// makes a word unknown, and not two pieces of others. Lower case and accents are known of Latin,
// Greek and Cyrillic letters alone; other text stays as it is. Immutable, thread-safe.
class Vocabulary {
 public:
  static constexpr size_t kMostWords = 1 << 16;
  static constexpr size_t kMostWordBytes = 100;

  // Words are known by their place in `words`, which are in small letters without accents. Fails
  // where there are none, too many, one is empty or too long, or two are the same.
  static Result<Vocabulary> Make(std::vector<std::string> words);

  // Appends the words of `text`, which may be any bytes, to `found`: never more than it has bytes.
  // A word that is not known is left out. Linear.
  void Find(std::string_view text, std::vector<uint16_t>* found) const;

  std::span<const std::string> words() const { return words_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Place {
    uint32_t hash = 0;
    uint32_t word = kNone;
  };

  Vocabulary() = default;
  uint32_t PlaceOf(std::string_view word, uint32_t hash) const;

  std::vector<std::string> words_;
  std::vector<Place> places_;  // by hash; a power of two of them, of which most are free
};

}  // namespace seekroute
