"""Shows an answer while it comes: in place in notebooks and terminals, piece by piece elsewhere."""

from __future__ import annotations

import importlib
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from seekroute.client.results import ChatCompletion
from seekroute.client.show.display import (
    Bundle,
    completion_bundle,
    printable,
    progress_bundle,
)

if TYPE_CHECKING:
    from typing import TextIO

    from seekroute.client.streams import (
        AsyncChatStream,
        AsyncStreamContext,
        ChatStream,
        StreamContext,
        StreamState,
    )

# Seconds between two updates: more often nobody sees, and a browser has to draw each.
_PAUSE_S: Final = 0.1
_STOPPED: Final = "… (stopped)"


class _Screen(Protocol):
    """Where an answer is shown. `grow` for each piece, then `end` or `stop` once."""

    def grow(self, piece: str) -> None: ...
    def end(self, answer: ChatCompletion) -> ChatCompletion:
        """Returns what to give the caller."""
        ...

    def stop(self) -> None: ...


def live(stream: ChatStream | StreamContext, *, file: TextIO | None = None) -> ChatCompletion:
    """Reads a stream to its end, shows the text as it comes, and returns the whole answer.

    In a notebook one output is updated in place, at most ten times a second, and ends as the card
    of the answer. A terminal is updated in place too. Anything else, such as a file or a pipe, gets
    the text of the first choice as it comes and a line feed.

    The stream is closed in any case: interrupting the cell cancels the request, and what has come
    stays.

    Args:
        stream: What `create(..., stream=True)` or `chat.completions.stream(...)` returned.
        file: Where to write; default: the notebook, or `sys.stdout`.

    Raises:
        APIError: as reading the stream does.

    Example:
        >>> import seekroute
        >>> with seekroute.Client(mock="on") as client:
        ...     answer = seekroute.live(client.chat.completions.create(
        ...         model="openai/gpt-4o-mini", stream=True,
        ...         messages=[{"role": "user", "content": "Hi"}],
        ...     ))
        Hello! You said: Hi
        >>> answer.usage.total_tokens
        11
    """
    with stream as running:
        screen, ended = _screen(running, file), False
        try:
            for piece in running.texts():
                screen.grow(piece)
            answer = running.get_final_completion()
            shown = screen.end(answer)
            ended = True
            return shown
        finally:
            if not ended:
                screen.stop()


async def live_async(
    stream: AsyncChatStream | AsyncStreamContext, *, file: TextIO | None = None
) -> ChatCompletion:
    """As `live`, for the streams of an `AsyncClient`: `await seekroute.live_async(stream)`."""
    async with stream as running:
        screen, ended = _screen(running, file), False
        try:
            async for piece in running.texts():
                screen.grow(piece)
            answer = await running.get_final_completion()
            shown = screen.end(answer)
            ended = True
            return shown
        finally:
            if not ended:
                screen.stop()


def _screen(stream: StreamState, file: TextIO | None) -> _Screen:
    if file is None:
        # Not imported: whoever runs in a notebook has it loaded.
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython is not None else None
        if getattr(shell, "kernel", None) is not None:
            return _Notebook(stream)
        file = sys.stdout
    return _Terminal(stream, file) if file.isatty() else _Plain(file)


def _cell() -> int:
    """Number of the cell that runs."""
    shell: Any = sys.modules["IPython"].get_ipython()
    return int(shell.execution_count)


class _Shown(ChatCompletion):
    """An answer whose card stands under the cell that made it: that cell does not show it again."""

    __slots__ = ("_made_in",)
    _made_in: int

    def _ipython_display_(self) -> None:
        if _cell() != self._made_in:
            display: Any = importlib.import_module("IPython.display").display
            display(completion_bundle(self), raw=True)


def _shown(answer: ChatCompletion) -> ChatCompletion:
    shown = _Shown(answer.to_dict(), ttft=answer.ttft, **answer.beside())
    shown._made_in = _cell()
    return shown


class _Notebook:
    """One output of a notebook, updated in place."""

    def __init__(self, stream: StreamState) -> None:
        self._stream = stream
        self._handle: Any = None
        self._next = 0.0

    def grow(self, piece: str) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _PAUSE_S
            self._show(progress_bundle(self._stream.text))

    def end(self, answer: ChatCompletion) -> ChatCompletion:
        self._show(completion_bundle(answer))
        return _shown(answer)

    def stop(self) -> None:
        if self._handle is not None:
            self._show(progress_bundle(self._stream.text, _STOPPED))

    def _show(self, bundle: Bundle) -> None:
        if self._handle is None:
            display: Any = importlib.import_module("IPython.display").display
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


class _Terminal:
    """The last lines of a terminal, updated in place."""

    def __init__(self, stream: StreamState, file: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live

        self._stream = stream
        self._shown: str | None = None
        # Drawn by a thread of its own, which asks for the text when it draws.
        self._live = Live(
            console=Console(file=file, highlight=False, soft_wrap=True),
            get_renderable=self._render,
            refresh_per_second=1 / _PAUSE_S,
        )
        self._live.start()

    def _render(self) -> Any:
        from rich.text import Text

        shown = self._shown
        return Text(printable(self._stream.text if shown is None else shown))

    def grow(self, piece: str) -> None:
        pass

    def end(self, answer: ChatCompletion) -> ChatCompletion:
        self._shown = completion_bundle(answer)["text/plain"]
        self._live.stop()
        return answer

    def stop(self) -> None:
        self._shown = self._stream.text + _STOPPED
        self._live.stop()


class _Plain:
    """A file: the text and nothing else."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def grow(self, piece: str) -> None:
        self._file.write(piece)
        self._file.flush()

    def end(self, answer: ChatCompletion) -> ChatCompletion:
        self._file.write("\n")
        self._file.flush()
        return answer

    def stop(self) -> None:
        self._file.write("\n")
        self._file.flush()
