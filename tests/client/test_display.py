"""What notebooks show of results and errors, and how streams are shown while they come."""

from __future__ import annotations

import asyncio
import io
import re
import subprocess
import sys
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest

import seekroute
from in_process import HELLO, MODEL, begun
from seekroute.client.account import ActivityPage, Credits, Generation
from seekroute.client.results import ChatCompletion, ImagesResponse, ModelPage
from seekroute.client.show.display import bundle, markdown, printable
from seekroute.errors import Problem, error_for_status
from seekroute.testing import Gate, MockProvider, Text, Usage

PNG = "data:image/png;base64,iVBORw0KGgo="
ATTACKS = [
    "<script>alert(1)</script>",
    "</div></section><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "text <b>bold</b> &lt;kept&gt;",
    "a\n\n<iframe src='https://example.com'></iframe>\n\nb",
    "```html\n<script>fenced</script>\n```\n<script>not fenced</script>",
]
# Everything the cards are made of; anything else came from somewhere.
TAGS = {
    *("section", "div", "p", "strong", "table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("figure", "img", "details", "summary"),
}
ATTRIBUTES = {"style", "aria-label", "dir", "scope", "src", "alt", "referrerpolicy"}


class Page(HTMLParser):
    """The tags, attributes and text of a piece of HTML; checks that it is well formed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "img":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError("a declaration")


def page(result: Any) -> Page:
    """The HTML of a result, with nothing in it but what ours has."""
    found = Page(result._repr_mimebundle_()["text/html"])
    assert set(found.tags) <= TAGS
    assert {name for name, _ in found.attributes} <= ATTRIBUTES
    styles = " ".join(value or "" for name, value in found.attributes if name == "style")
    # No colour but the page's own, nothing from elsewhere: right in the light and in the dark.
    assert not re.search(r"url\(|#[0-9a-f]{3}|rgb|background", styles)
    return found


def answer(content: Any = "Hi", message: dict[str, Any] | None = None, **more: Any) -> Any:
    """An answer as a client makes it."""
    said = {"role": "assistant", "content": content, **(message or {})}
    data = {
        "id": "gen-1",
        "model": more.pop("model", MODEL),
        "choices": [{"index": 0, "message": said, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    }
    options: dict[str, Any] = {
        "cost": Decimal("0.00021"),
        "provider": "openai",
        "latency": 1.234,
        "ttft": 0.5,
    }
    return ChatCompletion(data, **{**options, **more})


# --- answers --------------------------------------------------------------------------------------


def test_card_of_an_answer() -> None:
    found = page(answer("Paris.\n  Indented"))
    assert "Paris.\n  Indented" in found.text
    for fact in (MODEL, "openai", "0.00021 USD", "1,000", "100", "1.23 s", "500 ms"):
        assert fact in found.text
    assert found.tags.count("th") == found.tags.count("td") == 7
    assert [value for name, value in found.attributes if name == "scope"] == ["col"] * 7
    assert ("aria-label", f"Answer of {MODEL}") in found.attributes


def test_texts_of_an_answer() -> None:
    shown = answer("**Paris**")._repr_mimebundle_()
    assert shown["text/markdown"].startswith("**Paris**\n\n*Model openai/gpt-4o-mini · ")
    assert shown["text/plain"].startswith("**Paris**\nModel openai/gpt-4o-mini · Provider openai")


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_of_a_model_is_html(attack: str) -> None:
    for said in (
        answer(attack),
        answer(None, {"reasoning": attack, "refusal": attack}),
        answer(None, {"tool_calls": [{"function": {"name": attack, "arguments": attack}}]}),
        answer("Hi", model=attack, provider=attack),
    ):
        assert attack in page(said).text
    marked = answer(attack)._repr_mimebundle_()["text/markdown"]
    assert tokens(marked).isdisjoint({"html_block", "html_inline", "image"})


def tokens(text: str) -> set[str]:
    """What a renderer of Markdown sees in a text."""
    from markdown_it import MarkdownIt

    found = MarkdownIt("commonmark").parse(text)
    inside = [child for token in found for child in token.children or ()]
    return {token.type for token in [*found, *inside]}


def test_markdown_loads_no_image_of_a_model() -> None:
    assert "image" in tokens("![x](https://example.com/?secret)")
    assert "image" not in tokens(markdown("![x](https://example.com/?secret)"))
    kept = "# Title\n\n`List<int>` and 1 < 2 & ![ alone\n\n```cpp\n#include <vector>\n```"
    assert markdown(kept) == kept


def test_terminals_get_no_commands() -> None:
    said = answer("\x1b]0;title\x07\x1b[31mred\x9b0m\ttab\r\n")
    assert said._repr_mimebundle_()["text/plain"].startswith("]0;title[31mred0m\ttab\n")
    assert printable("é🎉\u200f") == "é🎉\u200f"
    assert "\x1b" not in page(said).text


def test_several_choices_and_tools() -> None:
    said = answer("one")
    said.to_dict()["choices"].append({"message": {"content": "two"}})
    assert "Choice 1" in page(said).text
    assert "[2] two" in said._repr_mimebundle_()["text/plain"]
    call = {"function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
    assert 'get_weather({"city": "Paris"})' in page(answer(None, {"tool_calls": [call]})).text


@pytest.mark.parametrize("data", [{}, {"choices": []}, {"choices": [{}], "usage": None}])
def test_answers_that_say_little(data: dict[str, Any]) -> None:
    said = ChatCompletion(data)
    assert "unknown" in page(said).text
    assert "unknown" in said._repr_mimebundle_()["text/plain"]


# --- images ---------------------------------------------------------------------------------------


def test_images_are_inline_with_a_text() -> None:
    url = "https://example.com/a.png?x=1&y=2"
    parts = [{"type": "image_url", "image_url": {"url": PNG}}, {"image_url": {"url": url}}]
    found = page(answer("Two images:", {"images": parts}))
    assert [value for name, value in found.attributes if name == "src"] == [PNG, url]
    texts = [value for name, value in found.attributes if name == "alt"]
    assert texts == [f"Image 1 made by {MODEL}", f"Image 2 made by {MODEL}"]
    assert "Two images:" in found.text
    marked = answer("", {"images": parts})._repr_mimebundle_()["text/markdown"]
    assert f"![Image 1 made by {MODEL}]({PNG})" in marked


def test_an_image_model_s_answer_is_its_image() -> None:
    found = page(answer(PNG))
    assert ("src", PNG) in found.attributes
    assert "base64" not in found.text


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html;base64,PHNjcmlwdD4=",
        "data:image/svg+xml;base64,PHN2Zz4=",
        'data:image/png;base64,AA" onerror="alert(1)',
        "https://example.com/a.png) <script>",
    ],
)
def test_what_is_no_image_is_not_loaded(url: str) -> None:
    said = answer("", {"images": [{"image_url": {"url": url}}]})
    found = page(said)
    assert "img" not in found.tags
    assert "1 not shown" in found.text
    assert tokens(said._repr_mimebundle_()["text/markdown"]).isdisjoint({"image", "html_inline"})


def test_generated_images() -> None:
    data = {"data": [{"b64_json": "/9j/AAAA"}, {"url": "https://example.com/a.webp"}]}
    found = page(ImagesResponse(data, cost=Decimal("0.04"), provider="openai"))
    sources = [value for name, value in found.attributes if name == "src"]
    assert sources == ["data:image/jpeg;base64,/9j/AAAA", "https://example.com/a.webp"]
    assert "0.04 USD" in found.text


# --- other results, errors ------------------------------------------------------------------------


def test_table_of_models() -> None:
    with seekroute.Client(mock="on") as client:
        models = client.models.list()
        spent = page(client)
    found = page(models)
    assert found.tags.count("tr") == 31
    assert [value for name, value in found.attributes if name == "scope"].count("row") == 30
    assert MODEL in found.text
    assert "0.15" in found.text  # USD a million tokens
    assert f"{len(models)} models" in found.text
    lines = models._repr_mimebundle_()["text/markdown"].splitlines()
    assert len(lines) == 34
    assert "in this process" in spent.text
    assert "0 USD" in spent.text


def test_a_long_table_is_cut_and_says_so() -> None:
    models = ModelPage({"object": "list", "data": [{"id": f"a/{i}|<b>"} for i in range(600)]})
    found = page(models)
    assert "600 models, the first 30 are shown" in found.text
    assert found.tags.count("tr") == 31
    marked = models._repr_mimebundle_()["text/markdown"]
    assert r"| a/0\|&lt;b> |" in marked


def test_card_of_an_error() -> None:
    error = error_for_status(
        429,
        {"message": "slow <b>down</b>", "code": "rate_limit_exceeded"},
        {"x-request-id": "req-1", "retry-after": "7"},
        attempts=3,
    )
    found = page(error)
    for part in ("RateLimitError", "slow <b>down</b>", error.hint, "429", "3 times", "7.00 s"):
        assert part in found.text
    plain = error._repr_mimebundle_()["text/plain"]
    assert plain.startswith("RateLimitError: slow <b>down</b>\nWhat to do: ")
    assert plain.endswith("Request id: req-1")


def test_card_of_a_configuration_s_problems() -> None:
    problems = [
        Problem("server.port", "expected 0 to 65535", "choose another", "seekroute.yaml:3:7"),
        Problem("models", "expected a list, found <text>"),
    ]
    found = page(seekroute.ConfigError(problems))
    assert found.tags.count("tr") == 3
    assert "2 problems" in found.text
    assert "found <text>" in found.text


def test_what_cannot_be_shown_says_so() -> None:
    with pytest.raises(TypeError, match="int"):
        bundle(1)


# --- streams --------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_card_of_a_stream(client: seekroute.Client, mock: MockProvider) -> None:
    gate = Gate()
    mock.queue(Text("a <b> c", gate=gate))
    gate.release(2)
    stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    next(stream)
    next(stream)
    found = page(stream)
    assert found.text == "a… (not read to its end)"
    gate.open()
    assert stream.get_final_completion().text in page(stream).text
    assert "USD" in page(stream).text


def test_live_into_a_file(client: seekroute.Client, mock: MockProvider) -> None:
    mock.queue(Text("one two three", usage=Usage(1000, 100)))
    file = io.StringIO()
    said = seekroute.live(
        client.chat.completions.create(model=MODEL, messages=HELLO, stream=True), file=file
    )
    assert file.getvalue() == "one two three\n"
    assert said.text == "one two three"
    assert said.cost == Decimal("0.00021")


def test_live_shows_each_piece_as_it_comes(client: seekroute.Client, mock: MockProvider) -> None:
    gate = Gate()
    mock.queue(Text("one two", gate=gate))
    seen: list[str] = []

    class Watched(io.StringIO):
        def write(self, text: str) -> int:
            seen.append(text)
            gate.open()  # only once the first piece has been written
            return super().write(text)

    gate.release(2)
    with client.chat.completions.stream(model=MODEL, messages=HELLO) as stream:
        seekroute.live(stream, file=Watched())
    assert seen == ["one", " two", "\n"]


def test_live_in_a_terminal(client: seekroute.Client, mock: MockProvider) -> None:
    mock.queue(Text("one\x1b[31m two", usage=Usage(1000, 100)))
    file = Terminal()
    seekroute.live(client.chat.completions.stream(model=MODEL, messages=HELLO), file=file)
    last = file.getvalue().splitlines()
    assert "one[31m two" in file.getvalue()
    assert "\x1b[31m two" not in file.getvalue()
    assert any("0.00021 USD" in line for line in last)


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_live_leaves_what_came_of_a_broken_stream(
    client: seekroute.Client, mock: MockProvider, kind: type[io.StringIO]
) -> None:
    mock.queue(begun(("rst",)))
    file = kind()
    with pytest.raises(seekroute.APIError):
        seekroute.live(client.chat.completions.stream(model=MODEL, messages=HELLO), file=file)
    assert "Hel" in file.getvalue()
    assert file.getvalue().endswith(("\n", "\x1b[?25h"))  # the cursor is back


def test_interrupting_live_cancels_the_request(
    client: seekroute.Client, mock: MockProvider
) -> None:
    mock.queue(begun())

    class Interrupting(io.StringIO):
        def write(self, text: str) -> int:
            if text == "Hel":
                raise KeyboardInterrupt
            return super().write(text)

    stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    with pytest.raises(KeyboardInterrupt):
        seekroute.live(stream, file=Interrupting())
    mock.wait_for_abort()


def test_live_under_asyncio(mock: MockProvider) -> None:
    async def main() -> list[str]:
        files = [io.StringIO(), Terminal()]
        async with seekroute.AsyncClient(mock="on") as client:
            for file in files:
                stream = await client.chat.completions.create(
                    model=MODEL, messages=HELLO, stream=True
                )
                said = await seekroute.live_async(stream, file=file)
                assert said.text == "Hello! You said: Hello!"
        return [file.getvalue() for file in files]

    plain, terminal = asyncio.run(main())
    assert plain == "Hello! You said: Hello!\n"
    assert "Hello! You said: Hello!" in terminal


def test_quotes_and_routes_are_tables() -> None:
    with seekroute.Client(mock="on") as client:
        quote = client.estimate("Hello!", model=MODEL, max_tokens=9)
        for result in (quote, client.route("Hello!"), client.ask("Hello!").routing):
            shown = bundle(result)
            assert "mock" in shown["text/plain"]
            assert "<table" in shown["text/html"]
            assert shown["text/markdown"].count("\n|") >= 3


def test_what_was_paid_is_tables() -> None:
    credits = Credits(
        {name: Decimal(0) for name in ("held", "owed", "available", "total_credits")}
        | {"total_usage": Decimal("4.35E-6"), "credit_line": None}
    )
    row = {
        **{"date": "2027-01-31", "model": f"x{ATTACKS[0]}", "usage": Decimal("0.25")},
        **dict.fromkeys(("requests", "failed", "prompt_tokens", "completion_tokens"), 1234),
    }
    generation = Generation(
        {
            **{"id": "gen-1", "model": ATTACKS[1], "provider_name": None, "settlement": "exact"},
            **dict.fromkeys(("total_cost", "held"), Decimal("0.25")),
            **{"refunded": Decimal(0), "error": None, "tokens_prompt": 7, "tokens_completion": 8},
        }
    )
    pages = [ActivityPage({"data": rows, "has_more": False}) for rows in ([row], [])]
    keyed = ActivityPage({"data": [{**row, "key_id": "key_1"}], "has_more": False})
    for result, text in (
        (credits, "0.00000435 USD"),
        (generation, "0.25 USD"),
        (pages[0], "1,234"),
        (pages[1], "0 USD"),
        (keyed, "key_1"),
    ):
        shown = bundle(result)
        assert text in shown["text/plain"]
        assert str(result) == shown["text/plain"]
        assert all(len(line) <= 80 for line in str(result).splitlines())
        page = Page(shown["text/html"])
        assert set(page.tags) <= TAGS
        assert {name for name, _ in page.attributes} <= ATTRIBUTES
        assert "<script" not in shown["text/markdown"]


def test_what_shows_an_error_is_loaded_when_one_is_shown() -> None:
    script = (
        "import sys\n"
        "from seekroute.errors import ConfigError, Problem\n"
        "error = ConfigError([Problem('server.port', 'expected a port')])\n"
        "assert not [name for name in sys.modules if name.startswith('seekroute.client')]\n"
        "assert 'expected a port' in error._repr_mimebundle_()['text/html']\n"
        "assert 'seekroute.client.show.display' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_nothing_is_shown_of_what_nobody_registered() -> None:
    with pytest.raises(TypeError, match="show a dict"):
        bundle({})
