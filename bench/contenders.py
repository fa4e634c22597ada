"""The programs that are compared: how each is installed, configured, started and called."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from process_tree import ProcessTree, free_port

BENCH = Path(__file__).resolve().parent
KEY = "sk-bench-0123456789abcdef"
MODEL = "bench-model"
PORTKEY_VERSION = "~1.15.2"
# The peers do not require uvloop and httptools; with them uvicorn and aiohttp are at their best.
PYTHON_PEERS = (
    "litellm[proxy]>=1.100,<2",
    "tensorzero>=2026",
    "aiohttp>=3.10,<4",
    "uvloop>=0.19",
    "httptools>=0.6",
    "openai>=2,<3",
)
# More than any run can spend: a billion USD.
CREDIT_NANO = 10**18
_INSTALL_SECONDS = 900
_START_SECONDS = 90


class UnavailableError(Exception):
    """A contender could not be installed or started; the text says why."""


@dataclass
class Running:
    """A started contender and how to call it."""

    name: str
    port: int
    tree: ProcessTree | None = None  # None for the upstream itself.
    version: str = ""
    path: str = "/v1/chat/completions"
    stream_path: str = "/v1/chat/completions"
    model: str = MODEL
    key: str = KEY
    headers: list[str] = field(default_factory=list)


@dataclass
class Setting:
    """Where things are for one run."""

    work: Path  # Installed peers; kept between runs.
    run: Path  # Configurations and data of this run.
    upstream_port: int
    core: int


def start(name: str, setting: Setting) -> Running:
    """Install what is missing, start the contender, and wait until it answers a completion.

    Raises:
        UnavailableError: Not installable, not startable, or no right answer in 90 seconds.
    """
    try:
        running = STARTERS[name](setting)
    except (OSError, subprocess.SubprocessError) as error:
        raise UnavailableError(_reason(error)) from error
    try:
        _await_answer(running)
    except UnavailableError:
        if running.tree is not None:
            running.tree.stop()
        raise
    return running


def peers_python(work: Path) -> Path:
    """The interpreter of the virtual environment with the Python peers; made when missing.

    Raises:
        UnavailableError: The environment could not be made or filled.
    """
    environment = work / "litellm-venv"
    python = environment / "bin" / "python"
    mark = environment / "bench-installed.json"
    wanted = json.dumps(PYTHON_PEERS)
    if mark.exists() and mark.read_text() == wanted:
        return python
    try:
        _run([sys.executable, "-m", "venv", str(environment)])
        _run([str(python), "-m", "pip", "install", "-q", *PYTHON_PEERS])
    except (OSError, subprocess.SubprocessError) as error:
        raise UnavailableError(_reason(error)) from error
    mark.write_text(wanted)
    return python


def _start_direct(setting: Setting) -> Running:
    return Running("direct", setting.upstream_port)


def _start_nginx(setting: Setting) -> Running:
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if program is None:
        raise UnavailableError("nginx is not installed")
    port = free_port()
    folder = setting.run / "nginx"
    folder.mkdir()
    proxy = (
        "proxy_pass http://upstream_llm/; proxy_http_version 1.1; "
        'proxy_set_header Connection ""; client_max_body_size 32m; client_body_buffer_size 2m; '
        "proxy_read_timeout 600s;"
    )
    temporary = " ".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    # Two locations because a plain proxy cannot see from the path whether an answer is streamed.
    config.write_text(f"""daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  {temporary}
  keepalive_requests 1000000000;
  upstream upstream_llm {{
    server 127.0.0.1:{setting.upstream_port};
    keepalive 512;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ {proxy} }}
    location /stream/ {{ {proxy} proxy_buffering off; }}
  }}
}}
""")
    version = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr
    tree = _spawn(setting, "nginx", [program, "-p", str(folder), "-c", str(config)])
    return Running(
        "nginx",
        port,
        tree,
        version.strip().rsplit("/", 1)[-1],
        stream_path="/stream/v1/chat/completions",
    )


def _start_portkey(setting: Setting) -> Running:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise UnavailableError("node and npm are not installed")
    package = _portkey_package(setting.work / "node", npm)
    # It has no option for the address it listens on; a benchmark must not be open to the network.
    preload = setting.run / "loopback.cjs"
    preload.write_text("""const net = require("net");
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (options, ...rest) {
  if (typeof options !== "number") return listen.call(this, options, ...rest);
  return listen.call(this, options, "127.0.0.1", ...rest.slice(-1));
};
""")
    port = free_port()
    command = [node, "--require", str(preload), str(package / "build" / "start-server.js")]
    version = json.loads((package / "package.json").read_text())["version"]
    tree = _spawn(
        setting,
        "portkey",
        [*command, f"--port={port}", "--headless"],
        {"NODE_ENV": "production"},
    )
    return Running(
        "portkey",
        port,
        tree,
        version,
        headers=[
            "x-portkey-provider: openai",
            f"x-portkey-custom-host: http://127.0.0.1:{setting.upstream_port}/v1",
        ],
    )


def _portkey_package(folder: Path, npm: str) -> Path:
    """The folder of the installed gateway; installed when it or its pins are missing."""
    package = folder / "node_modules" / "@portkey-ai" / "gateway"
    mark = folder / "bench-installed.json"
    wanted = json.dumps(
        {
            "private": True,
            "dependencies": {"@portkey-ai/gateway": PORTKEY_VERSION},
            # With newer versions of this dependency streamed answers fail ("TypeError: immutable",
            # https://github.com/Portkey-AI/gateway/issues/1389).
            "overrides": {"@hono/node-server": "1.13.7"},
        }
    )
    if not mark.exists() or mark.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(wanted)
        _run([npm, "install", "--no-fund", "--no-audit"], folder)
        mark.write_text(wanted)
    return package


def _start_litellm(setting: Setting) -> Running:
    python = peers_python(setting.work)
    version = _package_version(python, "litellm")
    port = free_port()
    config = setting.run / "litellm.yaml"
    config.write_text(f"""model_list:
  - model_name: {MODEL}
    litellm_params:
      model: openai/{MODEL}
      api_base: http://127.0.0.1:{setting.upstream_port}/v1
      api_key: x
