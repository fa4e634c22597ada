#include "bindings/convert.h"

#include <algorithm>

#include "bindings/dict_fields.h"
#include "store/store.h"
#include "wire/protocols/protocols.h"
#include "wire/request_form.h"

namespace py = pybind11;

namespace seekroute {
namespace {

Duration Milliseconds(const py::dict& dict, const char* key) {
  return Duration::Milliseconds(Get<int64_t>(dict, key));
}

std::pair<std::optional<double>, std::optional<double>> Range(const py::dict& dict,
                                                              const char* key) {
  const auto range = GetOptional<std::pair<double, double>>(dict, key);
  if (!range) return {};
  return {range->first, range->second};
}

Profile ProfileFrom(const py::dict& dict) {
  Profile profile;
  profile.name = Get<std::string>(dict, "name");
  profile.id_prefix = Get<std::string>(dict, "id_prefix");
  profile.object = Get<std::string>(dict, "object");
  const auto answer_model = Get<std::string>(dict, "answer_model");
  if (answer_model == "as_asked") {
    profile.answer_model = AnswerModel::kAsAsked;
  } else if (answer_model == "canonical") {
    profile.answer_model = AnswerModel::kCanonical;
  } else if (answer_model == "bare") {
    profile.answer_model = AnswerModel::kBare;
  } else {
    throw py::value_error("answer_model: expected as_asked, canonical or bare");
  }
  profile.usage_cost = Get<bool>(dict, "usage_cost");
  profile.upstream_cost = Get<bool>(dict, "upstream_cost");
  profile.error_metadata = Get<bool>(dict, "error_metadata");
  profile.error_param = Get<bool>(dict, "error_param");
  profile.integer_code_on_api_v1 = Get<bool>(dict, "integer_code_on_api_v1");
  profile.reasoning_on_v1 = Get<bool>(dict, "reasoning_on_v1");
  for (const auto& [name, words] : Get<py::dict>(dict, "errors")) {
    const auto code = ErrorCodeNamed(name.cast<std::string>());
    if (!code) throw py::value_error("errors: no such error code: " + name.cast<std::string>());
    const auto row = words.cast<py::dict>();
    // Some names have several codes, which differ in what a client is to do.
    for (int i = 0; i < kErrorCodeCount; ++i) {
      if (TraitsOf(static_cast<ErrorCode>(i)).name != TraitsOf(*code).name) continue;
      profile.words[static_cast<size_t>(i)] = {GetOptional<std::string>(row, "type"),
                                               GetOptional<std::string>(row, "code"),
                                               GetOptional<std::string>(row, "message")};
    }
  }
  std::tie(profile.temperature_min, profile.temperature_max) = Range(dict, "temperature");
  std::tie(profile.top_p_min, profile.top_p_max) = Range(dict, "top_p");
  profile.max_tokens_min = GetOptional<int64_t>(dict, "max_tokens_min");
  return profile;
}

// Its member `limits`; null: it has none.
std::shared_ptr<const LimitSet> OwnLimitsFrom(const py::dict& dict) {
  return dict.contains("limits") ? LimitsFrom(dict["limits"]) : nullptr;
}

Provider ProviderFrom(const py::dict& dict) {
  Provider provider;
  provider.id = Get<std::string>(dict, "id");
  provider.upstream.base_url = Get<std::string>(dict, "base_url");
  provider.upstream.authorization = Secret(Get<std::string>(dict, "authorization"));
  if (const auto keys = GetOptional<std::vector<py::dict>>(dict, "keys")) {
    for (const py::dict& key : *keys) {
      provider.keys.push_back({Get<std::string>(key, "id"),
                               Secret(Get<std::string>(key, "authorization")),
                               Get<uint32_t>(key, "weight"), OwnLimitsFrom(key)});
    }
    if (provider.keys.size() > Provider::kMostKeys) {
      throw py::value_error("provider " + provider.id + ": keys: expected 16 at most");
    }
  }
  provider.upstream.allow_http = Get<bool>(dict, "allow_http");
  provider.upstream.allow_private = Get<bool>(dict, "allow_private");
  provider.upstream.ca_file = Get<std::string>(dict, "ca_file");
  provider.upstream.proxy = Get<std::string>(dict, "proxy");
  if (const auto ms = GetOptional<int64_t>(dict, "keep_alive_ms")) {
    if (*ms < 0) throw py::value_error("keep_alive_ms: expected 0 (not kept) or more");
    provider.upstream.keep_alive = Duration::Milliseconds(*ms);
  }
  provider.headers = Get<std::vector<std::string>>(dict, "headers");
  provider.limits = OwnLimitsFrom(dict);
  provider.stream_options = GetOptional<bool>(dict, "stream_options").value_or(true);
  provider.on_abort = Choice(dict, "on_abort", OnAbort::kCancel,
                             {{"cancel", OnAbort::kCancel}, {"read_out", OnAbort::kReadOut}});
  return provider;
}

// Of an endpoint; what is absent is the gateway's own.
CallTimeouts TimeoutsFrom(const py::dict& dict) {
  const auto read = [&dict](const char* key) {
    const int64_t ms = GetOptional<int64_t>(dict, key).value_or(0);
    // The engine's timers are as coarse as its shortest wait for a transfer to close.
    if (ms != 0 && ms < 1000) {
      throw py::value_error(std::string("timeouts.") + key + ": expected 1000 or more");
    }
    return Duration::Milliseconds(ms);
  };
  return {.first_byte = read("first_byte_timeout_ms"),
          .first_content = read("first_content_timeout_ms"),
          .idle = read("idle_timeout_ms"),
          .total = read("total_timeout_ms")};
}

// The model as it is sold to those who have paid: what a stand-in answers costs them nothing.
std::shared_ptr<const Model> GratisOf(const Model& model, const std::vector<bool>& stand_ins) {
  const auto free = PriceTable::Make({.revision = "gratis", .variants = {PriceVariant{}}});
  Model gratis = model;
  for (size_t i = 0; i < gratis.endpoints.size(); ++i) {
    if (stand_ins[i]) gratis.endpoints[i].price = *free;
  }
  return std::make_shared<const Model>(std::move(gratis));
}

ReasoningForm ReasoningFormNamed(const std::optional<std::string>& field,
                                 const std::string& model) {
  if (!field || *field == "reasoning_effort") return ReasoningForm::kEffort;
  if (*field == "reasoning") return ReasoningForm::kObject;
  if (*field == "none") return ReasoningForm::kNone;
  throw py::value_error("model " + model +
                        ": reasoning_field: expected reasoning_effort, reasoning or none");
}

// What is absent follows from what the model answers with.
DialectId DialectFrom(const py::dict& dict, bool draws, const std::string& model) {
  const auto label = GetOptional<std::string>(dict, "dialect");
  if (!label) {
    return draws ? DialectId::kOpenAiImages : DialectId::kOpenAiChat;
  }
  const Dialect* const dialect = DialectNamed(*label);
  if (dialect == nullptr) {
    throw py::value_error("model " + model + ": dialect: not spoken here: " + *label);
  }
  return dialect->id();
}

DroppedFields DroppedFrom(const std::vector<std::string>& names, const std::string& model) {
  DroppedFields dropped;
  for (const std::string& name : names) {
    const auto at = RefusableNamed(name);
    if (!at) throw py::value_error("model " + model + ": dropped_fields: no such field: " + name);
    dropped.set(*at);
  }
  return dropped;
}

Known KnownFrom(const py::dict& dict, const char* key) {
  return Choice(dict, key, Known::kUnknown,
                {{"yes", Known::kYes}, {"no", Known::kNo}, {"unknown", Known::kUnknown}});
}

template <size_t n>
size_t PlaceOf(const std::array<std::string_view, n>& names, const std::string& name,
               const char* key) {
  const auto at = PlaceIn(names, name);
  if (!at) throw py::value_error(std::string(key) + ": no such name: " + name);
  return *at;
}

// What decides whether and when it is asked; what is absent is unknown.
void RouteTraitsFrom(const py::dict& dict, const std::string& provider, Endpoint* endpoint) {
  endpoint->tag = GetOptional<std::string>(dict, "tag").value_or(provider);
  endpoint->region = GetOptional<std::string>(dict, "region").value_or("");
  endpoint->quantization = GetOptional<std::string>(dict, "quantization").value_or("");
  endpoint->id =
      EndpointIdOf(provider, endpoint->upstream_model, endpoint->region, endpoint->quantization);
  endpoint->data = {KnownFrom(dict, "data_collects"), KnownFrom(dict, "zdr")};
  endpoint->weight = GetOptional<double>(dict, "weight").value_or(1);
  if (!(endpoint->weight >= 0 && endpoint->weight <= 1000)) {
    throw py::value_error("weight: expected 0 to 1000");
  }
  if (const auto traits = GetOptional<py::dict>(dict, "traits")) {
    for (const auto& [name, word] : *traits) {
      const auto text = name.cast<std::string>();
      const size_t at = PlaceOf(kTraitNames, text, "traits");
      const Known known = KnownFrom(*traits, text.c_str());
      if (known == Known::kYes) endpoint->offers.Add(at);
      if (known == Known::kNo) endpoint->lacks_traits.Add(at);
    }
  }
  if (const auto names = GetOptional<std::vector<std::string>>(dict, "takes")) {
    for (const std::string& name : *names) {
      endpoint->takes.Add(PlaceOf(kParameterNames, name, "takes"));
    }
  }
}

RoutingRules RoutingRulesFrom(const py::dict& dict) {
  RoutingRules rules;
  rules.balance =
      Choice(dict, "balance", rules.balance,
             {{"inverse_square", Balance::kInverseSquare}, {"listed", Balance::kListed}});
  rules.max_price_jump = GetOptional<double>(dict, "max_price_jump").value_or(rules.max_price_jump);
  rules.explore = GetOptional<double>(dict, "explore").value_or(rules.explore);
  if (!(rules.max_price_jump >= 0)) throw py::value_error("max_price_jump: expected 0 or more");
  if (!(rules.explore >= 0 && rules.explore <= 1))
    throw py::value_error("explore: expected 0 to 1");
  return rules;
}

VirtualModel VirtualModelFrom(const py::dict& dict) {
  using enum VirtualModel::Strategy;
  VirtualModel made;
  made.strategy = Choice(dict, "strategy", made.strategy,
                         {{"weighted", kWeighted}, {"order", kOrder}, {"price", kPrice}});
  for (const auto& item : Get<std::vector<py::dict>>(dict, "candidates")) {
    made.members.push_back({Get<std::string>(item, "model"),
                            GetOptional<std::string>(item, "provider").value_or(""),
                            GetOptional<double>(item, "weight").value_or(1)});
  }
  if (made.members.empty() || made.members.size() > VirtualModel::kMostMembers) {
    throw py::value_error("virtual_models: expected 1 to 8 candidates");
  }
  return made;
}

FallbackList FallbackListFrom(const py::dict& dict) {
  FallbackList list;
  for (const auto& [id, others] : dict) {
    list.emplace(id.cast<std::string>(), others.cast<std::vector<std::string>>());
  }
  return list;
}

// What is absent is empty.
ModelLists ModelListsFrom(const py::dict& dict) {
  ModelLists lists;
  if (const auto named = GetOptional<py::dict>(dict, "virtual_models")) {
    for (const auto& [name, item] : *named) {
      lists.virtual_models.emplace(name.cast<std::string>(),
                                   VirtualModelFrom(item.cast<py::dict>()));
    }
  }
  if (const auto fallbacks = GetOptional<py::dict>(dict, "fallbacks")) {
    lists.after_any = FallbackListFrom(Get<py::dict>(*fallbacks, "any"));
    lists.after_context = FallbackListFrom(Get<py::dict>(*fallbacks, "context"));
    lists.after_content_policy = FallbackListFrom(Get<py::dict>(*fallbacks, "content_policy"));
  }
  return lists;
}

// Of each endpoint of `model`, which was made of `dict`. One that two models name alike is one.
void AddEndpointLimits(const py::dict& dict, const Model& model, Snapshot* snapshot) {
  const auto items = Get<std::vector<py::dict>>(dict, "candidates");
  for (size_t i = 0; i < items.size(); ++i) {
    if (auto limits = OwnLimitsFrom(items[i])) {
      snapshot->endpoint_limits.emplace(model.endpoints[i].id, std::move(limits));
    }
  }
}

Model ModelFrom(const py::dict& dict, const StringMap<uint32_t>& providers) {
  Model model;
  std::vector<bool> stand_ins;  // of the endpoints
  model.id = Get<std::string>(dict, "id");
  const bool draws = Get<std::string>(dict, "output") == "image";
  model.other_output = GetOptional<bool>(dict, "other_output").value_or(false);
  model.context = Get<int64_t>(dict, "context");
  model.max_output = Get<int64_t>(dict, "max_output");
  for (const auto& item : Get<std::vector<py::dict>>(dict, "excluded")) {
    model.excluded.push_back(
        {Get<std::string>(item, "provider"), Get<std::string>(item, "reason")});
  }
  for (const auto& item : Get<std::vector<py::dict>>(dict, "candidates")) {
    Endpoint endpoint;
    const auto provider = providers.find(Get<std::string>(item, "provider"));
    if (provider == providers.end()) {
      throw py::value_error("model " + model.id + ": a candidate names an unknown provider");
    }
    endpoint.provider = provider->second;
    endpoint.upstream_model = Get<std::string>(item, "upstream_model");
    SetDialect(DialectFrom(item, draws, model.id), &endpoint);
    endpoint.form.cap_field =
        GetOptional<std::string>(item, "cap_field").value_or(std::string(kMaxTokensField));
    if (endpoint.form.cap_field != kMaxTokensField &&
        endpoint.form.cap_field != kMaxCompletionTokensField) {
      throw py::value_error("model " + model.id +
                            ": cap_field: expected max_tokens or max_completion_tokens");
    }
    endpoint.cap_excludes_reasoning =
        GetOptional<bool>(item, "cap_excludes_reasoning").value_or(false);
    endpoint.form.reasoning_budget_field =
        GetOptional<std::string>(item, "reasoning_budget_field").value_or("");
    if (!endpoint.form.reasoning_budget_field.empty() &&
        endpoint.form.reasoning_budget_field != kReasoningBudgetField) {
      throw py::value_error("model " + model.id +
                            ": reasoning_budget_field: expected thinking_budget");
    }
    endpoint.max_reasoning = GetOptional<int64_t>(item, "max_reasoning").value_or(0);
    endpoint.form.reasoning =
        ReasoningFormNamed(GetOptional<std::string>(item, "reasoning_field"), model.id);
    endpoint.thinks_if_asked = GetOptional<bool>(item, "thinks_if_asked").value_or(false);
    RouteTraitsFrom(item, provider->first, &endpoint);
    endpoint.context = GetOptional<int64_t>(item, "context").value_or(0);
    endpoint.max_output = GetOptional<int64_t>(item, "max_output").value_or(0);
    endpoint.form.dimensions = GetOptional<int64_t>(item, "dimensions").value_or(0);
    if (const auto names = GetOptional<std::vector<std::string>>(item, "dropped_fields")) {
      endpoint.form.dropped = DroppedFrom(*names, model.id);
    }
    if (const auto own = GetOptional<py::dict>(item, "timeouts")) {
      endpoint.timeouts = TimeoutsFrom(*own);
    }
    const std::string place =
        "models." + model.id + ".candidates." + std::to_string(model.endpoints.size()) + ".price";
    if (!item.contains("price")) throw py::value_error(place + ": missing; it cannot be sold");
    endpoint.price = PriceTableFrom(item["price"], place);
    stand_ins.push_back(GetOptional<bool>(item, "stand_in").value_or(false));
    model.endpoints.push_back(std::move(endpoint));
  }
  if (std::find(stand_ins.begin(), stand_ins.end(), true) != stand_ins.end()) {
    model.gratis = GratisOf(model, stand_ins);
  }
  return model;
}

}  // namespace

namespace {

// What is absent keeps its default.
void ReadRouting(const py::dict& dict, GatewayOptions* options) {
  const auto read = [&dict](const char* name, auto* value) {
    *value = GetOptional<std::remove_pointer_t<decltype(value)>>(dict, name).value_or(*value);
  };
  const auto read_ms = [&dict](const char* name, Duration* value) {
    if (const auto ms = GetOptional<int64_t>(dict, name)) *value = Duration::Milliseconds(*ms);
  };
  read("max_attempts", &options->retry.max_attempts);
  read("retry_ambiguous", &options->retry.retry_ambiguous);
  read("fallback_on_400", &options->retry.fallback_on_400);
  read("retry_budget_percent", &options->retry_budget.percent);
  read("retry_budget_min", &options->retry_budget.least);
  read("leave_out_failing", &options->leave_out_failing);
  read("ejection_consecutive", &options->health.consecutive);
  read_ms("ejection_base_ms", &options->health.base);
  read_ms("ejection_max_ms", &options->health.longest);
  read("ejection_max_share", &options->health.max_share);
  read_ms("slow_start_ms", &options->health.slow_start);
  read("hedge_enabled", &options->hedge.enabled);
  read("hedge_percent", &options->hedge.percent);
  read_ms("hedge_min_delay_ms", &options->hedge.min_delay);
  read_ms("sticky_ttl_ms", &options->sticky.ttl);
  read("sticky_entries", &options->sticky.entries);
}

}  // namespace

void Raise(const Error& error) { throw py::value_error(error.message); }

GatewayOptions OptionsFrom(const py::dict& dict) {
  GatewayOptions options;
  options.engine_threads = Get<int>(dict, "engine_threads");
  options.pepper = Secret(std::string(Get<py::bytes>(dict, "pepper")));
  options.require_key = Get<bool>(dict, "require_key");
  options.max_active = Get<size_t>(dict, "max_active");
  options.max_answer_bytes = Get<size_t>(dict, "max_answer_bytes");
  options.window_bytes = Get<size_t>(dict, "window_bytes");
  options.sse = {Get<size_t>(dict, "max_sse_line_bytes"), Get<size_t>(dict, "max_sse_event_bytes")};
  options.max_media_event_bytes = Get<size_t>(dict, "max_media_event_bytes");
  options.connect_timeout = Milliseconds(dict, "connect_timeout_ms");
  options.first_byte_timeout = Milliseconds(dict, "first_byte_timeout_ms");
  options.first_content_timeout = Milliseconds(dict, "first_content_timeout_ms");
  options.idle_timeout = Milliseconds(dict, "idle_timeout_ms");
  options.total_timeout = Milliseconds(dict, "total_timeout_ms");
  options.keep_alive = Milliseconds(dict, "keep_alive_comment_ms");
  ReadRouting(dict, &options);
  options.credits = GetOptional<bool>(dict, "credits").value_or(false);
  options.strict_bound = GetOptional<bool>(dict, "credits_strict_bound").value_or(false);
  options.max_output_tokens = GetOptional<int64_t>(dict, "credits_max_output_tokens").value_or(0);
  options.max_media_tokens = GetOptional<int64_t>(dict, "credits_max_media_tokens").value_or(0);
  if (options.max_media_tokens < 0) {
    throw py::value_error("credits_max_media_tokens: expected 0 (the whole context) or more");
  }
  options.note_interval =
      Duration::Milliseconds(GetOptional<int64_t>(dict, "credits_progress_note_ms").value_or(0));
  if (options.note_interval.ns < 0) {
    throw py::value_error("credits_progress_note_ms: expected 0 (never) or more");
  }
  options.max_stored_answers_bytes = GetOptional<size_t>(dict, "max_stored_answers_bytes")
                                         .value_or(options.max_stored_answers_bytes);
  if (options.max_output_tokens < 0) {
    throw py::value_error("credits_max_output_tokens: expected 0 (no limit) or more");
  }
  options.local_org = GetOptional<std::string>(dict, "credits_local_org").value_or("");
  using enum ChargePolicy;
  options.on_client_abort = Choice(dict, "credits_on_client_abort", options.on_client_abort,
                                   {{"charge", kCharge}, {"free", kFree}});
  options.on_upstream_failure =
      Choice(dict, "credits_on_upstream_failure", options.on_upstream_failure,
             {{"free", kFree}, {"charge", kCharge}});
  options.on_missing_usage = Choice(dict, "credits_on_missing_usage", options.on_missing_usage,
                                    {{"estimate", kCharge}, {"free", kFree}});
  options.max_read_outs =
      GetOptional<int>(dict, "credits_max_read_outs").value_or(options.max_read_outs);
  if (options.max_read_outs < 0) {
    throw py::value_error("credits_max_read_outs: expected 0 (none) or more");
  }
  options.expected_output =
      GetOptional<int64_t>(dict, "limits_expected_output").value_or(options.expected_output);
  if (options.expected_output < 1)
    throw py::value_error("limits_expected_output: expected 1 or more");
  const auto most_wait = LimitSet::kMostQueueMs;
  const int64_t wait = GetOptional<int64_t>(dict, "limits_queue_ms").value_or(0);
  if (wait < 0 || wait > most_wait) throw py::value_error("limits_queue_ms: expected 0 to 60000");
  options.queue_wait = Duration::Milliseconds(wait);
  const auto bound = [&dict](const char* name, int64_t* value) {
    *value = GetOptional<int64_t>(dict, name).value_or(*value);
    if (*value < 0) throw py::value_error(std::string(name) + ": expected 0 or more");
  };
  bound("limits_queue_max", &options.queue.waiters);
  bound("limits_queue_per_org", &options.queue.of_org);
  options.ietf_ratelimit_headers =
      Choice(dict, "ratelimit_headers", false, {{"openai", false}, {"ietf", true}});
  options.server_timing = GetOptional<bool>(dict, "server_timing").value_or(false);
  return options;
}

std::shared_ptr<const Snapshot> SnapshotFrom(const py::dict& dict) {
  auto snapshot = std::make_shared<Snapshot>();
  for (const auto& item : Get<std::vector<py::dict>>(dict, "profiles")) {
    Profile profile = ProfileFrom(item);
    snapshot->profiles.insert_or_assign(profile.name, std::move(profile));
  }
  snapshot->default_profile = Get<std::string>(dict, "default_profile");
  StringMap<uint32_t> providers;
  for (const auto& item : Get<std::vector<py::dict>>(dict, "providers")) {
    Provider provider = ProviderFrom(item);
    providers.emplace(provider.id, static_cast<uint32_t>(snapshot->providers.size()));
    snapshot->providers.push_back(std::move(provider));
  }
  Catalog::Parts parts;
  for (const auto& item : Get<std::vector<py::dict>>(dict, "models")) {
    parts.models.push_back(ModelFrom(item, providers));
    AddEndpointLimits(item, parts.models.back(), snapshot.get());
  }
  for (const auto& [name, id] : Get<py::dict>(dict, "names")) {
    parts.names.emplace(name.cast<std::string>(), id.cast<std::string>());
  }
  parts.auto_names = Get<std::vector<std::string>>(dict, "auto_names");
  parts.default_model = Get<std::string>(dict, "default_model");
  if (const auto routing = GetOptional<py::dict>(dict, "routing")) {
    snapshot->routing = RoutingRulesFrom(*routing);
  }
  snapshot->lists = ModelListsFrom(dict);
  if (dict.contains("auto")) {
    snapshot->router = AutoRouterFrom(dict["auto"]);
    snapshot->shadow = ShadowRulesFrom(dict["auto"]);
  }
  Result<Catalog> catalog = Catalog::Make(std::move(parts));
  if (!catalog) Raise(catalog.error());
  snapshot->catalog = std::move(*catalog);
  return snapshot;
}

}  // namespace seekroute
