"""Text that others wrote, made fit for a terminal, a log or a file."""

from __future__ import annotations

import re
from typing import Final

# Beside C0 controls: DEL and C1; separators that some terminals take for a line's end; embeddings,
# overrides and isolates of the two directions of writing, which can turn a line around (the marks
# of Hebrew and Arabic text cannot); halves of characters, which have no bytes.
_UNSAFE: Final = r"\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_IN_A_LINE: Final = re.compile(rf"[\x00-\x1f{_UNSAFE}]")
_IN_LINES: Final = re.compile(rf"\r(?=\n)|[\x00-\x08\x0b-\x1f{_UNSAFE}]")
# In JSON, whose own escapes are of this form; it has those below 0x20 already.
_IN_JSON: Final = re.compile(f"[{_UNSAFE}]")


def without_keys(text: str) -> str:
    """`text` with `[key]` for all that looks like a key, ours or another vendor's.

    For what a client has written, and may have written in a wrong place: a path, a model's name.
    Cut it after this, not before: a part of a key looks like none.

    >>> without_keys("GET /v1/models/sk-0123456789abcdef0123")
    'GET /v1/models/[key]'
    """
    from seekroute import _core

    found = text.encode("utf-8", "surrogatepass")
    masked = _core.without_keys(found)
    return text if masked == found else masked.decode("utf-8", "surrogatepass")


def begins_as_key(text: str) -> bool:
    """Whether `text` begins as the keys of some vendor do, however short it is.

    >>> begins_as_key("gsk_1"), begins_as_key("openai")
    (True, False)
    """
    from seekroute import _core

    return _core.begins_as_key(text.encode("utf-8", "surrogatepass"))


def visible(text: str, *, lines: bool = False) -> str:
    r"""`text` with what a terminal would obey, or hide, shown as an escape.

    A provider's answer, or a name that a customer chose, must not move the cursor, set the title,
    fill the clipboard or turn a line around.

    Args:
        text: of anybody.
        lines: whether newlines and tabs stay as they are; a return before a newline is left out.

    >>> visible("50\x1b[2J done\n"), visible("a\tb\r\nc\x07", lines=True)
    ('50\\x1b[2J done\\n', 'a\tb\nc\\x07')
    """
    return (_IN_LINES if lines else _IN_A_LINE).sub(_escape, text)


def harmless(text: str) -> str:
    r"""Lines of text without the same characters, for a page that has no room for escapes.

    >>> harmless("ab\x1b[31mc\n")
    'ab[31mc\n'
    """
    return _IN_LINES.sub("", text)


def visible_json(text: str) -> str:
    r"""JSON with the same characters as escapes of JSON: it reads back as it was.

    >>> visible_json('{"a": "\u202e"}')
    '{"a": "\\u202e"}'
    """
    return _IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if found.re is _IN_LINES and found.string[found.start() : found.start() + 2] == "\r\n":
        return ""
    short = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(character)
    code = ord(character)
    return short or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