litellm_settings:
  num_retries: 0
  telemetry: false
  set_verbose: false
general_settings:
  master_key: {KEY}
""")
    tree = _spawn(
        setting,
        "litellm",
        [
            *(str(python.with_name("litellm")), "--config", str(config), "--host", "127.0.0.1"),
            *("--port", str(port), "--num_workers", "1"),
        ],
        # Its price list is packaged; fetching a newer one is no part of a loopback benchmark.
        {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_LOG": "ERROR",
            "LITELLM_MODE": "PRODUCTION",
        },
    )
    return Running("litellm", port, tree, version)


def _start_aiohttp(setting: Setting) -> Running:
    python = peers_python(setting.work)
    version = _package_version(python, "aiohttp")
    port = free_port()
    upstream = f"http://127.0.0.1:{setting.upstream_port}"
    command = [str(python), str(BENCH / "aiohttp_proxy.py"), str(port), upstream, KEY]
    tree = _spawn(setting, "aiohttp", command)
    return Running("aiohttp", port, tree, version)


def seekroute_config(setting: Setting, *, ledger: bool = False) -> Path:
    """Write the configuration with one provider, the mock upstream, and return its path."""
    config = setting.run / f"seekroute{'-ledger' if ledger else ''}.yaml"
    config.write_text(f"""credits:
  enabled: {str(ledger).lower()}
providers:
  bench:
    base_url: http://127.0.0.1:{setting.upstream_port}/v1
    allow_http: true
    allow_private: true
    api_key: x
models:
  - id: bench/{MODEL}
    context: 1000000
    endpoints:
      - provider: bench
        model: {MODEL}
        price: {{input: "0.50", output: "1.50"}}
