"""Building from source where something is missing: every package is named, at once."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from checkout import ROOT

CMAKE = shutil.which("cmake")
DISTRIBUTIONS = ("Debian", "Fedora", "Alpine", "macOS")

pytestmark = pytest.mark.skipif(CMAKE is None, reason="cmake is not installed")


def configure(folder: Path, *definitions: str, **environment: str) -> str:
    """Configures a build that must fail, and returns what CMake says, its line breaks undone."""
    done = subprocess.run(
        [str(CMAKE), "-S", str(ROOT), "-B", str(folder / "build"), *definitions],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    return done.stderr


def test_libraries_that_are_missing_are_named_together(tmp_path: Path) -> None:
    said = configure(
        tmp_path,
        "-DCMAKE_DISABLE_FIND_PACKAGE_CURL=ON",
        "-DCMAKE_DISABLE_FIND_PACKAGE_SQLite3=ON",
        "-DRAPIDJSON_INCLUDE_DIR=RAPIDJSON_INCLUDE_DIR-NOTFOUND",
        "-DCMAKE_FIND_ROOT_PATH=/nonexistent",
        "-DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY",
        "-DCMAKE_FIND_ROOT_PATH_MODE_LIBRARY=ONLY",
    )
    for line in ("libcurl 7.87 or later", "SQLite 3.40 or later", "RapidJSON"):
        assert re.search(rf"^ +{re.escape(line)}$", said, re.MULTILINE), said
    for package in ("libcurl4-openssl-dev", "libcurl-devel", "curl-dev"):
        assert package in said
    for distribution in DISTRIBUTIONS:
        assert distribution in said


def test_an_old_library_is_named_with_its_version(tmp_path: Path) -> None:
    old = tmp_path / "old"
    (old / "include/openssl").mkdir(parents=True)
    (old / "include/openssl/ssl.h").touch()
    (old / "include/openssl/opensslv.h").write_text(
        '#define OPENSSL_VERSION_NUMBER 0x1010117fL\n#define OPENSSL_VERSION_TEXT "1.1.1"\n'
    )
    said = configure(tmp_path, f"-DOPENSSL_ROOT_DIR={old}", f"-DOPENSSL_INCLUDE_DIR={old}/include")
    assert "OpenSSL 3.0 or later (found 1.1.1w, which is too old)" in said
    assert "libcurl 7.87" not in said


def test_a_compiler_that_is_missing_is_named(tmp_path: Path) -> None:
    said = configure(
        tmp_path, PATH=f"{Path(str(CMAKE)).parent}:/nonexistent", CXX="no-such-compiler"
    )
    assert "needs a C++20 compiler" in said
    for package in ("apt-get install g++", "dnf install gcc-c++", "apk add g++"):
        assert package in said
