// One engine in a virtual world that sends requests for `auto` to a second model, too.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "gateway/shadow_pairs.h"
#include "routing/auto/auto_router.h"
#include "testing/credits_fixture.h"

namespace seekroute::testing {

class ShadowTest : public CreditsTest {
 protected:
  static constexpr Money kPerDay{1'000'000'000};

  ShadowTest() {
    pairs_.emplace(options_);
    shadows_ = &*pairs_;
  }

  // Three models, each at a provider of its name, a/best of which is chosen; and one behind them
  // that only the operator names.
  void OpenPool(double share = ShadowRules::kMostShare, Money per_day = kPerDay) {
    pairs_->SetRules({share, per_day});
    Open({1'000'000'000});
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->profiles.emplace("seekroute", profile_);
    snapshot->default_profile = "seekroute";
    Catalog::Parts parts;
    std::vector<PooledModel> pool;
    for (const std::string name : {"best", "good", "fair", "spare"}) {
      Provider provider;
      provider.id = name;
      provider.upstream.base_url = "https://" + name;
      snapshot->providers.push_back(std::move(provider));
      PriceTable::Parts prices;
      prices.revision = "r";
      prices.markup_bps = name == "good" ? good_markup_bps_ : 1000;
      Rates& rates = prices.variants.emplace_back().rates;
      rates[PriceClass::kInput] = Rate{kInputNano * 1000};
      rates[PriceClass::kOutput] = Rate{kOutputNano * 1000};
      Model model{.id = "a/" + name, .max_output = 1000, .endpoints = {}};
      Endpoint& endpoint = model.endpoints.emplace_back();
      endpoint.provider = static_cast<uint32_t>(snapshot->providers.size() - 1);
      endpoint.upstream_model = "up-" + name;
      endpoint.price = *PriceTable::Make(std::move(prices));
      endpoint.id = snapshot->providers.size();
      endpoint.tag = name;
      endpoint.data = {Known::kNo, Known::kYes};
      SetDialect(DialectId::kOpenAiChat, &endpoint);
      if (name != "spare") {
        pool.push_back({model.id, name == "best" ? 0.9 : name == "good" ? 0.7 : 0.6, ""});
      }
      parts.names.emplace(model.id, model.id);
      parts.models.push_back(std::move(model));
    }
    parts.auto_names = {"auto"};
    snapshot->catalog = std::move(*Catalog::Make(std::move(parts)));
    snapshot->lists.after_any["a/good"] = {"a/spare"};
    snapshot->lists.after_any["a/fair"] = {"a/spare"};
    const AutoRules rules{.strategy = AutoStrategy::kQuality};
    snapshot->router =
        std::make_shared<const AutoRouter>(*AutoRouter::Make(std::move(pool), rules, nullptr));
    snapshot_ = std::move(snapshot);
  }

  static std::string Body(const std::string& members = "") {
    return R"({"model":"auto","messages":[{"role":"user","content":"hi"}])" + members + "}";
  }

  // Asks until one is drawn, a hundred times at most; its id, and 0 where none was.
  ExchangeId AskUntilDrawn(const std::string& members = "") {
    const double before = Figure("seekroute_shadow_drawn_total");
    for (int i = 0; i < 100; ++i) {
      const ExchangeId id = SubmitBody(Body(members));
      Rest();
      if (Figure("seekroute_shadow_drawn_total") > before) return id;
    }
    return 0;
  }

  // A metric of shadow pairs; 0: it is not told.
  double Figure(const std::string& name, const std::string& reason = "") const {
    std::vector<Sample> samples;
    pairs_->AddSamples(&samples);
    for (const Sample& each : samples) {
      if (each.name != name) continue;
      if (reason.empty() || each.labels.front().second == reason) return each.value;
    }
    return 0;
  }
  double Dropped(const std::string& reason) const {
    return Figure("seekroute_shadow_dropped_total", reason);
  }

  std::optional<ShadowPairs> pairs_;
  int32_t good_markup_bps_ = 1000;
};

}  // namespace seekroute::testing
