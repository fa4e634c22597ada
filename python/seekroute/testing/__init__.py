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

from seekroute.testing._answers import Answer
from seekroute.testing._gate import Gate
from seekroute.testing._http import Exchange
from seekroute.testing._provider import MockProvider, run_mock
from seekroute.testing._records import RecordedRequest
from seekroute.testing._replies import Image, Paced, Raw, Reply, Status, Stream, Text, ToolCalls
from seekroute.testing._schema import instance_of
from seekroute.testing._tape import Tape
from seekroute.testing._usage import Usage

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
    "instance_of",
    "run_mock",
]
