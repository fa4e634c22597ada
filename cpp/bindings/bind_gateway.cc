#include "bindings/convert.h"
#include "bindings/core_error.h"
#include "bindings/pybind.h"
#include "bindings/released_gil.h"
#include "gateway/gateway.h"
#include "transport/curl/trust.h"
#include "transport/special_address.h"
#include "wire/protocols/protocols.h"

namespace py = pybind11;

namespace seekroute {
namespace {

using OptionalBytes = std::optional<py::bytes>;

std::optional<Secret> SecretFrom(const OptionalBytes& bytes) {
  if (!bytes) return std::nullopt;
  return Secret(std::string(*bytes));
}

std::string TextFrom(const OptionalBytes& bytes) { return bytes ? std::string(*bytes) : ""; }

py::bytes BytesFrom(std::string_view text) { return {text.data(), text.size()}; }

py::list HeadersFrom(const ResponseHead& head) {
  py::list headers;
  for (const auto& [name, value] : head.headers) {
    headers.append(py::make_tuple(BytesFrom(name), BytesFrom(value)));
  }
  return headers;
}

// A request's body as it arrives: copied once, a piece at a time, and handed over whole.
struct RequestBody {
  std::string text;
};

std::string TakeBody(const py::object& body) {
  if (py::isinstance<RequestBody>(body)) return std::move(body.cast<RequestBody&>().text);
  return std::string(body.cast<py::bytes>());
}

// The text of a word, which lives as long as that: pybind11 allocates for a view, and every request
// has two.
std::string_view ViewOf(const py::str& word) {
  Py_ssize_t size = 0;
  const char* const text = PyUnicode_AsUTF8AndSize(word.ptr(), &size);
  if (text == nullptr) throw py::error_already_set();
  return {text, static_cast<size_t>(size)};
}

SurfaceId SurfaceFrom(const py::str& label) {
  const Surface* const surface = SurfaceNamed(ViewOf(label));
  if (surface == nullptr) throw py::value_error("no such surface: " + std::string(label));
  return surface->id();
}

Origin OriginFrom(const py::str& word) {
  const std::string_view name = ViewOf(word);
  if (name == "server") return Origin::kServer;
  if (name == "server_api_v1") return Origin::kServerApiV1;
  if (name == "in_process") return Origin::kInProcess;
  throw py::value_error("no such origin: " + std::string(name));
}

// (timeout in ms or 0, wait for limits in ms or -1, its progress, session id or None).
HeaderOptions OptionsFrom(const std::optional<py::tuple>& given) {
  HeaderOptions options;
  if (!given) return options;
  if (given->size() != 4) throw py::value_error("options are four values");
  options.timeout = Duration::Milliseconds((*given)[0].cast<int64_t>());
  if (const auto queue = (*given)[1].cast<int64_t>(); queue >= 0) {
    options.queue = Duration::Milliseconds(queue);
  }
  options.queue_progress = (*given)[2].cast<bool>();
  options.session_id = TextFrom((*given)[3].cast<OptionalBytes>());
  return options;
}

ExchangeId Submit(Gateway& gateway, const py::str& surface, const py::object& body,
                  const OptionalBytes& authorization, const OptionalBytes& request_id,
                  const py::str& origin, int explain, const OptionalBytes& idempotency_key,
                  const std::optional<py::tuple>& options) {
  if (explain < 0 || explain > static_cast<int>(Explain::kOpenRouter)) {
    throw py::value_error("explain is 0 (no), 1 (seekroute) or 2 (openrouter_metadata)");
  }
  return gateway.Submit({.body = TakeBody(body),
                         .authorization = SecretFrom(authorization),
                         .request_id = TextFrom(request_id),
                         .idempotency_key = TextFrom(idempotency_key),
                         .origin = OriginFrom(origin),
                         .surface = SurfaceFrom(surface),
                         .explain = static_cast<Explain>(explain),
                         .options = OptionsFrom(options)});
}

py::list TakeAll(Gateway& gateway) {
  py::list events;
  for (Delivery& delivery : gateway.mailbox().TakeAll()) {
    py::object head = py::none();
    if (delivery.head) head = py::make_tuple(delivery.head->status, HeadersFrom(*delivery.head));
    py::object end = py::none();
    if (delivery.end) {
      gateway.Forget(delivery.exchange);
      end = py::cast(std::move(*delivery.end));
    }
    events.append(py::make_tuple(delivery.exchange, std::move(head), BytesFrom(delivery.body),
                                 std::move(end)));
  }
  return events;
}

py::list TakeShadowPairs(Gateway& gateway) {
  py::list pairs;
  for (const ShadowPair& pair : gateway.shadows().Take()) {
    pairs.append(py::make_tuple(pair.generation_id, py::make_tuple(pair.first, pair.second),
                                BytesFrom(pair.body), BytesFrom(pair.first_answer),
                                BytesFrom(pair.second_answer), pair.propensity, pair.status));
  }
  return pairs;
}

// By percentile; none where too little is known.
py::object PercentilesFrom(const Percentiles& figures) {
  if (!figures.known()) return py::none();
  return py::make_tuple(figures.at[0], figures.at[1], figures.at[2], figures.at[3]);
}

py::list Health(Gateway& gateway) {
  const auto ratio = [](double value) -> py::object {
    return value < 0 ? py::object(py::none()) : py::object(py::float_(value));
  };
  py::list rows;
  for (const HealthRow& row : gateway.HealthRows()) {
    py::dict told;
    told["provider"] = row.provider;
    const auto of_endpoint = [&row](const std::string& text) {
      return row.is_key ? py::object(py::none()) : py::object(py::str(text));
    };
    told["model"] = of_endpoint(row.model);
    told["upstream_model"] = of_endpoint(row.upstream_model);
    told["tag"] = row.is_key ? py::object(py::none()) : py::object(py::str(row.tag));
    told["key"] = row.is_key ? py::object(py::str(row.key)) : py::object(py::none());
    told["state"] = py::str(row.state.data(), row.state.size());
    told["last_resort"] = row.last_resort;
    told["lacks"] = py::str(row.lacks.data(), row.lacks.size());
    told["retry_in_ms"] = (row.retry_in.ns + 999'999) / 1'000'000;
    told["in_flight"] = row.in_flight;
    told["uptime_5m"] = ratio(row.uptime_5m);
    told["uptime_30m"] = ratio(row.uptime_30m);
    told["uptime_1d"] = ratio(row.uptime_1d);
    told["ttft_ms_5m"] = PercentilesFrom(row.ttft_ms);
    told["ttft_ms_30m"] = PercentilesFrom(row.ttft_ms_30m);
    told["tokens_per_second_5m"] = PercentilesFrom(row.tokens_per_second);
    told["tokens_per_second_30m"] = PercentilesFrom(row.tokens_per_second_30m);
    told["judged_1d"] = row.judged_1d;
    py::dict ejections;
    for (size_t i = 1; i < kEjectedForCount; ++i) {
      ejections[NameOf(static_cast<EjectedFor>(i)).data()] = row.ejections[i];
    }
    told["ejections"] = ejections;
    rows.append(std::move(told));
  }
  return rows;
}

py::list TakeDecisions(Gateway& gateway) {
  py::list taken;
  for (const AutoDecision& each : gateway.decisions().TakeAll()) {
    py::list offers;
    for (const AutoDecision::Offer& offer : each.offers) {
      offers.append(py::make_tuple(offer.model, offer.quality, offer.cost_pico, offer.latency_ms,
                                   offer.last_resort, offer.chance));
    }
    py::dict told;
    told["generation"] = each.generation_id;
    told["key"] = each.key_id;
    told["org"] = each.org_id;
    told["created"] = each.created.s;
    told["strategy"] = NameOf(each.strategy);
    told["revision"] = each.revision;
    told["offers"] = std::move(offers);
    told["served"] = each.served;
    told["finish_reason"] = each.finish_reason;
    told["empty"] = each.empty;
    told["excerpt"] = BytesFrom(each.excerpt);
    taken.append(std::move(told));
  }
  return taken;
}

py::tuple FindKey(Gateway& gateway, const OptionalBytes& authorization) {
  const auto key =
      Unwrap(gateway.keys().Find(SecretFrom(authorization), gateway.clock().WallTime().seconds()));
  const Status usable = KeyRing::CheckUsable(*key);
  if (!usable.ok()) ThrowError(usable.error());
  return py::make_tuple(key->key_id, key->org_id.str(), key->profile.str());
}

py::object FindRights(Gateway& gateway, const OptionalBytes& authorization) {
  const auto key =
      Unwrap(gateway.keys().Find(SecretFrom(authorization), gateway.clock().WallTime().seconds()));
  const bool unlimited = key->credit_line == kUnlimitedLine;
  return py::make_tuple(key->models != nullptr ? py::cast(*key->models) : py::none(),
                        unlimited ? py::none() : py::object(py::int_(key->credit_line.nano)),
                        key->limit ? py::object(py::int_(key->limit->nano)) : py::none(),
                        std::string(NameOf(key->limit_reset)));
}

bool CountsDays(const ApiKey* key) {
  return key != nullptr && key->limits != nullptr && key->limits->counts_days();
}

void SetLimits(Gateway& gateway, const std::string& scope, const std::string& id,
               const py::object& limits) {
  const auto named = LimitScopeNamed(scope);
  if (!named || *named <= LimitScope::kKeyModel || IsUpstream(*named)) {
    throw py::value_error("scope: expected org, app, model or gateway");
  }
  if (id.empty() != (*named == LimitScope::kGateway)) {
    throw py::value_error("id: expected one, or \"\" of the gateway");
  }
  gateway.SetLimits(*named, id, LimitsFrom(limits));
}

py::tuple WriteError(Gateway& gateway, const std::string& code, std::string message,
                     std::string param, const OptionalBytes& request_id,
                     const OptionalBytes& authorization, const py::str& origin) {
  const auto known = ErrorCodeNamed(code);
  if (!known) throw py::value_error("no such error code: " + code);
  const ReadyAnswer answer =
      gateway.WriteError(MakeError(*known, std::move(message), std::move(param)),
                         TextFrom(request_id), SecretFrom(authorization), OriginFrom(origin));
  return py::make_tuple(answer.head.status, HeadersFrom(answer.head), BytesFrom(answer.body));
}

py::tuple Quote(Gateway& gateway, const py::str& surface, const py::object& body,
                const OptionalBytes& authorization, const OptionalBytes& request_id,
                const py::str& origin, std::optional<uint64_t> seed, int simulate,
                const OptionalBytes& as, const std::optional<py::tuple>& options) {
  const GatewayRequest request{.body = TakeBody(body),
                               .authorization = SecretFrom(authorization),
                               .request_id = TextFrom(request_id),
                               .origin = OriginFrom(origin),
                               .surface = SurfaceFrom(surface),
                               .options = OptionsFrom(options),
                               .seed = seed,
                               .simulate = simulate,
                               .as = as ? std::optional(MacFrom(*as)) : std::nullopt};
  ReadyAnswer answer;
  {
    const ReleasedGil released;  // a long prompt takes milliseconds
    answer = gateway.Quote(request);
  }
  return py::make_tuple(answer.head.status, HeadersFrom(answer.head), BytesFrom(answer.body));
}

py::list Samples(const Gateway& gateway) {
  py::list samples;
  for (const Sample& sample : gateway.Samples()) {
    py::tuple labels(sample.labels.size());
    for (size_t i = 0; i < sample.labels.size(); ++i) {
      labels[i] = py::make_tuple(sample.labels[i].first, sample.labels[i].second);
    }
    samples.append(py::make_tuple(sample.name, labels, sample.value));
  }
  return samples;
}

}  // namespace

void BindGateway(py::module_& m) {
  py::class_<RequestBody>(m, "RequestBody", py::is_final())
      .def(py::init([](size_t size) {
             RequestBody body;
             body.text.reserve(size);
             return body;
           }),
           py::arg("size"))
      .def(
          "append",
          [](RequestBody& body, const py::bytes& part) {
            body.text.append(std::string_view(part));
          },
          py::arg("part"))
      .def("__len__", [](const RequestBody& body) { return body.text.size(); })
      .def("__bytes__", [](const RequestBody& body) { return BytesFrom(body.text); });
  py::class_<Gateway>(m, "Gateway", py::is_final())
      // The ledger's object has the clock of what it opened, so it is kept.
      .def(py::init([](const py::dict& options, const py::object& ledger) {
             std::shared_ptr<LedgerKeeper> opened;
             if (!ledger.is_none()) {
               const py::capsule shared = ledger.attr("_share")();
               opened = *shared.get_pointer<std::shared_ptr<LedgerKeeper>>();
             }
             return std::make_unique<Gateway>(OptionsFrom(options), std::move(opened));
           }),
           py::arg("options"), py::arg("ledger") = py::none(), py::keep_alive<1, 3>())
      .def(
          "install",
          [](Gateway& gateway, const py::dict& snapshot) {
            const Status installed = gateway.Install(SnapshotFrom(snapshot));
            if (!installed.ok()) Raise(installed.error());
          },
          py::arg("snapshot"))
      .def(
          "set_auto",
          [](Gateway& gateway, const py::object& router) {
            gateway.SetRouter(AutoRouterFrom(router));
          },
          py::arg("router"))
      .def("take_decisions", &TakeDecisions)
      .def(
          "put_keys",
          [](Gateway& gateway, const py::sequence& keys, const py::function& limits_of,
             bool stand_ins) {
            KeysReader reader(limits_of);
            std::vector<size_t> begin_days;
            for (size_t i = 0; i < keys.size(); ++i) {
              Mac mac{};
              ApiKey key = reader.Read(py::tuple(keys[i]), &mac);
              key.has_paid = key.has_paid && stand_ins;
              if (CountsDays(&key) && !CountsDays(gateway.keys().At(mac).get())) {
                begin_days.push_back(i);
              }
              gateway.keys().Put(mac, std::move(key));
            }
            return begin_days;
          },
          py::arg("keys"), py::arg("limits_of"), py::kw_only(), py::arg("stand_ins"))
      .def(
          "remove_key",
          [](Gateway& gateway, const py::bytes& mac) { gateway.keys().Remove(MacFrom(mac)); },
          py::arg("mac"))
      .def(
          "raise_today",
          [](Gateway& gateway, const std::string& scope, const std::string& org,
             const std::string& id, int64_t requests, int64_t tokens) {
            using enum LimitScope;
            const auto named = LimitScopeNamed(scope);
            if (named != kKey && named != kApp && named != kOrg) {
              throw py::value_error("scope: expected key, app or org");
            }
            gateway.RaiseToday(*named, org, id, requests, tokens);
          },
          py::arg("scope"), py::arg("org"), py::arg("id"), py::arg("requests"), py::arg("tokens"))
      .def(
          "limit_headers",
          [](Gateway& gateway, const OptionalBytes& authorization) {
            return HeadersFrom(gateway.LimitHeaders(SecretFrom(authorization)));
          },
          py::arg("authorization"))
      .def("set_limits", &SetLimits, py::arg("scope"), py::arg("id"), py::arg("limits"))
      .def("find_key", &FindKey, py::arg("authorization"))
      .def("find_rights", &FindRights, py::arg("authorization"))
      .def("submit", &Submit, py::arg("surface"), py::arg("body"), py::arg("authorization"),
           py::arg("request_id"), py::arg("origin"), py::arg("explain") = 0,
           py::arg("idempotency_key") = py::none(), py::arg("options") = py::none())
      .def("quote", &Quote, py::arg("surface"), py::arg("body"), py::arg("authorization"),
           py::arg("request_id"), py::arg("origin"), py::arg("seed") = py::none(),
           py::arg("simulate") = 0, py::arg("as_key") = py::none(), py::arg("options") = py::none())
      .def("flush", &Gateway::Flush)
      .def("cancel", &Gateway::Cancel, py::arg("exchange"))
      .def(
          "stop",
          [](Gateway& gateway, std::optional<ExchangeId> exchange) {
            exchange ? gateway.Stop(*exchange) : gateway.Stop();
          },
          py::arg("exchange") = py::none())
      .def("ack", &Gateway::Ack, py::arg("exchange"), py::arg("size"))
      .def("fileno", [](Gateway& gateway) { return gateway.mailbox().fd(); })
      .def("take_all", &TakeAll)
      .def(
          "wait",
          [](Gateway& gateway, double timeout) {
            // The GIL is dropped only here and in close(): the other calls do not wait.
            const ReleasedGil released;
            return gateway.mailbox().Wait({static_cast<int64_t>(timeout * 1e9)});
          },
          py::arg("timeout"))
      .def("take_shadow_pairs", &TakeShadowPairs)
      .def(
          "ask_as_operator",
          [](Gateway& gateway, const py::bytes& body, std::string tag, std::string of) {
            return gateway.AskAsOperator(std::string(body), std::move(tag), std::move(of));
          },
          py::arg("body"), py::arg("tag"), py::arg("of"))
      .def("take_verdicts",
           [](Gateway& gateway) {
             py::list verdicts;
             for (const ShadowVerdict& each : gateway.shadows().TakeVerdicts()) {
               verdicts.append(py::make_tuple(each.tag, BytesFrom(each.answer), each.status));
             }
             return verdicts;
           })
      .def(
          "raise_shadow_spent",
          [](Gateway& gateway, int64_t nano) {
            gateway.shadows().RaiseSpent({nano}, gateway.clock().WallTime().seconds());
          },
          py::arg("nano"))
      .def("begin_shutdown", &Gateway::BeginShutdown)
      .def("active", &Gateway::active)
      .def("close", &Gateway::Close, py::call_guard<ReleasedGil>())
      .def("write_error", &WriteError, py::arg("code"), py::arg("message"), py::arg("param"),
           py::arg("request_id"), py::arg("authorization"), py::arg("origin"))
      .def(
          "new_request_id",
          [](Gateway& gateway, const OptionalBytes& offered) {
            return BytesFrom(gateway.RequestId(TextFrom(offered)));
          },
          py::arg("offered"))
      .def("health", &Health)
      .def(
          "reset_health",
          [](Gateway& gateway, const std::string& name) {
            return gateway.health().Reset(name, gateway.clock().Now());
          },
          py::arg("name"))
      .def("census", &Gateway::Census)
      .def("export_state",
           [](const Gateway& gateway) {
             std::string state;
             {
               const ReleasedGil released;
               state = gateway.ExportState();
             }
             return BytesFrom(state);
           })
      .def(
          "restore_state",
          [](Gateway& gateway, const py::bytes& state) {
            const Status restored = gateway.RestoreState(std::string_view(state));
            if (!restored.ok()) Raise(restored.error());
          },
          py::arg("state"))
      .def("state_revision", &Gateway::StateRevision)
      .def("samples", &Samples);
  m.def(
      "is_special_address",
      [](const std::string& literal) { return IsSpecialAddress(std::string_view(literal)); },
      py::arg("literal"));
  m.def("trust_problem", &TrustProblem, py::arg("ca_file"), py::call_guard<ReleasedGil>());
}

}  // namespace seekroute
