"""What the gateway does not act on reaches the provider byte for byte."""

from __future__ import annotations

import json
import random

import pytest

from serving import MODEL, Answer, RunningServer

JSON_HEADERS = {"Content-Type": "application/json"}


def send(gateway: RunningServer, body: bytes) -> Answer:
    return gateway.request("POST", "/v1/chat/completions", body, JSON_HEADERS)


def received(gateway: RunningServer, body: bytes) -> bytes:
    """The body that the provider got for this one; the request has to succeed."""
    answer = send(gateway, body)
    assert answer.status == 200, answer.body
    return gateway.mock.requests[-1].body


MESSAGES = b'"messages":[{"role":"user","content":"Hi"}]'
# What follows the model and the messages, or stands around them.
SAME = {
    "unknown fields": b'{"model":"%s",%s,"x_new":{"a":[1,{"b":null}]},"mine":{"order":["a"]}}',
    "order": b'{"zeta":1,"model":"%s","alpha":2,%s,"beta":3}',
    "numbers": (
        b'{"model":"%s",%s,"temperature":1.0,"top_p":1e0,'
        b'"x":[-0,-0.0,1E+2,0.10,123456789012345678901234567890,1e-400]}'
    ),
    "escapes": (
        b'{"model":"%s",%s,"user":"\\u0041\\/\\u00e9\\"\\\\",'
        b'"x":"\\uD83D\\uDE00\\u0000\\b\\f\\n\\r\\t\\u2028"}'
    ),
    "raw unicode": (
        b'{"model":"%s",%s,"user":"\xc3\xa9\xe4\xb8\x96\xf0\x9f\x8c\x8d",'
        b'"\xd0\xba":"\xe2\x80\xa8\xe2\x80\xa9\xef\xbb\xbf\xe2\x80\xae"}'
    ),
    "white space": b' \t\r\n{ "model" :\t"%s" ,\n\n %s\r\n, "x" : [ ] , "y":{ } }\n\n ',
    "empty names": b'{"model":"%s",%s,"":{"":""}}',
    "tools": (
        b'{"model":"%s",%s,"tools":[{"type":"function","function":{"name":"f","parameters":'
        b'{"type":"object","properties":{"model":{"type":"string"},'
        b'"stream_options":{"enum":[1.50]}}}}}]}'
    ),
    "nested model": b'{"model":"%s",%s,"metadata":{"model":"other","messages":"x"}}',
}


@pytest.mark.parametrize("name", SAME)
def test_everything_but_the_model_stays(gateway: RunningServer, name: str) -> None:
    template = SAME[name].replace(b"%s", b"%(model)s", 1).replace(b"%s", MESSAGES)
    # The bare id is replaced by the provider's name of the model; nothing else changes.
    body = template.replace(b"%(model)s", b"gpt-4o-mini")
    expected = template.replace(b"%(model)s", MODEL.encode())
    assert received(gateway, body) == expected


# Names that a provider which is a router itself would take for its own.
ELSEWHERE = {
    "models": b'["gpt-4o-mini"]',
    "route": b'"fallback"',
    "provider": b'{"order":["openai"],"max_price":{"prompt":150.0}}',
    "plugins": b'[{"id":"web"}]',
    "fallbacks": b"null",
    "extra_body": b'{"model":"a/b"}',
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_would_choose_elsewhere_is_cut_out(gateway: RunningServer, name: str) -> None:
    member = b'"%s" : %s' % (name.encode(), ELSEWHERE[name])
    for template in (b'{%s,"model":"?",!}', b'{"model":"?", %s ,!}', b'{"model":"?",!,%s}'):
        left = template.replace(b"%s,", b"").replace(b"%s ,", b"").replace(b",%s", b"")
        left = left.replace(b"!", MESSAGES).replace(b"?", MODEL.encode())
        body = template.replace(b"!", MESSAGES).replace(b"?", b"gpt-4o-mini") % member
        assert received(gateway, body) == left


# Requests for a stream; {} stands where stream_options is, or may be put.
STREAMS = {
    "none": b'{"model":"%s",%s,"stream":true,"x":1.50}',
    "spaced": b'{ "stream" : true , "model" : "%s" , %s , "x" : 1.0 }',
    "false": b'{"model":"%s","stream":true,"stream_options":{"include_usage":false},%s}',
    "true": b'{"model":"%s","stream":true,"stream_options": {"include_usage": true },%s}',
    "other": b'{"model":"%s","stream":true,"stream_options":{"x":1.50},%s}',
    "empty": b'{"model":"%s","stream":true,"stream_options":{ },%s}',
    "null": b'{"model":"%s","stream":true,"stream_options":null,%s}',
}


@pytest.mark.parametrize("name", STREAMS)
def test_only_stream_options_is_added(gateway: RunningServer, name: str) -> None:
    head, tail = STREAMS[name].split(b"%s", 1)
    body = head + b"gpt-4o-mini" + tail.replace(b"%s", MESSAGES)
    same = head + MODEL.encode() + tail.replace(b"%s", MESSAGES)
    got = received(gateway, body)
    assert json.loads(got)["stream_options"]["include_usage"] is True
    if name == "false":
        assert got == same.replace(b"false", b"true")
    elif name == "true":
        assert got == same
    elif name == "null":
        assert got == same.replace(b"null", b'{"include_usage":true}')
    else:
        # Taken out again, what was added leaves the bytes as they were.
        assert without_addition(got, b'"stream_options":{"include_usage":true}') == same or (
            without_addition(got, b'"include_usage":true') == same
        )


def without_addition(body: bytes, added: bytes) -> bytes:
    """The body without a member and the comma that came with it."""
    for member in (added + b",", b"," + added, added):
        if member in body:
            return body.replace(member, b"", 1)
    return body


def test_escaped_model_name_is_understood(gateway: RunningServer) -> None:
    body = b'{"\\u006dodel":"gpt\\u002d4o-mini",' + MESSAGES + b"}"
    assert json.loads(received(gateway, body))["model"] == MODEL


def test_lone_surrogates_stay_the_escapes_they_were(gateway: RunningServer) -> None:
    content = b'"\\ud800 \\udc00\\ud800 \\uDfFf"'
    body = b'{"model":%s,"messages":[{"role":"user","content":%s}]}' % (
        json.dumps(MODEL).encode(),
        content,
    )
    assert received(gateway, body) == body


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"gpt\\ud800",%s}',
        b'{"model":"gpt-4o-mini","user":"\\ud800",%s}',
        b'{"model":"gpt-4o-mini","x\\udfff":1,%s}',
    ],
)
def test_lone_surrogates_are_refused_in_names(gateway: RunningServer, body: bytes) -> None:
    answer = send(gateway, body.replace(b"%s", MESSAGES))
    assert (answer.status, answer.code) == (400, "invalid_unicode")
    assert gateway.mock.requests == []


