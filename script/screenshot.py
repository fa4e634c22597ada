"""Makes the picture of a terminal: `script/screenshot [FILE]` writes docs/images/terminal.svg.

It runs real commands, each in a pseudo-terminal, against a gateway whose provider is the mock
provider. Only what differs from run to run is replaced: the port and the version of Python.
"""

from __future__ import annotations

import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

from seekroute.testing import MockProvider
from seekroute.testing import Text as Reply

COLUMNS = 100
PATIENCE_S = 60.0
ANSWER = (
    "Air scatters the short waves of sunlight more than the long ones,"
    " so blue comes from everywhere."
)
COMMANDS = (
    "seekroute init",
    "seekroute doctor",
    "seekroute models search gpt-4o-mini",
    'seekroute ask -m openai/gpt-4o-mini "Why is the sky blue?"',
    "seekroute serve &",
    "curl -si http://127.0.0.1:8000/v1/chat/completions"
    ' -H "Authorization: Bearer $SEEKROUTE_API_KEY" \\\n'
    '    -H \'Content-Type: application/json\' -d \'{"model": "gpt-4o-mini", "messages":\n'
    '    [{"role": "user", "content": "Why is the sky blue?"}]}\''
    " | grep -E '^HTTP|-(provider|model|cost)'",
)


def main() -> None:
    """Runs the commands and writes the picture."""
    default = Path(__file__).resolve().parent.parent / "docs/images/terminal.svg"
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    target.write_text(picture(), encoding="utf-8")


def picture() -> str:
    """The commands and what they showed, as SVG. It refers to nothing outside of itself."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory() as folder, MockProvider() as mock:
        mock.default = Reply(ANSWER)
        session = Session(Path(folder), mock)
        try:
            for command in COMMANDS:
                shown = session.run(command)
                console.print(Text("$ ", "bold green") + Text(command, "bold"))
                if shown:
                    console.print(Text.from_ansi(shown))
                console.print()
        finally:
            session.stop()
    svg = console.export_svg(title="seekroute", unique_id="seekroute")
    # Fonts come from the reader's own machine.
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


class Session:
    """A shell's worth of state: a folder, an environment, a gateway in the background."""

    def __init__(self, folder: Path, mock: MockProvider) -> None:
        self._folder = folder
        self._server: subprocess.Popen[bytes] | None = None
        self._address = ""
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        provider = "SEEKROUTE_PROVIDERS__OPENAI__"
        self._environment = {
            **kept,
            "HOME": str(folder),
            "COLUMNS": str(COLUMNS),
            "TERM": "xterm-256color",
            "OPENAI_API_KEY": "sk-not-a-key",
            f"{provider}BASE_URL": mock.base_url,
            f"{provider}ALLOW_HTTP": "true",
            f"{provider}ALLOW_PRIVATE": "true",
            "SEEKROUTE_PORT": "0",
        }

    def run(self, command: str) -> str:
        """Runs one command line and returns what it wrote to its terminal."""
        if command.endswith("&"):
            self._start(command.removesuffix("&").split()[1:])
            return ""
        line = command.replace("http://127.0.0.1:8000", self._address)
        function = f'seekroute() {{ "{sys.executable}" -m seekroute "$@"; }}\n'
        shown = self._in_terminal(["bash", "-c", f"set -o pipefail\n{function}{line}"])
        return re.sub(r"Python 3\.\d+\.\d+", "Python 3", shown).strip()

    def _in_terminal(self, command: list[str]) -> str:
        screen, terminal = pty.openpty()
        process = subprocess.Popen(
            command,
            cwd=self._folder,
            env=self._environment,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)
        written = b""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            if not select.select([screen], [], [], max(0.0, deadline - time.monotonic()))[0]:
                process.kill()
                raise SystemExit(f"{command[-1]!r} takes longer than {PATIENCE_S:.0f} s")
            try:
                part = os.read(screen, 65536)
            except OSError:  # how Linux reports that nobody has the terminal open any more
                part = b""
            if not part:
                break
            written += part
        os.close(screen)
        shown = written.decode().replace("\r", "")
        if process.wait() != 0:
            raise SystemExit(f"{command[-1]!r} failed:\n{shown}")
        return shown

    def _start(self, arguments: list[str]) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "seekroute", *arguments],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self._server.stdout is not None
        said = ""
        for line in self._server.stdout:
            said += line.decode()
            found = re.search(r"url\S*=\S*?(http://127\.0\.0\.1:\d+)", said)
            if found:
                break
        else:
            raise SystemExit(f"the gateway did not start:\n{said}")
        (file,) = Path(self._folder).glob("*/first-key")  # no terminal has seen it
        self._address = found[1]
        self._environment["SEEKROUTE_API_KEY"] = file.read_text().strip()

    def stop(self) -> None:
        """Stops the gateway, if there is one."""
        if self._server is None:
            return
        self._server.send_signal(signal.SIGTERM)
        self._server.communicate(timeout=PATIENCE_S)


if __name__ == "__main__":
    main()
