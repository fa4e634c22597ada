// What API keys look like, ours and other vendors': the one table of it. A client may write its key
// in a wrong place, a provider may quote one; neither may reach a log, a row or another client.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace seekroute {

// How keys of one kind begin.
struct KeyShape {
  enum class Case : uint8_t { kAny, kExact };

  std::string_view head;  // in small letters, unless `letters` is kExact
  // One of these stands behind the head, as itself or as %2d, %5f; empty: nothing does.
  std::string_view separators;
  Case letters = Case::kAny;
  // So few characters behind it are one as well where a provider writes: what is left of a key that
  // was cut. A head that begins words has none such.
  bool also_cut = false;
};

// Characters of a key behind its head, at least; fewer are a word.
inline constexpr size_t kShortestKeyRest = 16;

std::span<const KeyShape> KeyShapes();

// The length of the beginning of a key of any kind at `at` in `text`, with its separator; 0: there
// is none. Says in `*shape` which kind, where that is not null.
size_t KeyHeadAt(std::string_view text, size_t at, const KeyShape** shape = nullptr);

// `text` with "[key]" for whatever looks like a key: one of a kind, if it goes on at random and not
// in words, or one of ours, which may have any words before its last part. For what a client wrote,
// but not for a name that was found in the catalog. Cut it after this, not before.
std::string WithoutKeys(std::string_view text);

// Whether anything in `text` does.
bool HasKey(std::string_view text);

}  // namespace seekroute
