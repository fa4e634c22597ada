// What is sold: one model at one provider, as a test wants it.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

#include "gateway/snapshot.h"
#include "wire/dialect.h"

namespace seekroute::testing {

inline constexpr int64_t kInputNano = 1000;  // a token
inline constexpr int64_t kOutputNano = 2000;
inline constexpr int64_t kImageNano = 40'000'000;  // a picture, of a model that draws

class OfferTest : public ::testing::Test {
 protected:
  // As the members below say it now.
  std::shared_ptr<const Snapshot> SnapshotOf(int64_t max_output) const {
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->profiles.emplace("seekroute", profile_);
    snapshot->default_profile = "seekroute";
    Provider provider;
    provider.id = "p";
    provider.upstream.base_url = "https://p";
    provider.on_abort = on_abort_;
    provider.stream_options = takes_stream_options_;
    snapshot->providers.push_back(std::move(provider));
    Rates rates;
    rates[PriceClass::kInput] = Rate{kInputNano * 1000};
    rates[PriceClass::kOutput] = Rate{kOutputNano * 1000};
    rates[PriceClass::kImageOutput] = Rate{media_nano_ * 1000};
    rates[PriceClass::kAudioOutput] = Rate{media_nano_ * 1000};
    const bool draws = dialect_ == DialectId::kOpenAiImages;
    if (draws) rates[PriceClass::kPerImage] = Rate{kImageNano * 1000};
    PriceTable::Parts prices;
    prices.revision = "r";
    prices.variants.emplace_back().rates = rates;
    Model model{
        .id = "a/m", .other_output = other_output_, .max_output = max_output, .endpoints = {}};
    RequestForm form;
    form.cap_field = cap_field_;
    form.reasoning_budget_field = reasoning_budget_field_;
    model.endpoints.push_back({0, "up", *PriceTable::Make(std::move(prices)), std::move(form),
                               timeouts_, cap_excludes_reasoning_, max_reasoning_});
    model.endpoints.back().tag = "p";
    SetDialect(dialect_, &model.endpoints.back());
    model.context = model_context_;
    model.endpoints.back().context = endpoint_context_;
    model.endpoints.back().max_output = endpoint_max_output_;
    Catalog::Parts parts;
    parts.names.emplace("m", "a/m");
    parts.models.push_back(std::move(model));
    snapshot->catalog = std::move(*Catalog::Make(std::move(parts)));
    return snapshot;
  }

  struct At {
    std::string provider;  // at https://PROVIDER
    uint64_t input_nano = kInputNano;
    uint64_t output_nano = kOutputNano;
    uint64_t cache_read_nano = 0;
  };

  // The same model at several providers, that answer as OpenAI does; their ids are 1, 2, ...
  std::shared_ptr<const Snapshot> SnapshotAt(std::initializer_list<At> places) const {
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->profiles.emplace("seekroute", profile_);
    snapshot->default_profile = "seekroute";
    Model model{.id = "a/m", .max_output = 1000, .endpoints = {}};
    for (const At& at : places) {
      Provider provider;
      provider.id = at.provider;
      provider.upstream.base_url = "https://" + at.provider;
      snapshot->providers.push_back(std::move(provider));
      PriceTable::Parts prices;
      prices.revision = "r";
      Rates& rates = prices.variants.emplace_back().rates;
      rates[PriceClass::kInput] = Rate{at.input_nano * 1000};
      rates[PriceClass::kOutput] = Rate{at.output_nano * 1000};
      rates[PriceClass::kCacheRead] = Rate{at.cache_read_nano * 1000};
      Endpoint& endpoint = model.endpoints.emplace_back();
      endpoint.provider = static_cast<uint32_t>(model.endpoints.size() - 1);
      endpoint.upstream_model = "up";
      endpoint.price = *PriceTable::Make(std::move(prices));
      endpoint.form.cap_field = "max_tokens";
      endpoint.id = model.endpoints.size();
      SetDialect(DialectId::kOpenAiChat, &endpoint);
    }
    Catalog::Parts parts;
    parts.names.emplace("m", "a/m");
    parts.models.push_back(std::move(model));
    snapshot->catalog = std::move(*Catalog::Make(std::move(parts)));
    return snapshot;
  }

  std::string cap_field_ = "max_tokens";
  CallTimeouts timeouts_;
  bool cap_excludes_reasoning_ = false;
  std::string reasoning_budget_field_;
  int64_t max_reasoning_ = 0;
  int64_t model_context_ = 0;
  int64_t endpoint_context_ = 0, endpoint_max_output_ = 0;
  DialectId dialect_ = DialectId::kOpenAiChat;  // of the provider
  bool other_output_ = false;
  uint64_t media_nano_ = kOutputNano;  // a token of a picture or of sound in the answer
  OnAbort on_abort_ = OnAbort::kCancel;
  bool takes_stream_options_ = true;
  Profile profile_;
};

}  // namespace seekroute::testing
