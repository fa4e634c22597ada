"""What the mock provider answers without a script: a small, deterministic fake model."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seekroute.testing.embeddings import MAX_DIMENSIONS, MAX_INPUTS, embeddings_body, inputs_of
from seekroute.testing.http import Exchange
from seekroute.testing.images import MAX_IMAGES, image_body
from seekroute.testing.replies import Paced, tool_call
from seekroute.testing.schema import instance_of
from seekroute.testing.shapes import (
    Choice,
    Completion,
    count_prompt,
    error_body,
    prompt_text,
    tokens_of,
)
from seekroute.testing.usage import Usage

MAX_ANSWER_CHARS = 200
MAX_CHOICES = 128
# Models of OpenAI that take `max_completion_tokens` alone.
_OWN_CAP = re.compile(r"gpt-5|o[1-9](?:$|-)")
# Those of them that refuse every value but the default of these, and the rest of them whole.
_FIXED = re.compile(r"(?:gpt-5(?:-mini|-nano)?|o[1-9](?:-mini)?)(?:-\d{4}-\d\d-\d\d)?")
_DEFAULTS = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0}
_WHOLLY_REFUSED = ("logprobs", "top_logprobs", "logit_bias")
MAX_TOP_LOGPROBS = 20
MAX_TOOLS = 128
# Length from which a word of a tool's name counts as the prompt asking for that tool.
MIN_NAME_WORD = 4

_REASONING_TOKENS = {"none": 0, "minimal": 8, "low": 32, "medium": 128, "high": 512, "xhigh": 1024}
_REASONING_MODEL = re.compile(r"reason|r1", re.IGNORECASE)
_REASONING_TEXT = "The user wrote something, so I answer it politely."


class _InvalidError(Exception):
    """The request breaks a rule of the API; becomes a 400."""

    def __init__(self, message: str, param: str | None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


@dataclass(frozen=True)
class Answer(Paced):
    """The built-in fake model: a correct and deterministic answer to each request.

    It repeats the last user message, calls a tool when the request forces one or the prompt
    names one, fills a given JSON schema, makes a tiny image, and gives vectors. A request that
    OpenAI would refuse gets a 400.

    Example::

        mock.default = Answer(delay=0.02)  # the usual answers, slowly
    """

    async def play(self, exchange: Exchange) -> None:
        request = exchange.request
        try:
            fields = _object_of(request.json)
            if request.path.endswith("/images/generations"):
                _check_image(fields)
                answer = image_body(fields)
                answer["usage"] = _image_usage(fields, len(answer["data"]))
                await self.send_json(exchange, answer)
                return
            if request.path.endswith("/embeddings"):
                _check_embedding(fields)
                await self.send_json(exchange, embeddings_body(fields))
                return
            completion = complete(fields)
        except _InvalidError as invalid:
            body = error_body(str(invalid), param=invalid.param, code=invalid.code)
            await self.send_json(exchange, body, 400)
            return
        await self.send_completion(exchange, completion)


def complete(fields: Mapping[str, Any]) -> Completion:
    """The fake model's answer to a chat request.

    Raises:
        _InvalidError: if the request breaks a rule of the API.
    """
    _check_chat(fields)
    model: str = fields["model"]
    tools = _chosen_tools(fields)
    reasoning = _REASONING_TEXT if _REASONING_MODEL.search(model) else None
    if tools:
        choice = Choice(
            finish_reason="tool_calls",
            reasoning=reasoning,
            tool_calls=[_call(tool) for tool in tools],
        )
    else:
        pieces, finish_reason = _cut(_answer_text(fields), fields)
        choice = Choice(
            pieces,
            finish_reason=finish_reason,
            reasoning=reasoning,
            logprobs=_logprobs(pieces, fields),
        )
    count = fields.get("n") or 1
    choices = [choice] + [
        # Tool call ids must differ between choices.
        Choice(
            choice.pieces,
            finish_reason=choice.finish_reason,
            reasoning=reasoning,
            tool_calls=[_call(tool) for tool in tools],
            logprobs=choice.logprobs,
        )
        for _ in range(count - 1)
    ]
    return Completion(
        model, choices, usage=_usage(fields, choices), fingerprint=_fingerprint(model, fields)
    )


def _answer_text(fields: Mapping[str, Any]) -> str:
    schema = _response_schema(fields)
    if schema is not None:
        return json.dumps(instance_of(schema), ensure_ascii=False)
    last = fields["messages"][-1]
    if last.get("role") == "tool":
        text = f"The tool answered: {prompt_text(last.get('content'))}"
    else:
        text = f"Hello! You said: {_last_user_text(fields)}"
    text = text[:MAX_ANSWER_CHARS]
    if _format_type(fields) == "json_object":
        return json.dumps({"answer": text}, ensure_ascii=False)
    return text


def _last_user_text(fields: Mapping[str, Any]) -> str:
    for message in reversed(fields["messages"]):
        if message.get("role") == "user":
            return prompt_text(message.get("content"))
    return ""


def _cut(text: str, fields: Mapping[str, Any]) -> tuple[list[str], str]:
    """Apply stop and the token limit; returns the tokens and the finish reason."""
    stop = fields.get("stop")
    stops = [stop] if isinstance(stop, str) else stop or []
    ends = [text.find(one) for one in stops if one]
    ends = [end for end in ends if end >= 0]
    if ends:
        text = text[: min(ends)]
    pieces = tokens_of(text)
    limit = fields.get("max_completion_tokens") or fields.get("max_tokens")
    if limit is not None and len(pieces) > limit:
        return pieces[:limit], "length"
    return pieces, "stop"


# --- tools


def _chosen_tools(fields: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The functions to call, which may be none."""
    functions = [tool["function"] for tool in fields.get("tools") or ()]
    choice = fields.get("tool_choice", "auto")
    if isinstance(choice, dict):
        name = choice["function"]["name"]
        return [function for function in functions if function["name"] == name][:1]
    if not functions or choice == "none" or fields["messages"][-1].get("role") == "tool":
        return []
    prompt = _last_user_text(fields).lower()
    asked = [function for function in functions if _asks_for(prompt, function["name"])]
    if choice == "required":
        return (asked or functions)[:1]
    return asked[:1]


