// WordPiece, as BERT's uncased tokenizer does it: words into the longest pieces of a vocabulary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace seekroute {

// Lower case and accents are known of Latin, Greek and Cyrillic letters alone; other text stays as
// it is. Immutable, thread-safe.
class WordPieces {
 public:
  static constexpr size_t kMostPieces = 1 << 16;
  static constexpr size_t kMostPieceBytes = 255;
  // A longer word is in no piece, as in BERT.
  static constexpr size_t kMostWordBytes = 100;

  // Pieces are known by their place in `pieces`; those that go on with a word begin with "##".
  // Fails where there are none, too many, one is empty or too long, or two are the same.
  static Result<WordPieces> Make(std::vector<std::string> pieces);

  // Appends the pieces of `text`, which may be any bytes, to `found`: never more than it has bytes.
  // A word that has none, in part or in whole, is left out. O(bytes * longest piece).
  void Split(std::string_view text, std::vector<uint16_t>* found) const;

  std::span<const std::string> pieces() const { return pieces_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Place {
    uint32_t hash = 0;
    uint32_t piece = kNone;
  };

  WordPieces() = default;
  // The piece that is `text`, of this hash; kNone.
  uint32_t Find(uint32_t hash, bool inside, std::string_view text) const;
  void SplitWord(std::string_view word, std::vector<uint16_t>* found) const;

  std::vector<std::string> pieces_;
  std::vector<Place> places_;  // by hash; a power of two of them
  size_t longest_ = 0;         // bytes of a piece, without "##"
};

}  // namespace seekroute
