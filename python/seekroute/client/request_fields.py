"""The fields of a request that calls take as keyword arguments, and what is nearly one of them.

A misspelt `max_cost` that goes out as a field is a cap that nobody keeps. So a name must be known:
OpenAI's, or one of those that providers and local servers read besides. Any other goes through
`extra_body`, where nobody has to guess what was meant.
"""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Iterable, Mapping
from typing import Any, Final

_OPENAI: Final = """
    audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens
    max_tokens messages metadata modalities model n parallel_tool_calls prediction presence_penalty
    prompt_cache_key prompt_cache_retention reasoning_effort response_format safety_identifier seed
    service_tier stop store stream stream_options temperature tool_choice tools top_logprobs top_p
    user verbosity web_search_options
"""
# The gateway's own, those of routers, and those of models and local servers.
_OTHERS: Final = """
    add_generation_prompt cache_prompt chat_template_kwargs continue_final_message
    data_collection documents do_sample enable_search enable_thinking grammar guided_choice
    guided_grammar guided_json guided_regex ignore_eos image_config include_reasoning
    json_schema keep_alive
    max_cost min_p min_tokens models plugins preset provider reasoning reasoning_format
    repetition_penalty route search_parameters session_id skip_special_tokens stop_token_ids
    structured_outputs think thinking thinking_budget top_a top_k transforms usage user_id
    web_search background quality size style zdr
"""
FIELDS: Final = frozenset((_OPENAI + _OTHERS).split())
# Arguments of calls that are no fields.
CALL: Final = frozenset({"extra_body", "extra_headers", "extra_query", "timeout"})
_RUN: Final = "concurrency progress max_cost checkpoint on_error system deadline extra_body"
MAP: Final = frozenset(_RUN.split())

_WORKERS: Final = "did you mean concurrency?"
_TRIES: Final = "a prompt is tried up to 5 times more"
_RETRIES: Final = "use client.with_options(max_retries=...)"
_OF_MAP: Final = "it is an argument of map"
# What other libraries call it, by where it is asked for.
_INSTEAD: Final[dict[str, dict[str, str]]] = {
    "map": {
        "budget": "did you mean max_cost=, or a `with client.budget(...)` block?",
        "max_budget": "did you mean max_cost?",
        "max_concurrency": _WORKERS,
        "max_parallel": _WORKERS,
        "max_retries": _TRIES,
        "max_workers": _WORKERS,
        "models": "a run has one model: give dicts with `model` as prompts, or use compare",
        "n_jobs": _WORKERS,
        "num_proc": _WORKERS,
        "num_retries": _TRIES,
        "num_workers": _WORKERS,
        "retries": _TRIES,
        "timeout": "use client.with_options(timeout=...).map(...)",
        "verbose": "did you mean progress?",
        "workers": _WORKERS,
        "extra_headers": "requests of a run have no headers of their own",
        "extra_query": "no gateway reads any",
    },
    "call": {
        "budget": "use a `with client.budget(...)` block, or max_cost= for this request alone",
        "checkpoint": _OF_MAP,
        "concurrency": _OF_MAP,
        "deadline": "did you mean timeout?",
        "max_retries": _RETRIES,
        "max_workers": _OF_MAP,
        "num_retries": _RETRIES,
        "on_error": _OF_MAP,
        "progress": _OF_MAP,
        "retries": _RETRIES,
    },
}
# Of `compare` and of the dicts that are prompts of a run.
_INSTEAD["compare"] = {
    **_INSTEAD["call"],
    **{name: _INSTEAD["map"][name] for name in ("timeout", "extra_headers", "extra_query")},
}
_NAMED: Final = {"map": FIELDS | MAP, "call": FIELDS | CALL, "compare": FIELDS | {"extra_body"}}


def check_names(fields: Iterable[str], kind: str, where: str) -> None:
    """Raises TypeError for a name that no request has, or that means something else here.

    Args:
        fields: the names of what was given beside the named arguments.
        kind: "map", "compare" or "call": what may be there, and what may have been meant.
        where: who was called, for the message.

    >>> check_names(["temperature", "top_k"], "call", "ask()")
    >>> check_names(["max_costs"], "map", "map()")
    Traceback (most recent call last):
        ...
    TypeError: map() takes no 'max_costs': did you mean max_cost?
    """
    for name in fields:
        why = _INSTEAD[kind].get(name)
        if why is None:
            if name in _NAMED[kind]:
                continue
            close = difflib.get_close_matches(name, sorted(_NAMED[kind]), n=1, cutoff=0.75)
            why = (
                f"did you mean {close[0]}?"
                if close
                else f"a field that is not known here goes through extra_body={{{name!r}: ...}}"
            )
        raise TypeError(f"{where} takes no {name!r}: {why}")


def plain(value: Any) -> Any:
    """For `json.dumps(default=...)`: a number of numpy or another library as Python's own."""
    item = getattr(value, "item", None)
    if callable(item):
        found = item()
        if isinstance(found, bool | int | float | str):
            return found
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, type):
        raise TypeError(
            f"the class {value.__name__} is no JSON; for answers of a class use "
            "seekroute.openai_client().chat.completions.parse(), or instructor"
        )
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def culprit(fields: Mapping[str, Any], encode: Any) -> str:
    """The name of the field that `encode` refuses; empty: of no single one."""
    for name, value in fields.items():
        try:
            encode(value)
        except (TypeError, ValueError):
            return name
    return ""
