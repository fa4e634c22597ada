// Clients of a simulated run for whom a model is chosen, while what is learned is exchanged.
#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>

#include "gateway/admission.h"
#include "routing/auto/auto_router.h"
#include "testing/auto_weights.h"
#include "testing/simulation.h"
#include "wire/protocols/protocols.h"

namespace seekroute::testing {
namespace {

constexpr uint64_t kRouters = 6;

// Of one that has learned nothing, of one whose weights know all models, and so on: made once, as
// each takes a megabyte. Model i is served by i providers; the first one by nobody.
std::shared_ptr<const AutoRouter> RouterNumber(uint64_t which) {
  static const auto kAll = [] {
    std::array<std::shared_ptr<const AutoRouter>, kRouters> routers;
    for (uint64_t i = 0; i < kRouters; ++i) {
      std::shared_ptr<const AutoScorer> scorer;
      if (i > 0) {
        scorer =
            std::make_shared<const AutoScorer>(*AutoScorer::Make(SomeAutoWeights(i, 4), nullptr));
      }
      std::vector<PooledModel> pool;
      for (uint64_t m = 0; m < 5; ++m) {
        const bool learned = scorer != nullptr && m < 4 && (m + i) % 3 != 0;
        pool.push_back({"a/m" + std::to_string(m), 0.5 + 0.08 * static_cast<double>(m),
                        learned ? "model-" + std::to_string(m) : std::string()});
      }
      const AutoRules rules{.strategy = static_cast<AutoStrategy>(i % kAutoStrategyNames.size())};
      routers[i] = std::make_shared<const AutoRouter>(
          *AutoRouter::Make(std::move(pool), rules, std::move(scorer)));
    }
    return routers;
  }();
  return kAll[which];
}

constexpr std::array<std::string_view, 6> kWords = {"prove ", "the ",  "theorem ",
                                                    "hello ", "what ", "is "};

}  // namespace

// Of its own numbers, so that the other parts of a run are what they were without it.
void Simulation::DrawAuto(uint64_t seed) {
  SeededRng rng(seed * 5 + 3);
  if (!rng.OneIn(3)) return;
  ChooseRouter(rng.Below(kRouters));
  for (auto& [id, client] : clients_) {
    const size_t model = client.body.find("a/m");
    if (!client.valid || client.inputs > 0 || !rng.OneIn(2)) continue;
    client.body.replace(model, std::string_view("a/m0").size(), "auto");
    std::string text;
    for (uint64_t i = rng.Below(8); i > 0; --i) text += kWords[rng.Below(kWords.size())];
    client.body.insert(client.body.find("tag"), text);
    client.automatic = true;
  }
  while (rng.OneIn(2)) {
    const uint64_t next = rng.Below(kRouters);
    agenda_.After(rng.UpTo(Duration::Seconds(25)), [this, next] { ChooseRouter(next); });
  }
}

// As a reload does it: who runs keeps the one that it came with.
void Simulation::ChooseRouter(uint64_t which) {
  auto snapshot = std::make_shared<Snapshot>(*snapshot_);
  snapshot->router = RouterNumber(which);
  snapshot_ = std::move(snapshot);
}

// What a plan says now, of the same body and the same snapshot.
void Simulation::FindChoice(ExchangeId id) {
  Client& client = clients_[id];
  Admission admission;
  AdmissionRules rules{&keys_, false, Origin::kInProcess, clock_.WallTime().seconds()};
  rules.options = &options_;
  rules.answers = &answers_;
  const Status planned =
      Admit(SurfaceOf(SurfaceId::kChat), client.body, std::nullopt, *snapshot_, rules, &admission);
  client.valid = client.valid && planned.ok();
  if (!planned.ok()) return;
  client.chosen = admission.route.candidates.front().model->id;
  // What it is expected to cost depends on whether a limit of tokens had its prompt estimated.
  Admission estimated;
  rules.scope.prompt = true;
  const Status again =
      Admit(SurfaceOf(SurfaceId::kChat), client.body, std::nullopt, *snapshot_, rules, &estimated);
  if (again.ok()) client.chosen_by_estimate = estimated.route.candidates.front().model->id;
  for (const Candidate& each : admission.route.candidates) {
    client.longest =
        std::max(client.longest, OwnOr(each.endpoint->timeouts.total, options_.total_timeout));
  }
}

void Simulation::CheckChoice(ExchangeId id, const Client& client,
                             std::vector<std::string>* broken) const {
  const auto expect = [&](bool holds, const std::string& promise) {
    if (!holds) broken->push_back("exchange " + std::to_string(id) + ": " + promise);
  };
  if (client.row.tried.empty()) return;
  const std::string& first = client.row.tried.front().model;
  // Who is at a limit is passed over at its turn.
  // Likewise who costs more than is held.
  const bool passes = model_slots_.has_value() || provider_slots_.has_value() || options_.credits;
  const std::string& asked = first.empty() ? client.row.model : first;
  expect(passes || asked == client.chosen || asked == client.chosen_by_estimate,
         "the model that was chosen is asked first");
  const size_t named = client.received.find("\"model\":\"");
  if (!client.row.error.empty() || named == std::string::npos) return;
  expect(client.received.compare(named + 9, 4, client.row.model) == 0,
         "who answers is named, not 'auto'");
}

// Whole answers that a model was chosen for, and nothing else.
void Simulation::CheckLengths(std::vector<std::string>* broken) const {
  int64_t shortest = kGuessedAnswerTokens, longest = kGuessedAnswerTokens;
  bool any = false;
  for (const auto& [id, client] : clients_) {
    const ExchangeRecord& row = client.row;
    if (!client.automatic || !row.error.empty() || row.estimated) continue;
    if (row.completion_tokens <= 0 || row.settlement == Settlement::kFailed) continue;
    any = true;
    shortest = std::min(shortest, row.completion_tokens);
    longest = std::max(longest, row.completion_tokens);
  }
  const AnswerLengths::Kept kept = answers_.Keep();
  if (any == kept.models.empty()) {
    broken->emplace_back("lengths are learned of answers that a model was chosen for");
  }
  AnswerLengths lengths;
  lengths.Restore(kept);
  for (const AnswerLengths::KeptModel& each : kept.models) {
    for (const float difficulty : {0.0F, 0.3F, 0.6F, 1.0F}) {
      const int64_t expected = lengths.Expect(each.name, difficulty);
      if (expected >= shortest && expected <= longest) continue;
      broken->push_back("of " + each.name + " an answer is expected that is longer, or shorter, " +
                        "than all that there were");
    }
  }
}

}  // namespace seekroute::testing
