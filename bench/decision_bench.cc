// What the decisions of a request take: a plan over 1, 2 and 20 endpoints, one that chooses among
// eight models, what is read of a request for that, and what is taken of a key's limits. One
// thread, medians of batches.
//
//   decision_bench --batches 301
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/price.h"
#include "gateway/health_table.h"
#include "limits/limiter.h"
#include "net.h"
#include "options.h"
#include "routing/auto/auto_router.h"
#include "routing/planner.h"
#include "wire/dialect.h"
#include "wire/protocols/protocols.h"

namespace seekroute::bench {
namespace {

constexpr int kBatch = 1000;
constexpr int kKeys = 1000;

// Median nanoseconds of one call of `once(i)`.
template <typename Once>
double MedianNs(int64_t batches, const Once& once) {
  std::vector<double> each;
  uint64_t i = 0;
  for (int64_t batch = 0; batch < batches; ++batch) {
    const int64_t began = NowNs();
    for (int n = 0; n < kBatch; ++n) once(i++);
    each.push_back(static_cast<double>(NowNs() - began) / kBatch);
  }
  const auto middle = each.begin() + static_cast<std::ptrdiff_t>(each.size() / 2);
  std::nth_element(each.begin(), middle, each.end());
  return *middle;
}

// One model at that many providers, each a little dearer than the one before.
Snapshot Selling(int endpoints) {
  Snapshot snapshot;
  Model model{.id = "a/m", .context = 128'000, .max_output = 8'000, .endpoints = {}};
  for (int i = 0; i < endpoints; ++i) {
    Provider& provider = snapshot.providers.emplace_back();
    provider.id = "p" + std::to_string(i);
    provider.upstream.base_url = "https://" + provider.id;
    Rates rates;
    rates[PriceClass::kInput] = Rate{100'000 + 1'000 * static_cast<uint64_t>(i)};
    rates[PriceClass::kOutput] = Rate{400'000};
    Endpoint& endpoint = model.endpoints.emplace_back();
    endpoint.provider = static_cast<uint32_t>(i);
    endpoint.upstream_model = "up";
    endpoint.price = PriceTable::Flat(rates);
    endpoint.id = static_cast<uint64_t>(i) + 1;
    SetDialect(DialectId::kOpenAiChat, &endpoint);
  }
  Catalog::Parts parts;
  parts.names.emplace("m", "a/m");
  parts.models.push_back(std::move(model));
  snapshot.catalog = std::move(*Catalog::Make(std::move(parts)));
  return snapshot;
}

double PlanNs(int endpoints, int64_t batches) {
  const Snapshot snapshot = Selling(endpoints);
  HealthTable health({}, {});
  health.Learn(snapshot, {1});
  const Profile profile;
  const auto request = SurfaceOf(SurfaceId::kChat)
                           .Read(R"({"model":"m","messages":[{"role":"user","content":"Hello!"}]})",
                                 profile, {true});
  const PlannedModel model{.model = snapshot.catalog.Find("m")};
  size_t candidates = 0;
  const double ns = MedianNs(batches, [&](uint64_t i) {
    const PlanInputs inputs{.models = {&model, 1},
                            .request = request->get(),
                            .rules = {.balance = Balance::kInverseSquare},
                            .health = &health,
                            .now = {static_cast<int64_t>(i) + 2},
                            .seed = i};
    candidates += PlanRoute(inputs)->candidates.size();
  });
  const auto planned = static_cast<size_t>(batches) * kBatch * static_cast<size_t>(endpoints);
  if (candidates != planned) Die("a plan has left somebody out");
  return ns;
}

constexpr std::string_view kQuestion =
    "A train leaves the station at 9:40 and travels 120 km at a constant speed. A second one "
    "leaves "
    "20 minutes later and arrives at the same time. Explain step by step how much faster it is, "
    "and "
    "prove that the answer does not depend on the distance.";

std::string AskedOf(std::string_view model) {
  return R"({"messages":[{"role":"user","content":")" + std::string(kQuestion) +
         R"("}],"model":")" + std::string(model) + "\"}";
}

