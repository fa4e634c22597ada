"""The picture that the mock provider makes is one that a page can show."""

from __future__ import annotations

import base64
import struct
import zlib

import httpx2

import seekroute
from seekroute.testing import MockProvider


def decoded(data: bytes) -> tuple[int, int, bytes]:
    """Width, height and rows of an RGB PNG."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    assert (depth, kind) == (8, 2)
    at, packed = 8, b""
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0] == zlib.crc32(
            name + body
        )
        packed += body if name == b"IDAT" else b""
        at += 12 + size
    return width, height, zlib.decompress(packed)


def test_the_picture_is_a_data_url_of_a_real_png() -> None:
    with seekroute.Client(mock="on") as client:
        images = client.images.generate(model="bytedance/seedream-4.5", prompt="A lighthouse")
        width, height, rows = decoded(base64.b64decode(images.data[0].b64_json))
        assert len(rows) == height * (1 + 3 * width)
        assert width >= 100
        assert height >= 60
        assert len(set(rows)) > 20
        assert len(images.data[0].b64_json) < 20_000
        shown = images._repr_mimebundle_()["text/html"]
        assert 'src="data:image/png;base64,' in shown
        answer = client.ask("A lighthouse", "bytedance/seedream-4.5")
        assert answer.images[0].startswith("data:image/png;base64,")


def test_both_forms_of_the_mock_s_own_answer_are_that_picture() -> None:
    with MockProvider() as mock:
        url = f"{mock.base_url}/images/generations"
        asked = {"model": "mock-image", "prompt": "x"}
        linked = httpx2.post(url, json=asked).json()["data"][0]["url"]
        inline = httpx2.post(url, json={**asked, "response_format": "b64_json"}).json()["data"][0]
    assert linked == "data:image/png;base64," + inline["b64_json"]
