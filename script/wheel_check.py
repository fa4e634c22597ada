"""Tries an installed wheel where the system's libcurl, OpenSSL and SQLite are hidden.

`script/wheel` runs it as `wheel_check.py PYTHON`, where PYTHON has the wheel. It plays a provider
over TLS, hides the libraries in a mount namespace, and runs itself there with PYTHON: a client with
a ledger asks the provider, whose certificate it verifies. All three libraries take part in that.
"""

from __future__ import annotations

import ctypes
import http.server
import json
import shlex
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

HIDDEN = ("libcurl.so", "libcurl-gnutls.so", "libssl.so", "libcrypto.so", "libsqlite3.so")
ANSWER = "the wheel works"


def main() -> None:
    """Runs the part that the arguments name."""
    if sys.argv[1] == "--inside":
        ask(sys.argv[2], sys.argv[3], sys.argv[4].split(":"))
    else:
        check(sys.argv[1])


def check(python: str) -> None:
    """Exits with words unless the wheel of `python` works without the system's libraries."""
    import ssl  # which cannot be imported inside

    with tempfile.TemporaryDirectory() as folder:
        certificate = make_certificate(Path(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        hidden = libraries()
        inside = [python, "-W", "error", __file__, "--inside"]
        inside += [str(server.server_port), str(certificate), ":".join(hidden)]
        hide = [f"mount --bind /dev/null {shlex.quote(each)}" for each in hidden]
        script = "\n".join([*hide, f"exec {shlex.join(inside)}"])
        command = ["unshare", "--map-root-user", "--mount", "sh", "-e", "-c", script]
        subprocess.run(command, check=True, cwd=folder)
        server.shutdown()


def make_certificate(folder: Path) -> Path:
    """Makes a key and a certificate of localhost that signs itself, in one file."""
    certificate = folder / "provider.pem"
    key = folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    certificate.write_text(certificate.read_text() + key.read_text())
    return certificate


def libraries() -> list[str]:
    """Says where the linker finds the libraries that the wheel must not need."""
    listed = subprocess.run(["/sbin/ldconfig", "-p"], check=True, capture_output=True, text=True)
    lines = [line.split() for line in listed.stdout.splitlines()]
    paths = [line[-1] for line in lines if line and line[0].startswith(HIDDEN)]
    return sorted({str(Path(path).resolve()) for path in paths})


class Provider(http.server.BaseHTTPRequestHandler):
    """Answers every request with the same completion."""

    def do_POST(self) -> None:
        """Reads the request and answers it."""
        self.rfile.read(int(self.headers["Content-Length"]))
        message = {"role": "assistant", "content": ANSWER}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
        completion = {"id": "x", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini"}
        body = json.dumps({**completion, "choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def ask(port: str, certificate: str, hidden: list[str]) -> None:
    """Asks the provider at `port`, with a ledger."""
    for path in hidden:
        try:
            ctypes.CDLL(path)
        except OSError:
            continue
        sys.exit(f"{path} is not hidden, so this would prove nothing")

    import seekroute

    provider = {
        "base_url": f"https://localhost:{port}/v1",
        "api_key": "sk-of-the-wheel-check",
        "ca_file": certificate,
        "allow_private": True,
    }
    with seekroute.Client(providers={"openai": provider}, mock="off", ledger="spend.db") as client:
        answer = client.ask("Hello!", model="openai/gpt-4o-mini")
        if answer.text != ANSWER or not answer.cost or client.spend != answer.cost:
            sys.exit(f"the answer is {answer.text!r} for {answer.cost}, spent {client.spend}")


if __name__ == "__main__":
    main()
