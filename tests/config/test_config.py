"""Settings: sources and their precedence, interpolation, problems all at once, no secrets shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from checkout import ROOT
from seekroute.config import (
    Settings,
    config_schema,
    load_settings,
)
from seekroute.config.reference import with_tables
from seekroute.errors import ConfigError, Problem, SeekrouteError

DOCS = ROOT / "docs"
SECRET = "sk-live-THIS-IS-SECRET-0123456789"


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No seekroute.yaml of the developer's is picked up."""
    monkeypatch.chdir(tmp_path)


def write(text: str, name: str = "seekroute.yaml") -> Path:
    file = Path(name)
    file.write_text(text, encoding="utf-8")
    return file


def refused(text: str, name: str = "seekroute.yaml", **env: str) -> dict[str, Problem]:
    """The problems of a file by path."""
    with pytest.raises(ConfigError) as caught:
        load_settings(write(text, name), environ=env)
    assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
    return {problem.path: problem for problem in caught.value.problems}


# --- sources ----------------------------------------------------------------------------------


def test_defaults_need_no_file() -> None:
    settings = load_settings(environ={})
    assert settings.model_dump() == Settings().model_dump()
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8000)
    assert settings.server.shutdown_seconds == 30
    assert settings.data_dir == "seekroute-data"
    assert settings.profile == "seekroute"
    assert settings.require_key is True
    assert settings.origin("server.port") == "default"


def test_command_line_beats_environment_beats_file_beats_default() -> None:
    file = write("server: {port: 1, host: file, log_level: debug}\n")
    env = {"SEEKROUTE_SERVER__PORT": "2", "SEEKROUTE_SERVER__HOST": "env"}
    settings = load_settings(file, overrides={"server.port": 3}, environ=env)
    server = settings.server
    assert (server.port, server.host, server.log_level) == (3, "env", "debug")
    assert server.log_format == "pretty"
    origins = [settings.origin(f"server.{k}") for k in ("port", "host", "log_level", "log_format")]
    assert origins == ["cli", "env", "file", "default"]
    assert settings.origin("server") == "cli"
    assert settings.origin_detail("server.host") == "SEEKROUTE_SERVER__HOST"
    assert settings.origin_detail("server.log_level") == "seekroute.yaml:1:31"


def test_overrides_that_are_none_are_not_given() -> None:
    settings = load_settings(overrides={"server.port": None, "profile": None}, environ={})
    assert settings.server.port == 8000
    assert settings.origin("profile") == "default"


@pytest.mark.parametrize("how", ["argument", "variable", "working directory"])
def test_the_file_is_found(how: str) -> None:
    file = write("server: {port: 7}", "seekroute.yaml" if how == "working directory" else "a.yml")
    env = {"SEEKROUTE_CONFIG": str(file)} if how == "variable" else {}
    settings = load_settings(file if how == "argument" else None, environ=env)
    assert settings.server.port == 7


def test_the_argument_beats_the_variable() -> None:
    env = {"SEEKROUTE_CONFIG": str(write("server: {port: 1}", "one.yaml"))}
    assert load_settings(write("server: {port: 2}", "two.yaml"), environ=env).server.port == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.yaml", "server:\n  port: 9\nprofiles: [router9]\n"),
        ("c.json", '{"server": {"port": 9}, "profiles": ["router9"]}'),
        ("c.toml", 'profiles = ["router9"]\n[server]\nport = 9\n'),
    ],
)
def test_formats_by_suffix(name: str, text: str) -> None:
    settings = load_settings(write(text, name), environ={})
    assert (settings.server.port, settings.profiles) == (9, ("router9",))


def test_environment_short_forms_lists_and_json() -> None:
    env = {
        "SEEKROUTE_PORT": "1234",
        "SEEKROUTE_LOG_LEVEL": "WARNING",
        "SEEKROUTE_PROFILES": "seekroute, router9",
        "SEEKROUTE_PROVIDERS__OPENAI__BASE_URL": "https://proxy.example.com/v1/",
        "SEEKROUTE_PROVIDERS__GROQ": '{"enabled": false}',
        "SEEKROUTE_REQUIRE_KEY": "false",
        "SEEKROUTE_ADMIN_KEY": "read elsewhere",
        "SEEKROUTE_SOMETHING_FOREIGN": "not ours",
        "SEEKROUTE_HOST": "",
    }
    settings = load_settings(environ=env)
    assert settings.server.port == 1234
    assert settings.server.log_level == "warning"
    assert settings.profiles == ("seekroute", "router9")
    assert settings.providers["openai"].base_url == "https://proxy.example.com/v1"
    assert settings.providers["groq"].enabled is False
    assert settings.require_key is False
    assert settings.origin("providers.groq.enabled") == "env"


