"""Prometheus metrics: the core's counters and a few of the HTTP side, in one exposition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from seekroute.server.service import Service

Labels = tuple[tuple[str, str], ...]
Sample = tuple[str, Labels, float]

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"

HELP: Final = {
    "seekroute_active_read_outs": "Answers being read to their end after their clients have left.",
    "seekroute_active_requests": "Requests that have not ended.",
    "seekroute_auto_choices": "Requests for auto that are kept to be rated or learned from.",
    "seekroute_auto_cost_weight": "What spending costs in quality, found to hold a target.",
    "seekroute_auto_decisions_dropped_total": "Choices of auto that nobody has written down.",
    "seekroute_auto_ratings": "Ratings of answers of auto that are kept.",
    "seekroute_cache_read_tokens_total": "Prompt tokens read from a provider's cache.",
    "seekroute_cap_ignored_total": "Answers beyond the length that was told, or the context.",
    "seekroute_config_reloads_total": "Reloads of the configuration by what became of them.",
    "seekroute_cost_usd_total": "Cost of the answers at the frozen prices, in USD.",
    "seekroute_ejections_total": "Times that an endpoint was left out, by reason.",
    "seekroute_endpoint_ignores_cap": "1 from such an answer to the next that ends at its cap.",
    "seekroute_endpoint_inflight": "Calls that run.",
    "seekroute_endpoint_out_until_seconds": "Until an endpoint may be asked; 0: now.",
    "seekroute_endpoint_state": "1 for the state of an endpoint.",
    "seekroute_endpoint_throughput": "Tokens a second of streams in the last 5 minutes.",
    "seekroute_endpoint_ttft_seconds": "Time to first content of streams in the last 5 minutes.",
    "seekroute_endpoint_uptime_ratio": "Answers without a fault in the last 30 minutes.",
    "seekroute_errors_total": "Errors by whose fault they were and what they were.",
    "seekroute_excluded_total": "Endpoints that were not asked, by why not.",
    "seekroute_fallbacks_total": "Requests that went on to another endpoint.",
    "seekroute_hedges_total": "Second calls beside late streams, by what became of them.",
    "seekroute_http_body_bytes": "Bytes of request bodies that are held in memory.",
    "seekroute_http_connections": "Open client connections.",
    "seekroute_http_connections_refused_total": "Connections refused because too many were open.",
    "seekroute_http_idle_connections_closed_total": "Idle connections that gave way to others.",
    "seekroute_http_request_duration_seconds": "Time from request to the end of its answer.",
    "seekroute_http_requests_total": "HTTP requests by route, method and status.",
    "seekroute_http_strangers_closed_total": "Connections that gave way before they showed a key.",
    "seekroute_input_tokens_total": "Prompt tokens.",
    "seekroute_ledger_commits_total": "Transactions that the ledger has made durable.",
    "seekroute_ledger_drift_nano": "Sum of all accounts of the ledger, in nano-USD; 0 when sound.",
    "seekroute_ledger_live_holds": "Requests for which money is set aside.",
    "seekroute_ledger_ready": "1 while the ledger takes money, 0 after it has failed.",
    "seekroute_ledger_waiting_settles": "Charges that the disk could not take yet.",
    "seekroute_limit_forgiven_total": "Tokens beyond the debt that a limit remembers.",
    "seekroute_limit_leaks_total": "Slots counted as taken that were not; above 0 is a fault.",
    "seekroute_limit_refused_total": "Requests and attempts over a limit, by whose and which.",
    "seekroute_log_lines_dropped_total": "Log lines dropped because the log was not read.",
    "seekroute_operator_loss_nano": "The operator's losses and gifts, in nano-USD.",
    "seekroute_operator_revenue_nano": "Charges of the ledger less refunds, in nano-USD.",
    "seekroute_output_tokens_total": "Completion tokens.",
    "seekroute_overhead_seconds": "The gateway's own part of a request's time.",
    "seekroute_probes_total": "Requests that probed an endpoint that was left out, by result.",
    "seekroute_provider_key_state": "1 for the state of a provider's key.",
    "seekroute_queue_depth": "Requests that wait for room in their limits.",
    "seekroute_queue_wait_seconds": "How long requests have waited for room, however that ended.",
    "seekroute_retries_total": "Failed attempts that were followed by another, by what they were.",
    "seekroute_retry_budget_exhausted_total": "Repeats that were not made: too many ran already.",
    "seekroute_settle_late_total": "Answers that ended before their settlement was stored.",
    "seekroute_shadow_cost_usd_total": "What second requests of shadow pairs cost, in USD.",
    "seekroute_shadow_drawn_total": "Requests that were drawn to be sent to a second model, too.",
    "seekroute_shadow_dropped_total": "Shadow pairs that came to nothing, by why.",
    "seekroute_shadow_graded_total": "Shadow pairs of which a grader has said how good both are.",
    "seekroute_shadow_sent_total": "Requests that were sent to a second model.",
    "seekroute_shadow_under_way": "Shadow pairs whose second answer has not ended.",
    "seekroute_shadow_ungraded_total": "Shadow pairs of which a grader has said nothing.",
    "seekroute_shadow_untaken": "Finished shadow pairs that wait to be taken.",
    "seekroute_sticky_total": "Requests of known conversations, by whether the cache was followed.",
    "seekroute_time_to_first_token_seconds": "Time from request to first content.",
    "seekroute_upstream_latency_seconds": "Time from sending a request to a provider's answer.",
    "seekroute_upstream_requests_total": "Requests to providers by the status they answered.",
}
"""What is said of each metric, by its name as it is exposed."""
_HISTOGRAM_PARTS: Final = ("_bucket", "_sum", "_count")
# Labels of other methods than these would let clients make series at will.
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})


class HttpCounts:
    """Counts the answers that the core does not know of. Event loop thread only."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, int]] = Counter()

    def add(self, route: str, method: str, status: int) -> None:
        """Counts one answer. `route` is a route's name, never a path."""
        self._counts[route, method if method in _METHODS else "other", status] += 1

    def samples(self) -> Iterator[Sample]:
        """The counts as samples."""
        for (route, method, status), count in self._counts.items():
            labels = (("route", route), ("method", method), ("status", str(status)))
            yield "seekroute_http_requests_total", labels, float(count)


