// Tries alone, over scripted providers on a virtual clock.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/health_table.h"
#include "gateway/tries.h"
#include "routing/planner.h"
#include "store/store.h"
#include "testing/scripted_transport.h"
#include "testing/virtual_world.h"
#include "wire/protocols/protocols.h"

namespace seekroute::testing {

using Words = std::vector<std::string>;

// Of a stream.
inline std::string ChunkOf(std::string_view text) {
  return "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + std::string(text) +
         "\"}}]}\n\n";
}
inline const std::string kStreamEnd =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: [DONE]\n\n";

// Three providers of one model, what each does, and what is heard of the tries.
class TriesTest : public ::testing::Test, public TriesOwner, public PurseOwner {
 protected:
  TriesTest() {
    for (const char* name : {"a", "b", "c"}) {
      Provider& provider = snapshot_.providers.emplace_back();
      provider.id = name;
      provider.upstream.base_url = std::string("https://") + name;
      provider.on_abort = OnAbort::kReadOut;
      Endpoint& endpoint = model_.endpoints.emplace_back();
      endpoint.provider = static_cast<uint32_t>(snapshot_.providers.size() - 1);
      endpoint.upstream_model = "up";
      Rates rates;
      rates[PriceClass::kInput] = Rate{1'000'000};  // 1,000 nano-USD a token
      rates[PriceClass::kOutput] = Rate{2'000'000};
      endpoint.price = PriceTable::Flat(rates);
    }
    model_.id = "x/m";
  }

  void Begin(bool stream) {
    body_ = R"({"model":"m","messages":[{"role":"user","content":")" + content_of_prompt_;
    body_ += R"("}],"stream":)";
    body_ += stream ? "true}" : "false}";
    admission_.surface = &SurfaceOf(SurfaceId::kChat);
    admission_.profile = &profile_;
    admission_.request = std::move(*admission_.surface->Read(body_, profile_, {true}));
    admission_.model = &model_;
    admission_.route = *PlanRoute({{&model_}}, *admission_.request);
    for (const Endpoint& each : other_.endpoints) {
      admission_.route.candidates.push_back({.model = &other_, .endpoint = &each, .after = after_});
    }
    purse_.emplace(1, &admission_, world_, this);
    ASSERT_TRUE(purse_->Bound(false, {}).ok());
    tries_.emplace(TriesPlan{&admission_, &snapshot_, &*purse_, &body_, Origin::kServer}, world_,
                   this);
    tries_->Start({"gen-1", "chat.completion", {}, 7}, {}, clock_.Now() + time_, hurried_);
  }

  // Until nothing is left to happen by itself.
  void Run() {
    while (!agenda_.empty()) agenda_.RunNext();
  }

  // A stream whose first content comes after so many milliseconds.
  static UpstreamScript Stream(int64_t ms, std::string_view text) {
    UpstreamScript script;
    script.head.content_type = "text/event-stream";
    script.pieces = {{Duration::Milliseconds(ms), ChunkOf(text)},
                     {Duration::Milliseconds(50), kStreamEnd}};
    return script;
  }
  static UpstreamScript Refusal(int64_t ms, int status) {
    UpstreamScript script;
    script.head_delay = Duration::Milliseconds(ms);
    script.head.status = status;
    script.pieces = {{{}, R"({"error":{"message":"not now"}})"}};
    return script;
  }

  std::vector<std::string> Booked() const {
    std::vector<std::string> booked;
    for (const AttemptRecord& record : tries_->records()) {
      booked.push_back(record.provider + ' ' + (record.error.empty() ? "answered" : record.error));
    }
    return booked;
  }

  Flow OnContent(std::string_view bytes) override {
    content_ += bytes;
    return Flow::kContinue;
  }
  void OnAnswered() override { ++answered_; }
  void OnOutOfTries(Error error) override { failures_.push_back(std::string(error.name())); }
  void OnDeadline(TimePoint at) override {
    agenda_.At(at, [this] { tries_->OnTimer(clock_.Now()); });
  }
  void OnBodyGone() override {}
  void OnQuiet() override { ++quiet_; }
  void OnHeld(Status) override { FAIL(); }
  void OnSettled() override { FAIL(); }

  VirtualClock clock_;
  Agenda agenda_{&clock_};
  GatewayOptions options_;
  Stats stats_;
  KeyRing keys_{Secret("pepper")};
  ReadOutSlots read_outs_{1};
  UpstreamQuirks quirks_;
  NullStore store_;
  std::map<std::string, UpstreamScript> scripts_;  // by base URL
  ScriptedTransport::Director script_of_ = [this](const TransportRequest& sent) {
    return scripts_.at(sent.upstream->base_url);
  };
  ScriptedTransport transport_{&agenda_, &clock_,
                               [this](const TransportRequest& sent) { return script_of_(sent); }};
  ExchangeWorld world_{.options = &options_,
                       .clock = &clock_,
                       .rng = nullptr,
                       .keys = &keys_,
                       .idempotency = nullptr,
                       .read_outs = &read_outs_,
                       .store = &store_,
                       .transport = &transport_,
                       .stats = &stats_,
                       .host = nullptr,
                       .quirks = &quirks_};
  Snapshot snapshot_;
  Model model_;
  Model other_;  // asked behind it, after such a failure
  AskedAfter after_ = AskedAfter::kAny;
  Profile profile_;
  Duration time_ = Duration::Seconds(600);  // of the whole request
  bool hurried_ = false;                    // as its client wants it
  std::string content_of_prompt_ = "Hi";
  std::string body_;
  Admission admission_;
  std::optional<Purse> purse_;
  std::optional<Tries> tries_;
  std::string content_;
  int answered_ = 0;
  int quiet_ = 0;
  std::vector<std::string> failures_;
};

// The same, of endpoints with ids, from 1, and with a table of their health. A client that leaves
// is not read out for.
class TriesHealthTest : public TriesTest {
 protected:
  TriesHealthTest() {
    uint64_t id = 0;
    for (Endpoint& each : model_.endpoints) each.id = ++id;
    for (Provider& each : snapshot_.providers) each.on_abort = OnAbort::kCancel;
    world_.health = &health_;
  }
  // `snapshot` is what is current, with the model.
  void Learn(Snapshot* snapshot) {
    Catalog::Parts parts;
    parts.names.emplace(model_.id, model_.id);
    parts.models.push_back(model_);
    snapshot->catalog = std::move(*Catalog::Make(std::move(parts)));
    health_.Learn(*snapshot, clock_.Now());
  }

  HealthTable health_{options_.health, options_.retry_budget};
};

}  // namespace seekroute::testing