def test_mappings_merge_and_lists_replace() -> None:
    file = write("providers: {openai: {enabled: true, api_key: k1}}\nprofiles: [router9, reseller]")
    env = {"SEEKROUTE_PROVIDERS__OPENAI__API_KEY": "k2", "SEEKROUTE_PROFILES": "solrouter"}
    settings = load_settings(file, environ=env)
    key = settings.providers["openai"].api_key
    assert key is not None
    assert (settings.providers["openai"].enabled, key.get_secret_value()) == (True, "k2")
    assert settings.profiles == ("solrouter",)


def test_a_key_left_empty_is_not_given() -> None:
    settings = load_settings(write("server:\nlimits:\n  # all commented out\n"), environ={})
    assert settings.model_dump() == Settings().model_dump()


@pytest.mark.parametrize(("word", "mode"), [("on", "on"), ("off", "off"), ("auto", "auto")])
def test_yaml_booleans_of_mock(word: str, mode: str) -> None:
    assert load_settings(write(f"mock: {word}"), environ={}).mock == mode


# --- interpolation ----------------------------------------------------------------------------


def test_interpolation() -> None:
    file = write(
        "server: {port: '${PORT}', host: '${HOST:-::1}'}\n"
        "data_dir: ${BASE}/data$$x\nprofile: ${EMPTY:-router9}\n"
    )
    env = {"PORT": "99", "BASE": "/srv", "EMPTY": ""}
    settings = load_settings(file, environ=env)
    assert (settings.server.port, settings.server.host) == (99, "::1")
    assert settings.data_dir == "/srv/data$x"
    assert settings.profile == "router9"


def test_interpolated_values_are_not_interpolated_again() -> None:
    settings = load_settings(write("data_dir: ${A}"), environ={"A": "${B}", "B": "no"})
    assert settings.data_dir == "${B}"


def test_unset_variables_are_problems_with_path_and_line() -> None:
    problems = refused("server:\n  port: ${NOPE}\ndata_dir: ${ALSO} and ${bad name}\n")
    assert problems["server.port"].where == "seekroute.yaml:2:3"
    assert problems["server.port"].message == "environment variable NOPE is not set"
    assert "${NOPE:-default}" in problems["server.port"].hint
    assert set(problems) == {"server.port", "data_dir"}


# --- wrong files ------------------------------------------------------------------------------


def test_every_kind_of_problem_at_once() -> None:
    problems = refused(
        """
server: {prot: 80, port: 70000, log_level: loud}
profil: x
profile: sekrouter
profiles: [router9, "./missing.yaml"]
providers:
  openai: {base_url: "https://user:pw@host/v1"}
  foo: {enabled: true}
  groq: {enabled: true}
  local: {base_url: "http://127.0.0.1/v1"}
  mistral: {apikey: x, ca_file: /nowhere.pem}
mock: sometimes
limits: {max_active: ten}
timeouts: [1]
models:
  - {id: nonsense, endpoints: []}
  - {id: a/b, context: 1, endpoints: [{provider: opena, model: m, price: {output: "-1"}}]}
default_model: gpt-4o-mini2
""",
        SEEKROUTE_SERVER__HOTS="x",
        SEEKROUTE_PROFLE="x",
    )
    expected = {
        "server.prot": "unknown key",
        "server.port": "expected at most 65535, found 70000",
        "server.log_level": "found 'loud'",
        "server.hots": "unknown key",
        "profle": "unknown variable",
        "profil": "unknown key",
        "profile": "no packaged profile of this name",
        "profiles.1": "cannot read the file",
        "providers.openai.base_url": "must not hold a user name or password",
        "providers.foo": "needs a base_url",
        "providers.groq.enabled": "no key was found",
        "providers.local.base_url": "expected an https URL",
        "providers.mistral.apikey": "unknown key",
        "providers.mistral.ca_file": "no such file",
        "mock": "expected 'auto', 'on', 'beside' or 'off', found 'sometimes'",
        "limits.max_active": "expected an integer, found 'ten'",
        "timeouts": "expected a mapping, found a list",
        "models.0.id": "expected author/slug",
        "models.0.context": "required",
        "models.0.endpoints": "at least one endpoint",
        "models.1.endpoints.0.provider": "no provider of this name",
        "models.1.endpoints.0.price.input": "required",
        "models.1.endpoints.0.price.output": "0 or more",
        "default_model": "no model of this name",
    }
    assert set(problems) == set(expected)
    for path, words in expected.items():
        assert words in problems[path].message, path
        assert problems[path].where, path
    hints = {
        "server.prot": "port",
        "server.hots": "host",
        "profle": "SEEKROUTE_PROFILE",
        "profil": "profile",
        "profile": "seekrouter",
        "providers.mistral.apikey": "api_key",
        "providers.groq.enabled": "GROQ_API_KEY",
        "models.1.endpoints.0.provider": "openai",
        "default_model": "gpt-4o-mini",
    }
    for path, words in hints.items():
        assert words in problems[path].hint, path


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("server: {host: '', port: -1, shutdown_seconds: x}", "server.host server.port "
         "server.shutdown_seconds"),
        ("timeouts: {connect_timeout_ms: 0, idle_timeout_ms: 1.5, ttl: 1}",
         "timeouts.connect_timeout_ms timeouts.idle_timeout_ms timeouts.ttl"),
        ("limits: {window_bytes: 1, max_body_bytes: 99999999999}\nengine_threads: 0",
         "limits.window_bytes limits.max_body_bytes engine_threads"),
        ("require_key: maybe\ndata_dir: ''\nprofiles: 5", "require_key data_dir profiles"),
        ("providers: {mock: {base_url: 'https://h'}, Bad_ID: {base_url: 'https://h'}}",
         "providers.mock providers.Bad_ID"),
        ("providers: {a: {base_url: h}, b: {base_url: 'ftp://h'}, c: {base_url: 'https://h/?q'},"
         " d: {base_url: 'https://h/../x'}, e: {base_url: 'https:///v1'}, f: {base_url: []}}",
         "providers.a.base_url providers.b.base_url providers.c.base_url providers.d.base_url "
         "providers.e.base_url providers.f.base_url"),
        ("providers: {openai: {headers: {Host: x}, proxy: x, api_key: ''}, groq: {headers: 1}}",
         "providers.openai.headers providers.openai.proxy providers.openai.api_key "
         "providers.groq.headers"),
        ("models: [1, {id: x/y}, {id: auto, context: 1, endpoints: [{}]}]\ndefault_model: auto",
         "models.0 models.1.context models.1.endpoints models.2.id "
         "models.2.endpoints.0.provider models.2.endpoints.0.model models.2.endpoints.0.price "
         "default_model"),
        ("mock: [on]\nserver: 5\nmodels: {}\n1: 2", "mock server models 1"),
    ],
)  # fmt: skip
def test_wrong_files_list_all_their_problems(text: str, paths: str) -> None:
    assert sorted(refused(text)) == sorted(paths.split())


