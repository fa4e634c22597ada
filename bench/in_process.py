"""What a call inside the program costs, library by library, against the same mock upstream.

`python in_process.py --library NAME --port PORT --seconds 2` prints one JSON line. `socket` is the
least Python can do: the bytes of the request over a kept connection.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import tempfile
import time
from collections.abc import Callable

MODEL = "bench-model"
END = "@@end@@"
MESSAGES = [
    {"role": "system", "content": "Answer in one sentence."},
    {"role": "user", "content": "What does a gateway cost? " * 30},
]
_WARMUP_CALLS = 50
_MAX_CALLS = 1_000_000


def socket_call(port: int) -> Callable[[], str]:
    """The request as ready bytes over one plain socket."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    body = json.dumps({"model": MODEL, "messages": MESSAGES}).encode()
    request = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    ) + body

    def call() -> str:
        connection.sendall(request)
        answer = b""
        while END.encode() not in answer or not answer.endswith(b"}"):
            piece = connection.recv(65536)
            if not piece:
                raise RuntimeError("the upstream closed the connection")
            answer += piece
        head, _, text = answer.partition(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise RuntimeError("expected status 200")
        content: str = json.loads(text)["choices"][0]["message"]["content"]
        return content

    return call


def openai_call(port: int) -> Callable[[], str]:
    """The official client, pointed at the upstream."""
    import openai

    client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="x", max_retries=0)

    def call() -> str:
        answer = client.chat.completions.create(model=MODEL, messages=MESSAGES)  # type: ignore
        return answer.choices[0].message.content or ""

    return call


def litellm_call(port: int) -> Callable[[], str]:
    """LiteLLM's library, without its proxy."""
    import litellm

    litellm.telemetry = False
    base = f"http://127.0.0.1:{port}/v1"

    def call() -> str:
        answer = litellm.completion(
            model=f"openai/{MODEL}", messages=MESSAGES, api_base=base, api_key="x", num_retries=0
        )
        content: str = answer.choices[0].message.content
        return content

    return call


def tensorzero_call(port: int) -> Callable[[], str]:
    """TensorZero's gateway inside this process, its observability off."""
    import tensorzero

    with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
        config.write(
            "[gateway]\nobservability.enabled = false\n"
            "[models.bench]\nrouting = ['mock']\n"
            "[models.bench.providers.mock]\ntype = 'openai'\n"
            f"model_name = '{MODEL}'\napi_base = 'http://127.0.0.1:{port}/v1/'\n"
            "api_key_location = 'none'\n"
        )
        config.flush()
        client = tensorzero.TensorZeroGateway.build_embedded(config_file=config.name)
    question = {"system": MESSAGES[0]["content"], "messages": MESSAGES[1:]}

    def call() -> str:
        answer = client.inference(model_name="bench", input=question)
        content: str = answer.content[0].text
        return content

    return call


def seekroute_call(config: str) -> Callable[[], str]:
    """The gateway's core inside this process, no server."""
    import seekroute

    client = seekroute.Client(config=config)

    def call() -> str:
        answer = client.chat.completions.create(model=f"bench/{MODEL}", messages=MESSAGES)
        content: str = answer.choices[0].message.content
        return content

    return call


def measure(call: Callable[[], str], seconds: float) -> dict[str, float]:
    """Call again and again for `seconds`; times are microseconds."""
    for _ in range(_WARMUP_CALLS):
        if END not in call():
            raise RuntimeError("the answer is not the upstream's")
    times: list[int] = []
    cpu_before = time.process_time_ns()
    deadline = time.perf_counter_ns() + int(seconds * 1e9)
    before = time.perf_counter_ns()
    while before < deadline and len(times) < _MAX_CALLS:
        call()
        now = time.perf_counter_ns()
        times.append(now - before)
        before = now
    cpu = time.process_time_ns() - cpu_before
    percentiles = statistics.quantiles(times, n=100)
    return {
        "calls": len(times),
        "p50_us": percentiles[49] / 1000,
        "p99_us": percentiles[98] / 1000,
        "cpu_us": cpu / len(times) / 1000,
    }


_PEERS = {
    "socket": socket_call,
    "openai": openai_call,
    "litellm": litellm_call,
    "tensorzero": tensorzero_call,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", choices=[*_PEERS, "seekroute"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--config", default="", help="seekroute only: the configuration file")
    options = parser.parse_args()
    if options.library == "seekroute":
        call = seekroute_call(options.config)
    else:
        call = _PEERS[options.library](options.port)
    print(json.dumps(measure(call, options.seconds)))


if __name__ == "__main__":
    main()
