#include "bindings/pybind.h"

#include "store/store.h"

namespace py = pybind11;

namespace seekroute {

void BindRecord(py::module_& m) {
  using Row = ExchangeRecord;
  py::class_<Row>(m, "Record", py::is_final())
      .def_readonly("generation_id", &Row::generation_id)
      .def_readonly("request_id", &Row::request_id)
      .def_readonly("key_id", &Row::key_id)
      .def_readonly("org_id", &Row::org_id)
      .def_readonly("requested_model", &Row::requested_model)
      .def_readonly("model", &Row::model)
      .def_readonly("provider", &Row::provider)
      .def_readonly("error", &Row::error)
      .def_readonly("finish_reason", &Row::finish_reason)
      .def_readonly("status", &Row::status)
      .def_readonly("attempts", &Row::attempts)
      .def_property_readonly("tried",
                             [](const Row& row) {
                               py::list tried;
                               for (const AttemptRecord& each : row.tried) {
                                 tried.append(py::make_tuple(each.provider, each.status, each.error,
                                                             each.waited.ms(), each.words));
                               }
                               return tried;
                             })
      .def_readonly("streamed", &Row::streamed)
      .def_readonly("estimated", &Row::estimated)
      .def_readonly("prompt_tokens", &Row::prompt_tokens)
      .def_readonly("completion_tokens", &Row::completion_tokens)
      .def_readonly("cached_tokens", &Row::cached_tokens)
      .def_readonly("reasoning_tokens", &Row::reasoning_tokens)
      .def_readonly("cache_write_tokens", &Row::cache_write_tokens)
      .def_readonly("usage_odd", &Row::usage_odd)
      .def_readonly("cap_ignored", &Row::cap_ignored)
      .def_readonly("service_tier", &Row::service_tier)
      .def_readonly("price_revision", &Row::price_revision)
      .def_property_readonly("settlement",
                             [](const Row& row) { return std::string(NameOf(row.settlement)); })
      .def_property_readonly("held_nano", [](const Row& row) { return row.held.nano; })
      .def_property_readonly("cost_nano", [](const Row& row) { return row.cost.nano; })
      .def_property_readonly("upstream_cost_nano",
                             [](const Row& row) { return row.upstream_cost.nano; })
      .def_property_readonly("suspected_nano", [](const Row& row) { return row.Suspected().nano; })
      .def_property_readonly("created", [](const Row& row) { return row.created.s; })
      .def_property_readonly("total_ms", [](const Row& row) { return row.total.ms(); })
      .def_property_readonly("first_content_ms",
                             [](const Row& row) { return row.first_content.ms(); })
      .def_property_readonly("overhead_ms", [](const Row& row) { return row.overhead.ms(); })
      .def_readonly("limit", &Row::limit)
      .def_readonly("availability", &Row::availability)
      .def_property_readonly("queued_ms", [](const Row& row) { return row.queued.ms(); });
}

}  // namespace seekroute