# Strings of the kinds that break programs: markup, queries, formats, control, direction, width.
AWKWARD = [
    "",
    "null",
    "undefined",
    "NaN",
    "-1",
    "1e309",
    "0x0",
    "''",
    "<script>alert(1)</script>",
    "'; DROP TABLE api_keys; --",
    "%s%n%x {0} ${jndi:ldap://127.0.0.1/a}",
    "../../../../etc/passwd\x00.png",
    "\r\nSet-Cookie: a=b\r\n\r\n",
    "data: [DONE]\n\n",
    '{"choices":[]}',
    "\u0001\u0002\u0007\u001b[31m\u007f",
    "\u200b\u200e\u202e\u2066 \ufeff \ufffe \uffff",
    "Ω≈ç√∫µ≤≥÷ 田中さんにあげて下さい الكل في المجمو עברית",
    "Z̮̞̠͙͔ͅḀ̗̞͈̻̗Ḷ͙͎̯̹̞͓G̻O̭̗̮",
    "👨‍👩‍👧‍👦 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🇺🇳",
    "\U0001d57f\U0001d58d\U0001d58a ﷽ ﬃ ⁰⁴⁵",
    '\\\\\\" \\u0000 \\x',
    "a" * 10_000,
]


@pytest.mark.parametrize("escaped", [True, False])
def test_awkward_strings_there_and_back(gateway: RunningServer, escaped: bool) -> None:
    for text in AWKWARD:
        fields = {
            "model": MODEL,
            "messages": [{"role": "user", "content": text}],
            "user": text[:500],
            "metadata": {text[:60]: text[:500]},
        }
        body = json.dumps(fields, ensure_ascii=escaped).encode()
        answer = send(gateway, body)
        assert answer.status == 200, text
        assert gateway.mock.requests[-1].body == body
        content = answer.json()["choices"][0]["message"]["content"]
        assert content == f"Hello! You said: {text}"[:200]


def test_a_megabyte_arrives(gateway: RunningServer) -> None:
    rng = random.Random(4)
    pieces = ["ü", "\\u00fc", "\\n", "世", '\\"', "x", " ", "1.0", "{", "]", "🌍", "\\ud83c\\udf0d"]
    content = "".join(rng.choices(pieces, k=400_000))
    body = f'{{"model":"{MODEL}","messages":[{{"role":"user","content":"{content}"}}]}}'.encode()
    assert len(body) > 1_000_000
    assert received(gateway, body) == body


def test_unknown_fields_of_an_answer_stay(gateway: RunningServer) -> None:
    from seekroute.testing import Status

    upstream = (
        '{"id":"u1","choices":[ {"index":0,"message":{"role":"assistant","content":"\\u00e9",'
        '"x_own":[1.0,1e0]},"finish_reason":"stop","logprobs":null}],"model":"u","x_new":{"a":1.50},'
        '"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3},"object":"o"}'
    )
    gateway.mock.queue(Status(200, body=upstream, headers={"content-type": "application/json"}))
    body = gateway.chat().body
    for part in (b'"content":"\\u00e9"', b'"x_own":[1.0,1e0]', b'"x_new":{"a":1.50}'):
        assert part in body
    answer = json.loads(body)
    assert answer["id"].startswith("gen-")
    assert answer["object"] == "chat.completion"
    assert isinstance(answer["created"], int)