def _asks_for(prompt: str, name: str) -> bool:
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if len(word) >= MIN_NAME_WORD]
    return name.lower() in prompt or any(word in prompt for word in words)


def _call(function: Mapping[str, Any]) -> dict[str, Any]:
    schema = function.get("parameters") or {"type": "object"}
    return tool_call(function["name"], instance_of(schema))


# --- details of an answer


def _format_type(fields: Mapping[str, Any]) -> Any:
    return (fields.get("response_format") or {}).get("type")


def _response_schema(fields: Mapping[str, Any]) -> Any:
    if _format_type(fields) != "json_schema":
        return None
    return fields["response_format"]["json_schema"]["schema"]


def _logprobs(pieces: Sequence[str], fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    if fields.get("logprobs") is not True:
        return []
    top = fields.get("top_logprobs") or 0
    return [
        {
            **_logprob(piece, 0),
            "top_logprobs": [_logprob(piece, rank) for rank in range(top)],
        }
        for piece in pieces
    ]


def _logprob(piece: str, rank: int) -> dict[str, Any]:
    token = piece if rank == 0 else f"{piece}{rank}"
    # Halves with each rank, so that the probabilities of any number of them sum to less than 1.
    return {
        "token": token,
        "logprob": round(-math.log(2) * (rank + 1), 6),
        "bytes": list(token.encode("utf-8", "replace")),
    }


def _usage(fields: Mapping[str, Any], choices: Sequence[Choice]) -> Usage:
    total = 0
    for choice in choices:
        total += len(choice.pieces or ())
        total += sum(len(tokens_of(call["function"]["arguments"])) for call in choice.tool_calls)
    reasoning = len(tokens_of(choices[0].reasoning or ""))
    if fields.get("reasoning_effort") is not None:
        reasoning = _REASONING_TOKENS.get(fields["reasoning_effort"], 0)
    reasoning *= len(choices)
    return Usage(count_prompt(fields), total + reasoning, reasoning_tokens=reasoning)


def _fingerprint(model: str, fields: Mapping[str, Any]) -> str:
    text = f"{model} {fields.get('seed')}".encode("utf-8", "replace")
    return f"fp_{hashlib.sha256(text).hexdigest()[:10]}"


def _image_usage(fields: Mapping[str, Any], count: int) -> dict[str, Any]:
    text_tokens = len(tokens_of(fields["prompt"]))
    output = count * 1024
    return {
        "input_tokens": text_tokens,
        "input_tokens_details": {"text_tokens": text_tokens, "image_tokens": 0},
        "output_tokens": output,
        "total_tokens": text_tokens + output,
    }


# --- the rules of the API


def _object_of(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise _InvalidError("We could not parse the JSON body of your request.", None)
    return body


def _check(ok: bool, param: str, expected: str) -> None:
    if not ok:
        raise _InvalidError(f"Invalid '{param}': expected {expected}.", param)


def _check_model(fields: Mapping[str, Any]) -> str:
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        raise _InvalidError("you must provide a model parameter", "model")
    return model


def _check_chat(fields: Mapping[str, Any]) -> None:
    model = _check_model(fields)
    if "messages" not in fields:
        raise _InvalidError("Missing required parameter: 'messages'.", "messages", "missing")
    messages = fields["messages"]
    _check(isinstance(messages, list) and bool(messages), "messages", "a non-empty array")
    for index, message in enumerate(messages):
        ok = isinstance(message, dict) and isinstance(message.get("role"), str)
        _check(ok, f"messages[{index}]", "an object with a role")
    for name in ("stream", "logprobs", "parallel_tool_calls", "store"):
        _check(isinstance(fields.get(name), bool | None), name, "a boolean")
    _check_numbers(fields)
    if fields.get("max_tokens") is not None and _OWN_CAP.match(model.rpartition("/")[2]):
        raise _InvalidError(
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead.",
            "max_tokens",
            "unsupported_parameter",
        )
    if _FIXED.fullmatch(model.rpartition("/")[2]):
        _check_fixed(fields)
    stop = fields.get("stop")
    stops = [stop] if isinstance(stop, str) else stop or []
    ok = isinstance(stops, list) and all(isinstance(one, str) for one in stops)
    _check(ok and len(stops) <= 4, "stop", "a string or at most 4 strings")
    effort = fields.get("reasoning_effort")
    names = ", ".join(_REASONING_TOKENS)
    known = isinstance(effort, str) and effort in _REASONING_TOKENS
    _check(effort is None or known, "reasoning_effort", f"one of {names}")
    _check_tools(fields)
    _check_format(fields)


def _check_fixed(fields: Mapping[str, Any]) -> None:
    """What OpenAI's reasoning models refuse of how words are drawn and weighed."""
    for name, default in _DEFAULTS.items():
        if fields.get(name) not in (None, default):
            raise _InvalidError(
                f"Unsupported value: '{name}' does not support {fields[name]} with this model. "
                f"Only the default ({default}) value is supported.",
                name,
                "unsupported_value",
            )
    for name in _WHOLLY_REFUSED:
        if fields.get(name) not in (None, False):
            raise _InvalidError(
                f"Unsupported parameter: '{name}' is not supported with this model.",
                name,
                "unsupported_parameter",
            )


def _check_numbers(fields: Mapping[str, Any]) -> None:
    for name, low, high in (
        ("n", 1, MAX_CHOICES),
        ("max_tokens", 1, None),
        ("max_completion_tokens", 1, None),
        ("top_logprobs", 0, MAX_TOP_LOGPROBS),
        ("seed", None, None),
    ):
        value = fields.get(name)
        ok = value is None or (isinstance(value, int) and not isinstance(value, bool))
        _check(ok and _within(value, low, high), name, _range("an integer", low, high))
    for name, low, high in (
        ("temperature", 0, 2),
        ("top_p", 0, 1),
        ("presence_penalty", -2, 2),
        ("frequency_penalty", -2, 2),
    ):
        value = fields.get(name)
        ok = value is None or (isinstance(value, int | float) and not isinstance(value, bool))
        _check(ok and _within(value, low, high), name, _range("a number", low, high))


def _within(value: Any, low: int | None, high: int | None) -> bool:
    if value is None:
        return True
    return (low is None or value >= low) and (high is None or value <= high)


def _range(kind: str, low: int | None, high: int | None) -> str:
    if low is None:
        return kind
    return f"{kind} of at least {low}" if high is None else f"{kind} from {low} to {high}"


def _check_tools(fields: Mapping[str, Any]) -> None:
    tools = fields.get("tools")
    if tools is None:
        tools = []
    _check(isinstance(tools, list) and len(tools) <= MAX_TOOLS, "tools", "an array of tools")
    names = []
    for index, tool in enumerate(tools):
        function = tool.get("function") if isinstance(tool, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        _check(isinstance(name, str) and bool(name), f"tools[{index}]", "a function with a name")
        names.append(name)
    choice = fields.get("tool_choice")
    if isinstance(choice, dict):
        function = choice.get("function")
        wanted = function.get("name") if isinstance(function, dict) else None
        _check(wanted in names, "tool_choice", "the name of one of the tools")
    else:
        _check(choice in (None, "none", "auto", "required"), "tool_choice", "a known choice")
        _check(bool(names) or choice != "required", "tool_choice", "tools to choose from")


def _check_format(fields: Mapping[str, Any]) -> None:
    wanted = fields.get("response_format")
    if wanted is None:
        return
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    known = kind in ("text", "json_object", "json_schema")
    _check(known, "response_format", "a type of text, json_object or json_schema")
    if kind == "json_schema":
        schema = wanted.get("json_schema")
        ok = isinstance(schema, dict) and isinstance(schema.get("schema"), dict)
        _check(ok, "response_format.json_schema", "an object with a name and a schema")


def _check_embedding(fields: Mapping[str, Any]) -> None:
    _check_model(fields)
    inputs = inputs_of(fields)
    _check(inputs is not None, "input", "a text, an array of texts, or tokens; none of them empty")
    _check(len(inputs or ()) <= MAX_INPUTS, "input", f"at most {MAX_INPUTS} inputs")
    count = fields.get("dimensions")
    ok = count is None or (isinstance(count, int) and not isinstance(count, bool))
    wanted = _range("an integer", 1, MAX_DIMENSIONS)
    _check(ok and _within(count, 1, MAX_DIMENSIONS), "dimensions", wanted)
    form = fields.get("encoding_format")
    _check(form in (None, "float", "base64"), "encoding_format", "float or base64")


def _check_image(fields: Mapping[str, Any]) -> None:
    prompt = fields.get("prompt")
    _check(isinstance(prompt, str) and bool(prompt), "prompt", "a non-empty string")
    count = fields.get("n")
    ok = count is None or (isinstance(count, int) and not isinstance(count, bool))
    _check(ok and _within(count, 1, MAX_IMAGES), "n", _range("an integer", 1, MAX_IMAGES))
    form = fields.get("response_format")
    _check(form in (None, "url", "b64_json"), "response_format", "url or b64_json")
