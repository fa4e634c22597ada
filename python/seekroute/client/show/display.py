"""What notebooks show of results: pure functions from an object to a bundle of MIME types.

Everything that came from a model, a provider or a configuration is text here: it is escaped for
HTML, kept from being HTML inside Markdown, and stripped of control characters for terminals. The
HTML has no colours, scripts, styles for others or foreign assets but an answer's own images, so it
fits light and dark pages; tables have captions and scoped headers.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from seekroute.client.account import ActivityPage, Credits, Generation
from seekroute.client.base import BaseClient
from seekroute.client.results import ChatCompletion, ImagesResponse, ModelPage
from seekroute.client.show.table import seconds
from seekroute.client.show.text_columns import text_columns
from seekroute.client.spend.quotes import Quote, Routing
from seekroute.client.streams import StreamState
from seekroute.errors import APIError, ConfigError
from seekroute.shown import Bundle as Bundle
from seekroute.shown import bundle as bundle
from seekroute.shown import register
from seekroute.visible import harmless
from seekroute.wording import number_of

# Rows of a table.
_MAX_ROWS: Final = 500
# Rows of a table of models: a catalog has a few hundred, which nobody reads in a cell.
_MAX_MODELS: Final = 30
# Beyond this a browser is of no help any more; the object still holds everything.
_MAX_TEXT: Final = 1_000_000
_MAX_IMAGES: Final = 64

# Raster images only: what a browser draws of an SVG is a document, not a picture.
_INLINE: Final = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+")
_LINK: Final = re.compile(r"https?://[^\s\"'<>\\]+")
# First characters of a raster image in base64.
_MAGIC: Final = {"iVBOR": "png", "/9j/": "jpeg", "R0lGOD": "gif", "UklGR": "webp"}

_CARD: Final = "border-left:3px solid currentColor;padding-left:.75em;max-width:60em"
_LEFT: Final = "text-align:left"
_TEXT: Final = "white-space:pre-wrap;overflow-wrap:anywhere;margin:0 0 .5em 0"


def printable(text: str) -> str:
    """The text without the control characters that a terminal would obey.

    >>> printable("ab\\x1b[31mc\\n")
    'ab[31mc\\n'
    """
    return harmless(text)


def markdown(text: str) -> str:
    """The text as Markdown in which nothing is HTML and no image is loaded.

    Text without either is left as it is; otherwise what could begin one is escaped throughout.

    >>> markdown("**bold**, `List<int>`")
    '**bold**, `List<int>`'
    >>> markdown("<script>alert(1)</script>")
    '&lt;script>alert(1)&lt;/script>'
    """
    from markdown_it import MarkdownIt

    for token in MarkdownIt("commonmark").parse(text):
        inside = token.children or ()
        if token.type == "html_block" or any(
            child.type in ("html_inline", "image") for child in inside
        ):
            return text.replace("<", "&lt;").replace("![", "!\\[")
    return text


def usd(cost: Decimal | None) -> str:
    """A price as text; exact.

    >>> usd(Decimal("4.35E-6")), usd(None)
    ('0.00000435 USD', 'unknown')
    """
    return "unknown" if cost is None else f"{cost:f} USD"


def completion_bundle(answer: ChatCompletion) -> Bundle:
    """Text, Markdown and HTML of a whole answer."""
    data = answer.to_dict()
    model = str(data.get("model") or "a model")
    messages = [choice.get("message") or {} for choice in data.get("choices") or ()]
    pictures = answer.images[:_MAX_IMAGES]
    # An image model's content is the image.
    texts = [_said(message, pictures)[:_MAX_TEXT] for message in messages]
    several = len(texts) > 1
    names, values = _facts(answer, model)
    summary = " · ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))

    plain = [f"[{i}] {text}" if several else text for i, text in enumerate(texts, 1) if text]
    plain += [f"[image: {url[:80]}]" for url in pictures]
    marked = [markdown(text) for text in texts if text]
    marked += [f"![{alt}]({url})" for alt, url in _loadable(pictures, model)]
    parts = []
    for number, (text, message) in enumerate(zip(texts, messages, strict=True), 1):
        if several:
            parts.append(f"<p><strong>Choice {number}</strong></p>")
        parts.append(_reasoning(message))
        if text:
            parts.append(_text(text))
    parts.append(_figures(pictures, model))
    parts.append(_table("Facts of the answer", names, [values]))
    return {
        "text/plain": printable("\n".join([*plain, summary])),
        "text/markdown": "\n\n".join([*marked, f"*{markdown(summary)}*"]),
        "text/html": _card(f"Answer of {model}", parts),
    }


def progress_bundle(text: str, note: str = "…") -> Bundle:
    """An answer that is still coming: the text so far."""
    return {
        "text/plain": printable(f"{text}{note}"),
        "text/markdown": markdown(text) + note,
        "text/html": _card("Answer, not complete yet", [_text(f"{text[:_MAX_TEXT]}{note}")]),
    }


def stream_bundle(stream: Any) -> Bundle:
    """A stream: the answer once it has been read, before that what has come so far."""
    final = stream._final
    if final is not None:
        return completion_bundle(final)
    return progress_bundle(stream.text, "… (not read to its end)")


def images_bundle(answer: ImagesResponse) -> Bundle:
    """Generated images."""
    data = answer.to_dict()
    pictures = []
    for image in data.get("data") or ():
        encoded = image.get("b64_json")
        if isinstance(encoded, str):
            kind = next((k for magic, k in _MAGIC.items() if encoded.startswith(magic)), "png")
            pictures.append(f"data:image/{kind};base64,{encoded}")
        elif isinstance(image.get("url"), str):
            pictures.append(image["url"])
    del pictures[_MAX_IMAGES:]
    names, values = _facts(answer, "")
    summary = " · ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))
    marked = [f"![{alt}]({url})" for alt, url in _loadable(pictures, "")]
    parts = [_figures(pictures, ""), _table("Facts of the images", names, [values])]
    return {
        "text/plain": printable("\n".join([*(f"[image: {u[:80]}]" for u in pictures), summary])),
        "text/markdown": "\n\n".join([*marked, f"*{markdown(summary)}*"]),
        "text/html": _card("Generated images", parts),
    }


def models_bundle(models: ModelPage) -> Bundle:
    """A table of models with their prices."""
    names = ["Model", "Context", "Input USD/M", "Output USD/M", "Takes", "Gives"]
    rows = [_model_row(model) for model in models.to_dict()["data"][:_MAX_MODELS]]
    left = len(models) - len(rows)
    caption = number_of(len(models), "model")
    if left:
        caption += f", the first {len(rows)} are shown; models.list(q=…, limit=…) picks others"
    more = [f"… and {left} more"] if left else []
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    return {
        "text/plain": printable("\n".join([caption, *text_columns([names, *rows]), *more])),
        "text/markdown": "\n".join([caption, "", *lines]),
        "text/html": _table(caption, names, rows, shown=True, row_headers=True),
    }


def quote_bundle(quote: Quote) -> Bundle:
    """What a request would cost at each candidate."""
    return rows_bundle(f"Quote for {quote.to_dict()['model']}, USD", quote.table())


def routing_bundle(routing: Routing) -> Bundle:
    """Who can serve a request, and who was asked."""
    return rows_bundle(f"Route of {routing.to_dict()['requested']}", routing.table())


def credits_bundle(credits: Credits) -> Bundle:
    """What an organization has and used."""
    named = [
        ("Available", "available"),
        ("Held", "held"),
        ("Owed", "owed"),
        ("Used", "total_usage"),
        ("Paid in", "total_credits"),
    ]
    data = credits.to_dict()
    return _facts_bundle("Credits", [(name, usd(data[member])) for name, member in named])


def generation_bundle(generation: Generation) -> Bundle:
    """What one request cost, and why."""
    data = generation.to_dict()
    named = [
        ("Id", data["id"]),
        ("Model", data["model"]),
        ("Provider", data["provider_name"]),
        ("Cost", usd(data["total_cost"])),
        ("Settlement", data["settlement"]),
        ("Held", usd(data["held"])),
        ("Refunded", usd(data["refunded"]) if data["refunded"] else None),
        ("Tokens in", _count(data["tokens_prompt"])),
        ("Tokens out", _count(data["tokens_completion"])),
        ("Error", data["error"]),
    ]
    kept = [(name, str(value)) for name, value in named if value not in (None, "")]
    return _facts_bundle("Request", kept)


def activity_bundle(page: ActivityPage) -> Bundle:
    """Requests, tokens and cost by day and model."""
    names = ["Day", "Model", "Requests", "Failed", "Tokens in", "Tokens out", "USD"]
    data = page.to_dict()["data"]
    keys = any("key_id" in row for row in data)
    rows = [_activity_row(row) + [row.get("key_id", "")] * keys for row in data[:_MAX_ROWS]]
    left = len(data) - len(rows)
    caption = f"Activity: {usd(page.usage)}" + (f", {number_of(left, 'row')} more" if left else "")
    return rows_bundle(caption, [names + ["Key"] * keys, *rows])


def _activity_row(row: Mapping[str, Any]) -> list[str]:
    counts = ("requests", "failed", "prompt_tokens", "completion_tokens")
    return [row["date"], row["model"], *(_count(row[n]) for n in counts), f"{row['usage']:f}"]


def _facts_bundle(caption: str, facts: Sequence[tuple[str, str]]) -> Bundle:
    """A table of one row; as text a line for each fact, which fits any terminal."""
    names, values = zip(*facts, strict=True)
    width = max(map(len, names))
    lines = [f"{name:<{width}}  {value}" for name, value in facts]
    return {
        **rows_bundle(caption, [names, values]),
        "text/plain": printable("\n".join([caption, *lines])),
    }


def rows_bundle(caption: str, table: Sequence[Sequence[str]]) -> Bundle:
    """A table of text, the head first; each row is named by its first cell."""
    names, *rows = table
    lines = [f"| {' | '.join(_cell(name) for name in names)} |", f"|{'---|' * len(names)}"]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    return {
        "text/plain": printable("\n".join([caption, *text_columns(table)])),
        "text/markdown": "\n".join([markdown(caption), "", *lines]),
        "text/html": _table(caption, names, rows, shown=True, row_headers=True),
    }


def error_bundle(error: APIError) -> Bundle:
    """A short card: what was wrong and what to do."""
    named: list[tuple[str, Any]] = [
        ("Status", error.status_code or None),
        ("Code", error.code),
        ("Field", error.param),
        ("Tried", f"{error.attempts} times" if error.attempts > 1 else None),
        ("Try again after", _seconds(error.retry_after)),
        ("Request id", error.request_id),
    ]
    facts = [(name, str(value)) for name, value in named if value not in (None, "")]
    hint = "" if error.hint in error.message else error.hint
    return _problem_bundle(type(error).__name__, str(error.message), hint, facts)


def config_error_bundle(error: ConfigError) -> Bundle:
    """All problems of a configuration, as a table."""
    names = ["Where", "Setting", "Problem", "What to do"]
    rows = [[p.where, p.path, p.message, p.hint] for p in error.problems[:_MAX_ROWS]]
    caption = f"ConfigError: {number_of(len(error.problems), 'problem')}"
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    return {
        "text/plain": printable(f"ConfigError: {error}"),
        "text/markdown": "\n".join([f"**{caption}**", "", *lines]),
        "text/html": _table(caption, names, rows, shown=True),
    }


def client_bundle(client: BaseClient) -> Bundle:
    """What a client is, and what it has spent."""
    place = "in this process" if client._backend.records else "at a gateway elsewhere"
    title = f"seekroute.{type(client).__name__}, {place}"
    spent = usd(client.spend)
    return {
        "text/plain": f"{title}: {spent} spent",
        "text/markdown": f"**{title}**: {spent} spent",
        "text/html": _card(title, [_table(title, ["Spent"], [[spent]], shown=True)]),
    }


register(ChatCompletion, completion_bundle)
register(StreamState, stream_bundle)
register(ImagesResponse, images_bundle)
register(ModelPage, models_bundle)
register(Quote, quote_bundle)
register(Routing, routing_bundle)
register(Credits, credits_bundle)
register(Generation, generation_bundle)
register(ActivityPage, activity_bundle)
register(APIError, error_bundle)
register(ConfigError, config_error_bundle)
register(BaseClient, client_bundle)


# --- parts ----------------------------------------------------------------------------------------


def _said(message: Mapping[str, Any], pictures: Sequence[str]) -> str:
    """What one message says: its text, or its refusal, or the tools it calls."""
    content = message.get("content")
    if isinstance(content, list):
        pieces = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(piece for piece in pieces if isinstance(piece, str))
    said = [content] if isinstance(content, str) and content and content not in pictures else []
    if message.get("refusal"):
        said.append(f"Refused: {message['refusal']}")
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        said.append(f"{function.get('name')}({function.get('arguments')})")
    return "\n".join(said)


def _facts(answer: ChatCompletion | ImagesResponse, model: str) -> tuple[list[str], list[str]]:
    usage = answer.to_dict().get("usage") or {}
    named = [
        ("Model", model),
        ("Provider", answer.provider),
        ("Cost", usd(answer.cost)),
        ("Tokens in", _count(usage.get("prompt_tokens"))),
        ("Tokens out", _count(usage.get("completion_tokens"))),
        ("Time", _seconds(answer.latency)),
        ("First text", _seconds(getattr(answer, "ttft", None))),
        ("Tries", str(answer.attempts) if answer.attempts > 1 else ""),
    ]
    kept = [(name, value) for name, value in named if value]
    return [name for name, _ in kept], [value for _, value in kept]


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else ""


def _seconds(value: float | None) -> str:
    return seconds(value)


def _model_row(model: Mapping[str, Any]) -> list[str]:
    pricing = model.get("pricing") or {}
    shape = model.get("architecture") or {}
    return [
        str(model.get("id", "")),
        _count(model.get("context_length")),
        _per_million(pricing.get("prompt")),
        _per_million(pricing.get("completion")),
        ", ".join(map(str, shape.get("input_modalities") or ())),
        ", ".join(map(str, shape.get("output_modalities") or ())),
    ]


def _per_million(rate: Any) -> str:
    try:
        price = Decimal(str(rate)) * 1_000_000
    except ArithmeticError:
        return ""
    return f"{price.normalize():f}" if price.is_finite() else ""


def _cell(value: str) -> str:
    """One cell of a Markdown table."""
    return markdown(" ".join(value.split())).replace("|", "\\|")


def _alt(number: int, model: str) -> str:
    return f"Image {number}" + (
        f" made by {re.sub(r'[^A-Za-z0-9 ./:_-]', '', model)}" * bool(model)
    )


def _loadable(urls: Iterable[str], model: str) -> list[tuple[str, str]]:
    """(alternative text, URL) of the images that may be loaded."""
    numbered = [(_alt(number, model), url) for number, url in enumerate(urls, 1)]
    return [(a, u) for a, u in numbered if _INLINE.fullmatch(u) or _LINK.fullmatch(u)]


def _problem_bundle(title: str, message: str, hint: str, facts: list[tuple[str, str]]) -> Bundle:
    parts = [f"<p><strong>{_escape(title)}</strong></p>", _text(message)]
    if hint:
        parts.append(f"<p>What to do: {_escape(hint)}</p>")
    if facts:
        names, values = [name for name, _ in facts], [value for _, value in facts]
        parts.append(_table("Facts of the error", names, [values]))
    plain = [f"{title}: {message}", *([f"What to do: {hint}"] if hint else [])]
    plain += [f"{name}: {value}" for name, value in facts]
    marked = [
        f"**{title}**",
        markdown(message),
        *([f"What to do: {markdown(hint)}"] if hint else []),
    ]
    marked += [" · ".join(f"{name} {_cell(value)}" for name, value in facts)] if facts else []
    return {
        "text/plain": printable("\n".join(plain)),
        "text/markdown": "\n\n".join(marked),
        "text/html": _card(title, parts),
    }


# --- HTML -----------------------------------------------------------------------------------------


def _escape(text: str) -> str:
    return html.escape(harmless(text), quote=True)


def _card(label: str, parts: Iterable[str]) -> str:
    body = "".join(parts)
    return f'<section aria-label="{_escape(label)}" style="{_CARD}">{body}</section>'


def _text(text: str) -> str:
    return f'<div dir="auto" style="{_TEXT}">{_escape(text)}</div>'


def _reasoning(message: Mapping[str, Any]) -> str:
    text = message.get("reasoning") or message.get("reasoning_content")
    if not isinstance(text, str) or not text:
        return ""
    return f"<details><summary>Reasoning</summary>{_text(text[:_MAX_TEXT])}</details>"


def _figures(urls: Sequence[str], model: str) -> str:
    shown = _loadable(urls, model)
    figures = "".join(
        f'<figure style="margin:0 0 .5em 0"><img src="{_escape(url)}" alt="{_escape(alt)}"'
        ' referrerpolicy="no-referrer" style="max-width:100%;height:auto"></figure>'
        for alt, url in shown
    )
    left = len(urls) - len(shown)
    return figures + (f"<p>{left} not shown: no PNG, JPEG, GIF or WebP image.</p>" * bool(left))


def _table(
    caption: str,
    names: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    shown: bool = False,
    row_headers: bool = False,
) -> str:
    """A table; a caption that is not shown is still there for screen readers."""
    label = "" if shown else f' aria-label="{_escape(caption)}"'
    title = (
        f'<caption style="{_LEFT};white-space:nowrap">{_escape(caption)}</caption>' if shown else ""
    )
    head = "".join(f'<th scope="col" style="{_LEFT}">{_escape(name)}</th>' for name in names)
    body = "".join(f"<tr>{_cells(row, row_headers)}</tr>" for row in rows)
    return f"<table{label}>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(row: Sequence[str], row_headers: bool) -> str:
    cells = [f'<td style="{_LEFT}">{_escape(value)}</td>' for value in row]
    if row_headers and row:
        cells[0] = f'<th scope="row" style="{_LEFT}">{_escape(row[0])}</th>'
    return "".join(cells)
