"""Tools for tests of code that talks to LLM providers.

`MockProvider` is a real HTTP server that speaks the OpenAI protocol, and `Tape` one that replays
answers recorded from a real provider; the other names are the replies that the mock provider can
be told to give. Nothing here needs a network beyond the loopback interface, but for recording.

Example::

    from seekroute.testing import MockProvider, Status, Text

    with MockProvider() as mock:
        mock.queue(Status(503), Text("Hello"))
        ...  # point any OpenAI client at mock.base_url
"""

from __future__ import annotations

from seekroute.testing.answers import Answer
from seekroute.testing.gate import Gate
from seekroute.testing.http import Exchange
from seekroute.testing.provider import MockProvider, run_mock
from seekroute.testing.records import RecordedRequest
from seekroute.testing.replies import (
    Image,
    Paced,
    Raw,
    Reply,
    Status,
    Stream,
    Text,
    ToolCalls,
    Vectors,
)
from seekroute.testing.schema import instance_of
from seekroute.testing.tape import Tape
from seekroute.testing.usage import Usage

__all__ = [
    "Answer",
    "Exchange",
    "Gate",
    "Image",
    "MockProvider",
    "Paced",
    "Raw",
    "RecordedRequest",
    "Reply",
    "Status",
    "Stream",
    "Tape",
    "Text",
    "ToolCalls",
    "Usage",
    "Vectors",
    "instance_of",
    "run_mock",
]
