// Whatever an upstream sends, and however the network cuts it: the same head, the same body, the
// same end; nothing is made up, and nothing is read past the end.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "transport/curl/response_reader.h"

namespace {

using seekroute::ResponseReader;
using Step = ResponseReader::Step;

constexpr size_t kMaxHead = 2048;
constexpr std::array<std::string_view, 2> kWanted = {"x-", "date"};

void Check(bool holds) {
  if (!holds) std::abort();
}

// One line that says everything.
std::string Read(std::string_view bytes, size_t step, size_t seed) {
  ResponseReader reader(kMaxHead, kWanted);
  std::string told;
  std::string body_bytes;
  Step last = Step::kMore;
  while (!bytes.empty() && last == Step::kMore) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    const size_t size = std::min(bytes.size(), step == 0 ? 1 + (seed >> 33) % 17 : step);
    std::string_view piece = bytes.substr(0, size);
    bytes.remove_prefix(size);
    for (;;) {
      const std::string_view before = piece;
      std::string_view body;
      last = reader.Next(&piece, &body);
      Check(piece.size() <= before.size() && piece.end() == before.end());
      if (last == Step::kBody) {
        Check(!body.empty() && body.begin() >= before.begin() && body.end() <= piece.begin());
        body_bytes += body;
      } else if (last == Step::kHead) {
        Check(told.empty() && body_bytes.empty());
        const auto& head = reader.head();
        Check(head.status >= 200 && head.status <= 599);
        Check(head.retry_after_ms >= -1);
        told = std::to_string(head.status) + ' ' + head.content_type + ' ' + head.content_encoding +
               ' ' + std::to_string(head.retry_after_ms);
        Check(head.wanted.size() <= seekroute::TransportHead::kMostWanted);
        for (const auto& [name, value] : head.wanted) {
          Check(name.size() + value.size() <= seekroute::TransportHead::kMostWantedBytes);
          told += name + value;
        }
      } else {
        break;
      }
    }
    if (last == Step::kEnd) told += " left " + std::to_string(piece.size() + bytes.size());
  }
  Check(last == Step::kEnd || !reader.keep_alive());
  Check(last != Step::kEnd || reader.EndOfInput());
  told += " step " + std::to_string(static_cast<int>(last)) +
          (reader.EndOfInput() ? " whole" : "") + (reader.keep_alive() ? " kept " : " ");
  return told + body_bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = Read(bytes, size + 1, 0);
  Check(Read(bytes, 1, 0) == whole);
  Check(Read(bytes, 0, size) == whole);
  Check(Read(bytes, 0, size * 31 + 7) == whole);
  return 0;
}
