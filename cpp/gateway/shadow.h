// The two ends of a shadow pair: what keeps the first answer on its way to its client, and the
// world in which the second request is answered.
#pragma once

#include <memory>
#include <string>

#include "gateway/admission.h"
#include "gateway/exchange_world.h"
#include "gateway/outbox.h"
#include "gateway/shadow_pairs.h"
#include "routing/order.h"

namespace seekroute {

// Draws whether a request that is about to be asked is also sent to a second model, by the seed of
// its route, and if so keeps a copy of it and of its answer on the way through `outbox`. Once
// that answer has come whole, and its client has its end, the second request is handed to
// world.host. Nothing of the first waits for the second, or knows of it.
//
// Drawn are requests over HTTP for which a model was chosen, where another one is in service that
// is not sold for less than it costs. Never those that ask for privacy (`zdr`, `data_collection`),
// as others may come to see a pair, nor those with a `max_cost`, as only their cheap pairs would be
// there.
void DrawShadow(const Submission& in, const Admission& admission, const ExchangeWorld& world,
                Outbox* outbox);

// A request of the operator's own, to a model that grades pairs: sent, bounded and booked as second
// requests are. Every one comes to a verdict with `tag`, also where it was not sent. Null: as many
// are under way as may be.
std::unique_ptr<Outlet> VerdictOutlet(ExchangeId id, std::string tag, ShadowPairs* pairs);
// How long it may take.
inline constexpr Duration kLongestShadow = Duration::Seconds(300);

// Where second requests hold their money: within the bound of a day, or not at all. Engine thread
// only.
class ShadowStore final : public Store {
 public:
  // Nothing is owned; all of it outlives the store.
  ShadowStore(Store* store, ShadowPairs* pairs) : store_(*store), pairs_(*pairs) {}

  // Fails with kInsufficientCredits where the bound would be exceeded.
  void Hold(StoreTicket ticket, const ExchangeRecord& row, const HoldRequest& request,
            StoreObserver* observer) override;
  void Settle(StoreTicket ticket, const ExchangeRecord& row, StoreObserver* observer) override {
    store_.Settle(ticket, row, observer);
  }
  void Note(StoreTicket ticket, const ExchangeRecord& row) override { store_.Note(ticket, row); }
  void Forget(StoreTicket ticket) override { store_.Forget(ticket); }
  void Flush() override { store_.Flush(); }

 private:
  Store& store_;
  ShadowPairs& pairs_;
};

// The chances of second requests, so that those of others are the same whoever is drawn. Fit for
// identifiers as far as its seed is. Engine thread only.
class ShadowRng final : public Rng {
 public:
  explicit ShadowRng(uint64_t seed) : state_(seed) {}

  uint64_t Next() override { return SplitMix64(state_++); }

 private:
  uint64_t state_;
};

// An engine's world, as second requests see it: no limit of who asks is theirs, nobody is asked
// beside another or remembered, and the money is the operator's.
class ShadowWorld {
 public:
  // Of `world` the shadows are not null. It need not outlive this; what it points to does.
  explicit ShadowWorld(const ExchangeWorld& world);
  ShadowWorld(const ShadowWorld&) = delete;
  ShadowWorld& operator=(const ShadowWorld&) = delete;

  const ExchangeWorld& world() const { return world_; }

 private:
  ShadowRng rng_;
  ShadowStore store_;
  ExchangeWorld world_;
};

}  // namespace seekroute
