// About how many tokens a text is, without a vocabulary: a linear model over its bytes, fitted
// against o200k_base by script/fit_token_estimate.py. docs/tokens.md has the measured error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace seekroute {

// Value type.
struct TokenEstimate {
  int64_t tokens = 0;  // the expected count; 0 only for an empty text
  // Not exceeded by the true o200k_base count in at least 99.9 % of texts; never more than the
  // text's bytes, and that bound is strict: no token of a byte-level vocabulary is empty.
  int64_t upper = 0;
};

// Estimates a text that comes in pieces. Every cutting of the bytes gives the same estimate. The
// bytes may be anything: what is not UTF-8 is estimated as the noise it is. Neither allocates nor
// fails. Not thread-safe.
class TokenEstimator {
 public:
  void Add(std::string_view bytes);

  // What follows is another text: no word goes on across this.
  void EndText();

  // EndText() if `source` is not that of the last call. For texts that come interleaved.
  void Switch(uint32_t source) {
    if (source != source_) EndText();
    source_ = source;
  }

  TokenEstimate Estimate() const;

 private:
  struct Scan;

  // Bytes of one sort, and what they come to in 1/1024 token.
  struct Part {
    int64_t bytes = 0;
    int64_t sum = 0;
  };

  int64_t sum_ = 0;  // in 1/1024 token
  int64_t bytes_ = 0;
  Part foreign_;           // of them outside ASCII
  Part repeated_;          // of them in ASCII, and weighed as repeats of one character
  int64_t run_bound_ = 0;  // what those come to at most, in 1/kRunUnit token
  uint32_t window_ = 0;    // the classes of the last bytes
  uint32_t last_ = 0;      // the last four bytes
  uint32_t position_ = 0;  // in the run of bytes of one kind: a word, a number
  uint32_t repeats_ = 0;   // bytes in a row that had three equal ones before them
  uint32_t source_ = 0;
  uint8_t kind_ = 0;
};

// The same for a text that is there whole.
TokenEstimate EstimateTokens(std::string_view text);

}  // namespace seekroute