// What a prompt is judged by, and a plan over eight models at two endpoints each.
double ChooseNs(int64_t batches) {
  constexpr uint32_t kModels = 8;
  std::vector<Model> models;
  std::vector<PooledModel> pool;
  for (uint32_t i = 0; i < kModels; ++i) {
    Model model = Selling(2).catalog.models().front();
    model.id = "a/" + std::to_string(i);
    for (Endpoint& each : model.endpoints) each.id += 100 * i;
    models.push_back(std::move(model));
    pool.push_back({"a/" + std::to_string(i), 0.5 + 0.05 * i, ""});
  }
  const AutoRouter router = *AutoRouter::Make(std::move(pool), {}, nullptr);
  const std::vector<std::string> names{"auto"};
  const auto request =
      SurfaceOf(SurfaceId::kChat)
          .Read(AskedOf("auto"), Profile(), {.prompt = true, .excerpt_for = names});
  std::vector<PlannedModel> planned;
  for (uint32_t i = 0; i < kModels; ++i) planned.push_back({.model = &models[i], .pooled = i});
  size_t candidates = 0;
  const double ns = MedianNs(batches, [&](uint64_t i) {
    const AutoAsk choice{&router, router.Judge((*request)->ask.excerpt), AutoStrategy::kBalanced};
    const PlanInputs inputs{.models = planned,
                            .request = request->get(),
                            .rules = {.balance = Balance::kInverseSquare},
                            .seed = i,
                            .automatic = &choice};
    candidates += PlanRoute(inputs)->candidates.size();
  });
  if (candidates != static_cast<size_t>(batches) * kBatch * kModels * 2) {
    Die("a choice has left somebody out");
  }
  return ns;
}

// A request of that model, where an excerpt is wanted of those for `auto`, or of none.
double ReadNs(std::string_view model, bool chooses, int64_t batches) {
  const std::string body = AskedOf(model);
  const std::vector<std::string> names{"auto", "seekroute/auto", "openrouter/auto"};
  const Profile profile;
  ReadScope scope;
  if (chooses) scope.excerpt_for = names;
  size_t read = 0;
  const double ns = MedianNs(batches, [&](uint64_t) {
    read += (*SurfaceOf(SurfaceId::kChat).Read(body, profile, scope))->ask.model.size();
  });
  if (read == 0) Die("a request was not read");
  return ns;
}

// Requests and tokens of a minute and of a day, and slots: all of a key, each of a different one.
double ReserveNs(int64_t batches) {
  Limiter limiter;
  const LimitSet limits{.requests_per_minute = 1'000'000'000,
                        .tokens_per_minute = 1'000'000'000'000,
                        .requests_per_day = int64_t{1} << 40,
                        .tokens_per_day = int64_t{1} << 50,
                        .concurrent = 1000};
  std::vector<std::string> keys;
  for (int i = 0; i < kKeys; ++i) keys.push_back("key_" + std::to_string(i));
  int64_t refused = 0;
  const double ns = MedianNs(batches, [&](uint64_t i) {
    const LimitSubject who{
        .org = "o", .key = keys[i % kKeys], .model = "m", .key_limits = &limits, .key_version = 1};
    const LimitTime now{{static_cast<int64_t>(i) * 1000 + 1},
                        {1'700'000'000'000 + static_cast<int64_t>(i / 1000)}};
    Limiter::Answer answer = limiter.Reserve(who, {.prompt = 10, .tokens = 100}, now);
    refused += answer.refusal.has_value();
    answer.reservation.Settle({50}, now);
  });
  if (refused != 0) Die("a limit has refused");
  return ns;
}

}  // namespace
}  // namespace seekroute::bench

int main(int argc, char** argv) {
  using namespace seekroute::bench;
  Options options(argc, argv);
  const int64_t batches = options.Int("batches", 301);
  options.RefuseUnknown();
  for (const int endpoints : {1, 2, 20}) {
    std::printf("plan, %d endpoint%s: %.0f ns\n", endpoints, endpoints == 1 ? "" : "s",
                PlanNs(endpoints, batches));
  }
  std::printf("judge a question, and a plan over 8 models at 2 endpoints each: %.0f ns\n",
              ChooseNs(batches));
  std::printf("read a request for a model: %.0f ns, where others are for 'auto': %.0f ns\n",
              ReadNs("a/m", false, batches), ReadNs("a/m", true, batches));
  std::printf("read a request for 'auto': %.0f ns\n", ReadNs("auto", true, batches));
  std::printf("reserve and settle, 5 limits of a key: %.0f ns\n", ReserveNs(batches));
}
