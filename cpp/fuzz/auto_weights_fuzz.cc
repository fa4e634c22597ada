// Any bytes as weights of the router, and as a table of its word vectors: what is read is written
// and read again as the same, and scores any text within its bounds.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "base/crc32c.h"
#include "routing/auto/auto_scorer.h"

namespace {

using namespace seekroute;  // NOLINT

void Check(bool holds) {
  if (!holds) std::abort();
}

void Score(const AutoScorer& scorer, std::string_view text) {
  AutoScorer::Scratch scratch;
  PromptScores scores;
  scorer.Score(text, true, &scratch, &scores);
  for (const ModelScore& each : scores.models) {
    Check(each.rank >= 0 && each.rank <= 1);
    Check(each.quality >= 0 && each.quality <= 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view given(reinterpret_cast<const char*>(data), size);
  std::shared_ptr<const StaticVectors> vectors;
  if (const Result<StaticVectors> read = StaticVectors::Read(given)) {
    Check(StaticVectors::Read(read->Write())->checksum() == read->checksum());
    std::vector<uint16_t> known;
    for (const float each : read->VectorOf(given, &known)) Check(std::isfinite(each));
  }
  // A fuzzer finds no checksum: it is put behind.
  std::string bytes(given);
  const uint32_t crc = Crc32c(bytes);
  for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<char>(crc >> (8 * i)));
  Result<AutoWeights> weights = ReadAutoWeights(bytes);
  if (!weights) return 0;
  const Result<AutoWeights> again = ReadAutoWeights(WriteAutoWeights(*weights));
  Check(again.has_value() && *again == *weights);
  weights->vectors_checksum = 0;
  const Result<AutoScorer> scorer = AutoScorer::Make(*std::move(weights), vectors);
  Check(scorer.has_value());
  Score(*scorer, "Prove that it holds.\nA. 1\nB. 2");
  Score(*scorer, given);
  return 0;
}
