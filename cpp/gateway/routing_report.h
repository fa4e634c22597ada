// How a request was routed, told to the client that asked for it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "gateway/health_table.h"
#include "gateway/snapshot.h"
#include "gateway/stats.h"
#include "routing/route.h"
#include "store/store.h"
#include "wire/json/json_writer.h"

namespace seekroute {

enum class Explain : uint8_t {
  kNo,
  kSeekroute,   // `X-Seekroute-Explain: 1`: a top-level member "seekroute"
  kOpenRouter,  // `X-OpenRouter-Metadata: enabled`: the same as "openrouter_metadata"
};

// The whole JSON member: `"seekroute":{...}` with OpenRouter's keys (requested, strategy, attempt,
// endpoints, attempts, ...). As "seekroute" it tells besides how the order came about: `sort`,
// `seed`, and of each endpoint that was looked at its price, health and share, and why it was left
// out: at most Route::kMostCandidates and Route::kMostExcluded of them. `asked`: candidates that
// were asked; the last of them is the one that was selected. `stats`, where given, tells which of
// them ignored their cap, as
// `"ignores_cap":true`, where OpenRouter's clients do not read; `limits` is the value of a member
// there. Names no upstream but by its
// provider id; quotes no error text.
std::string WriteRouting(Explain how, const ExchangeRecord& row, const Route& route,
                         const Snapshot& snapshot, size_t asked, std::span<const Skip> skipped = {},
                         const Stats* stats = nullptr, std::string_view limits = {});

// What the row keeps of a route, as a JSON object of kMaxStoredRouting bytes at most: how its order
// came about, its first candidates, with why they were passed over at their turn (`skipped`, by
// place; empty: nobody was), those that were left out, how long it waited for its limits, and as
// "shadow_of" of which generation it is the second answer, if it is one. Where they are too many,
// the last are only counted. The row itself has the attempts.
std::string WriteStoredRouting(const Route& route, std::span<const Skip> skipped,
                               Duration queued = {}, std::string_view shadow_of = {});

// Whether a route has anything that its row does not tell: somebody was left out, or passed over,
// or a model was chosen.
bool HasLeftOut(const Route& route, std::span<const Skip> skipped);

// A share of 1, or a weight, in millionths: a float has digits that nobody needs.
std::string FormatShare(double share);

// The members "sort", "seed" and "explored": how the order of a route came about.
void WriteOrder(const Route& route, JsonWriter* json);

// The member "auto" where a model was chosen: "strategy", "strategy_source" (whose it was),
// "revision" (of the weights; null: nothing was learned), "difficulty", "propensity" (that this
// choice would be drawn; nothing is drawn), and "models", the first `most` of them, each with
// "model", "quality", "expected_usd", "latency_ms" (null: unknown), "score" and "reason".
void WriteAuto(const Route& route, size_t most, JsonWriter* json);

// What the header `x-seekroute-route` says of the choice: a dictionary of RFC 9651 with "model",
// "quality", "expected_usd" (where `tells_cost`), "reason", "propensity" and "strategy", numbers
// rounded as it wants them. "": nothing of the pool could be chosen.
std::string WriteChoice(const AutoRoute& chosen, bool tells_cost);

// The members "candidates", and "more_excluded" where there are more than are told.
// `skipped`: why each was passed over at its turn; empty: nobody was.
void WriteCandidates(const Route& route, UnixSeconds created, std::span<const Skip> skipped,
                     JsonWriter* json);

}  // namespace seekroute