def families(samples: Iterable[Sample]) -> list[Metric]:
    """Groups samples into metric families; equal series are added up.

    Args:
        samples: (name, labels, value); a histogram comes as its `_bucket` (label `le`, cumulative,
            in rising order), `_sum` and `_count`.
    """
    summed: dict[tuple[str, Labels], float] = {}
    for name, labels, value in samples:
        summed[name, labels] = summed.get((name, labels), 0.0) + value
    histograms = {name.removesuffix("_bucket") for name, _ in summed if name.endswith("_bucket")}
    from prometheus_client.metrics_core import Metric

    found: dict[str, Metric] = {}
    for (name, labels), value in summed.items():
        family, kind = _family_of(name, histograms)
        metric = found.get(family)
        if metric is None:
            shown = HELP.get(name if kind == "counter" else family, family)
            metric = found[family] = Metric(family, shown, kind)
        metric.add_sample(name, dict(labels), value)
    for metric in found.values():
        if metric.type == "histogram":
            metric.samples.sort(key=lambda sample: _series_key(sample.labels))
    return [found[family] for family in sorted(found)]


def _series_key(labels: dict[str, str]) -> tuple[tuple[str, str], ...]:
    # Buckets of one series must be neighbours; the sort is stable, so their order stays.
    return tuple(sorted(item for item in labels.items() if item[0] != "le"))


def _family_of(name: str, histograms: set[str]) -> tuple[str, str]:
    for part in _HISTOGRAM_PARTS:
        base = name.removesuffix(part)
        if base != name and base in histograms:
            return base, "histogram"
    # The exposition puts `_total` back.
    base = name.removesuffix("_total")
    return base, "counter" if base != name else "gauge"


def exposition(service: Service) -> bytes:
    """The text that `GET /metrics` answers."""
    # Loaded by the first scrape: 2 MB, with an HTTP server and client of its own.
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.registry import Collector

    class Samples(Collector):
        def collect(self) -> Iterable[Metric]:
            return families(service.samples())

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Samples())
    return generate_latest(registry)