def test_yes_is_no_number_of_requests() -> None:
    problems = refused(
        "limits: {gateway: {concurrent: true}, defaults: {key: {tokens_per_day: no}}}"
    )
    assert problems["limits.gateway.concurrent"].message == "expected an integer, found true"
    assert problems["limits.defaults.key.tokens_per_day"].message == (
        "expected an integer, found false"
    )


@pytest.mark.parametrize("jump", [0.5, 0.999])
def test_a_price_jump_that_would_leave_out_even_the_cheapest_is_refused(jump: float) -> None:
    problems = refused(f"routing: {{max_price_jump: {jump}}}")
    assert problems["routing.max_price_jump"].message == (
        f"expected 0 (no bound), or 1 or more times the cheapest price, found {jump}"
    )


def test_a_variable_inside_what_the_file_gives_as_a_plain_value() -> None:
    problems = refused("server: 5", SEEKROUTE_PORT="1")
    assert problems["server"].message == "expected a mapping, found an integer"


@pytest.mark.parametrize(
    ("name", "text", "where", "message"),
    [
        ("a.yaml", "server:\n\tport: 1\n", "a.yaml:2:1", "not YAML"),
        ("a.yaml", "server: {port: 1\nx", "a.yaml:", "not YAML"),
        ("a.yaml", "- 1\n", "a.yaml", "expected a mapping at the top level, found a list"),
        ("a.json", '{"server": {"port": 1,}}', "a.json:1:23", "not JSON"),
        ("a.toml", "server = \n", "a.toml", "not TOML"),
        ("a.yaml", "a: &a [*a]\n", "a.yaml", "nested"),
        ("a.yaml", "x: " + "[" * 60 + "]" * 60, "a.yaml", "nested deeper"),
        ("a.json", "[" * 100_000, "a.json", ""),
        # Each line is ten of the line before: a million values in 300 bytes.
        (
            "a.yaml",
            "a0: &a0 1\n"
            + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 7)),
            "a.yaml",
            "aliases written out",
        ),
    ],
)
def test_unreadable_files(name: str, text: str, where: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(write(text, name), environ={})
    assert caught.value.problems[0].where.startswith(where)
    assert message in caught.value.problems[0].message


def test_keys_given_twice_are_refused_all_of_them() -> None:
    problems = refused("mock: on\nserver: {port: 1, port: 2}\nmock: off\n")
    assert problems["mock"].message == "this key is given twice, first in line 1"
    assert problems["mock"].where == "seekroute.yaml:3:1"
    assert "server.port" in problems
    assert "server" in refused('{"server": {}, "mock": "on", "server": {}}', "b.json")


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"a" * (4 * 1024 * 1024 + 1)])
def test_files_that_cannot_be_read(content: bytes | None) -> None:
    file = Path("other.yaml")
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"other\.yaml"):
        load_settings(file, environ={})