""")
    return config


def _start_seekroute(setting: Setting) -> Running:
    return _start_ours(setting, "seekroute", ledger=False)


def _start_seekroute_ledger(setting: Setting) -> Running:
    return _start_ours(setting, "seekroute-ledger", ledger=True)


def _start_ours(setting: Setting, name: str, *, ledger: bool) -> Running:
    program = Path(sys.executable).with_name("seekroute")
    if not program.exists():
        raise UnavailableError(f"{program} is not there; is the package installed?")
    config = seekroute_config(setting, ledger=ledger)
    data = data_folder(setting, name)
    command = [str(program), "--config", str(config), "--data-dir", str(data)]
    version = _run([str(program), "--version"]).split(maxsplit=1)[-1].strip()
    port = free_port()
    # No line for each request, like the others.
    serve = ["serve", "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
    tree = _spawn(setting, name, [*command, *serve])
    try:
        _await_file(data / "first-key")  # the last thing that a first start makes
        _run([*command, "orgs", "create", "bench", "--json"])
        made = _run([*command, "keys", "create", "--org", "bench", "--json"])
        if ledger:
            _run([*command, "credits", "add", "bench", str(CREDIT_NANO // 10**9)])
            version += f" (ledger on {file_system_of(data)})"
    except BaseException:
        tree.stop()
        raise
    return Running(name, port, tree, version, model=f"bench/{MODEL}", key=json.loads(made)["key"])


def data_folder(setting: Setting, name: str) -> Path:
    """The data directory of one of our contenders."""
    return setting.run / f"{name}-data"


def _await_file(path: Path) -> None:
    until = time.monotonic() + 30
    while not path.exists():
        if time.monotonic() > until:
            raise UnavailableError(f"it did not write {path.name}")
        time.sleep(0.05)


def file_system_of(path: Path) -> str:
    """The kind of file system that `path` is on; on tmpfs nothing is durable."""
    return _run(["stat", "--file-system", "--format=%T", str(path)]).strip()


STARTERS: dict[str, Callable[[Setting], Running]] = {
    "direct": _start_direct,
    "nginx": _start_nginx,
    "portkey": _start_portkey,
    "litellm": _start_litellm,
    "aiohttp": _start_aiohttp,
    "seekroute": _start_seekroute,
    "seekroute-ledger": _start_seekroute_ledger,
}


def _spawn(
    setting: Setting, name: str, command: list[str], env: dict[str, str] | None = None
) -> ProcessTree:
    log = setting.run / "logs" / f"{name}.log"
    return ProcessTree(command, core=setting.core, log=log, env=env)


def _run(command: list[str], folder: Path | None = None) -> str:
    """Run an installation or set-up step and return its output."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=True, timeout=_INSTALL_SECONDS
    )
    return done.stdout


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = (error.stderr or error.stdout or "").strip().splitlines()
        return f"{Path(error.cmd[0]).name}: {lines[-1][:200] if lines else 'no output'}"
    return str(error)[:200]


def _package_version(python: Path, package: str) -> str:
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return _run([str(python), "-c", code]).strip()


def _await_answer(running: Running) -> None:
    """Ask for a completion until one comes, so that no round measures a start."""
    body = json.dumps({"model": running.model, "messages": [{"role": "user", "content": "hi"}]})
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {running.key}"}
    headers |= dict(header.split(": ", 1) for header in running.headers)
    deadline = time.monotonic() + _START_SECONDS
    last = "no answer"
    while time.monotonic() < deadline:
        if running.tree is not None and running.tree.process.poll() is not None:
            raise UnavailableError(f"ended at start: {running.tree.last_words()}")
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
        try:
            connection.request("POST", running.path, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
            if answer.status == 200:
                return
            last = f"status {answer.status}: {text[:160]}"
        except OSError as error:
            last = str(error)
        finally:
            connection.close()
        time.sleep(0.2)
    raise UnavailableError(f"not ready after {_START_SECONDS} s: {last}")
