// Any bytes as a prompt: features are finite and within their bounds, and the same when what came
// before was another text.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "routing/auto/linear_model.h"
#include "routing/auto/markers.h"
#include "routing/auto/vocabulary.h"

namespace {

using namespace seekroute;  // NOLINT

void Check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  TextScanner scanner;
  const TextFeatures features = scanner.Scan(text);
  (void)scanner.Scan("Another text, of 7 words or so.");
  const TextFeatures& again = scanner.Scan(text);
  Check(features.counters == again.counters && features.words.size() == again.words.size());
  Check(features.words.size() <= kMostExcerpt);
  for (const float each : features.counters) Check(std::isfinite(each) && each >= 0);
  Check(std::isfinite(features.keyword));
  std::vector<WordWeight> words;
  WeighWords(features.words, {}, &words);
  double square = 0;
  for (const WordWeight& each : words) {
    square += static_cast<double>(each.value) * static_cast<double>(each.value);
  }
  Check(words.empty() || std::abs(square - 1) < 1e-3);
  static const Vocabulary* const vocabulary =
      new Vocabulary(*Vocabulary::Make({"a", "an", "the", ".", "\xe4\xba\xba"}));
  std::vector<uint16_t> known;
  vocabulary->Find(text, &known);
  Check(known.size() <= size);
  return 0;
}
