// Second requests of a simulated run, and what they promise.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "testing/simulation.h"

namespace seekroute::testing {
namespace {

constexpr ExchangeId kSecondBit = ShadowOf(0);

// What is asked of it goes to one store or another, by whose request it is.
class StoreOfBoth final : public Store {
 public:
  StoreOfBoth(Store* first, Store* second) : first_(*first), second_(*second) {}

  void Hold(StoreTicket ticket, const ExchangeRecord& row, const HoldRequest& request,
            StoreObserver* observer) override {
    Of(ticket).Hold(ticket, row, request, observer);
  }
  void Settle(StoreTicket ticket, const ExchangeRecord& row, StoreObserver* observer) override {
    Of(ticket).Settle(ticket, row, observer);
  }
  void Note(StoreTicket ticket, const ExchangeRecord& row) override {
    Of(ticket).Note(ticket, row);
  }
  void Forget(StoreTicket ticket) override { Of(ticket).Forget(ticket); }

 private:
  Store& Of(StoreTicket ticket) { return (ticket & kSecondBit) != 0 ? second_ : first_; }

  Store& first_;
  Store& second_;
};

}  // namespace

std::unique_ptr<Store> StoresOfBoth(Store* first, Store* second) {
  return std::make_unique<StoreOfBoth>(first, second);
}

// Of its own numbers. The bound of the day is enough for all, or for hardly anybody.
void Simulation::DrawShadows(uint64_t seed) {
  SeededRng rng(seed * 13 + 5);
  if (!rng.OneIn(2)) return;
  per_day_.nano = static_cast<int64_t>(rng.OneIn(2) ? kOperatorNano : rng.Below(60'000'000));
  pairs_.SetRules({.share = ShadowRules::kMostShare, .per_day = per_day_});
}

// What is asked for a client that has its end is asked for nobody.
UpstreamScript Simulation::DirectSecond(const TransportRequest& request) {
  const ExchangeId id = ClientOf(request.body);
  const Client& client = clients_[id];
  const auto expect = [&](bool holds, const std::string& promise) {
    if (!holds) early_.push_back("second of exchange " + std::to_string(id) + ": " + promise);
  };
  expect(client.automatic && !client.local && client.row.error.empty(),
         "only whole answers of a chosen model have one");
  for (const size_t each : seconds_) {
    expect(ClientOf(transport_.seen()[each].body) != id, "is one call");
  }
  seconds_.insert(transport_.seen().size());
  const CreditStore::Booking* const booking = operator_store_.Find(ShadowOf(id));
  expect(booking != nullptr && booking->state == CreditStore::State::kHeld,
         "is sent when its hold is durable");
  expect(SpentOnSeconds() <= per_day_, "the day's bound holds");
  expect(request.body.find("\"stream\"") == std::string::npos, "is for a whole answer");
  expect(ToldIn(request.body) > 0, "is told how long the answer may get");
  // Of other numbers, as the first ones are the clients'.
  std::swap(rng_, second_rng_);
  UpstreamScript script = JsonScript("second");
  const uint64_t fault = rng_.Below(8);
  script.connects = fault != 0;
  if (fault == 1) script.head.status = 503;
  if (fault == 2) script.ending = UpstreamScript::Ending::kHang;
  script.head_delay = rng_.UpTo(Duration::Seconds(rng_.OneIn(4) ? 400 : 5));
  std::swap(rng_, second_rng_);
  return script;
}

// What they have cost, each up to its hold, and what those that run hold.
Money Simulation::SpentOnSeconds() const {
  Money spent;
  for (const auto& [ticket, booking] : operator_store_.bookings()) {
    if (booking.state == CreditStore::State::kHeld) spent.nano += booking.held.nano;
    if (booking.state != CreditStore::State::kSettled) continue;
    const int64_t cost = booking.row.upstream_cost.nano + booking.row.Suspected().nano;
    spent.nano += std::min(cost, booking.held.nano);
  }
  return spent;
}

void Simulation::CheckShadows(std::vector<std::string>* broken) const {
  const auto expect = [&](bool holds, ExchangeId id, const std::string& promise) {
    if (!holds) broken->push_back("second of exchange " + std::to_string(id) + ": " + promise);
  };
  for (std::string& line : operator_store_.CheckAtRest()) broken->push_back(std::move(line));
  std::map<ExchangeId, size_t> sent;
  for (const size_t each : seconds_) ++sent[ClientOf(transport_.seen()[each].body)];
  for (const auto& [ticket, booking] : operator_store_.bookings()) {
    const ExchangeId id = ticket & ~kSecondBit;
    const ExchangeRecord& row = booking.row;
    const Client& first = clients_.at(id);
    expect(booking.settles == (booking.state == CreditStore::State::kSettled ? 1 : 0) ||
               booking.state == CreditStore::State::kRefused,
           id, "one row, where money was held");
    if (booking.state != CreditStore::State::kSettled) continue;
    expect(row.org_id == kOperatorOrg && row.key_id.empty(), id, "is the operator's");
    expect(
        row.routing.find("\"shadow_of\":\"" + first.row.generation_id + '"') != std::string::npos,
        id, "says whose second answer it is");
    expect(row.model != first.row.model, id, "is another model's");
    expect(booking.charge == std::min(row.upstream_cost, booking.held), id,
           "costs what the provider charges");
    expect(static_cast<size_t>(row.attempts) == sent[id], id, "counts its call");
  }
  for (const auto& [id, calls] : sent) {
    const CreditStore::Booking* const booking = operator_store_.Find(ShadowOf(id));
    expect(booking != nullptr && booking->settles == 1, id, "leaves a row");
  }
  std::vector<Sample> samples;
  pairs_.AddSamples(&samples);
  const auto under_way = std::ranges::find(samples, "seekroute_shadow_under_way", &Sample::name);
  expect(under_way != samples.end() && under_way->value == 0, 0, "nothing is under way any more");
}

}  // namespace seekroute::testing