def test_a_broken_file_does_not_hide_a_wrong_variable() -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(write("a: ["), environ={"SEEKROUTE_PORT": "x"})
    assert [problem.path for problem in caught.value.problems] == ["", "server.port"]


def test_errors_are_one_family() -> None:
    assert issubclass(ConfigError, SeekrouteError)
    problem = Problem("a.b", "wrong", "do this", "file:1:2")
    assert str(problem) == "file:1:2: a.b: wrong (do this)"


# --- secrets ----------------------------------------------------------------------------------


def test_settings_never_show_secrets() -> None:
    file = write(
        f"""
providers:
  openai:
    api_key: {SECRET}
    proxy: http://u:{SECRET}@proxy:1
    headers: {{X-Team: {SECRET}}}
"""
    )
    settings = load_settings(file, environ={})
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)
    assert SECRET not in settings.model_dump_json()


@pytest.mark.parametrize(
    ("url", "accepted"),
    [("http://p:3128", True), ("socks5h://u:p@p:1080", True), ("https://p", False), ("p:1", False)],
)
def test_proxies_are_those_the_transport_speaks_to(url: str, accepted: bool) -> None:
    settings = {"providers": {"openai": {"proxy": url}}}
    if accepted:
        assert Settings.model_validate(settings).providers["openai"].proxy is not None
    else:
        with pytest.raises(ValueError, match="socks5h"):
            Settings.model_validate(settings)


@pytest.mark.parametrize(
    "text",
    [
        "providers: {openai: {api_key: [%s]}}",
        "providers: {openai: {api_kye: %s}}",
        "providers: {openai: %s}",
        "providers: {openai: {headers: {Authorization: %s}}}",
        'providers: {openai: {headers: {X-A: "%s\\nb"}}}',
        "providers: {openai: {proxy: '%s'}}",
        "providers: {openai: {base_url: 'https://%s@host/'}}",
        "providers: {openai: {enabled: %s}}",
        "server: {port: %s}",
        "mock: %s",
        "profile: %s",
        "default_model: %s",
        "mock: ${SECRET}",
        "server: {port: '${PIN}'}",
        "providers: {openai: {api_key: 31337}}",
        "models: [{id: a/b, context: 1, endpoints: [{provider: %s, model: m, price: {}}]}]",
    ],
)
def test_problems_never_show_secrets(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(
            write(text.replace("%s", SECRET)), environ={"SECRET": "hunter2", "PIN": "x31337"}
        )
    shown = repr(caught.value) + "".join(repr(problem) for problem in caught.value.problems)
    for secret in (SECRET, "hunter2", "31337"):
        assert secret not in shown
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


# --- schema, documentation, import ------------------------------------------------------------


def test_schema_describes_the_files_that_are_accepted() -> None:
    schema = config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({"server": {"port": 1}, "providers": {"openai": {"enabled": True}}})
    assert not validator.is_valid({"server": {"prot": 1}})
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize("page", ["catalog.md", "configuration.md", "profiles.md"])
def test_tables_in_the_documentation_are_up_to_date(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    hint = "run: python -m seekroute.config.reference docs"
    assert with_tables(text) == text, hint


def test_importing_reads_no_data() -> None:
    code = (
        "import sys, seekroute.config as c, seekroute.config.catalog as k;"
        "sys.exit(k.packaged_catalog.cache_info().currsize)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=env, check=False).returncode == 0


def test_a_wrong_word_of_a_setting_names_the_nearest() -> None:
    problems = refused("{mock: onn, server: {log_level: warnign, log_format: sideways}}")
    assert problems["mock"].hint == "did you mean on?"
    assert problems["server.log_level"].hint == "did you mean warning?"
    assert problems["server.log_format"].hint == ""
    assert "'pretty'" in problems["server.log_format"].message


@pytest.mark.parametrize("what", ["folder", "pipe", "link to nowhere", "link to itself"])
def test_what_stands_in_the_default_files_place_is_no_missing_file(what: str) -> None:
    place = Path("seekroute.yaml")
    if what == "folder":
        place.mkdir()
    elif what == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to("nowhere" if "nowhere" in what else place)
    with pytest.raises(ConfigError) as raised:
        load_settings(environ={})
    (problem,) = raised.value.problems
    assert "seekroute.yaml" in str(problem)
    assert "cannot" in problem.message
    # Whoever names another file does not mean this one.
    assert load_settings(write("server: {port: 7}", "other.yaml"), environ={}).server.port == 7
