"""A bare proxy on aiohttp: about the least a gateway written in Python alone can cost.

It checks the key, parses the body, and forwards it over a keep-alive connection. Usage:
`python aiohttp_proxy.py PORT UPSTREAM_URL KEY`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator

import aiohttp
import uvloop
from aiohttp import web

UPSTREAM = web.AppKey("UPSTREAM", aiohttp.ClientSession)


def make_app(upstream_url: str, key: str) -> web.Application:
    """The application that forwards chat completions to `upstream_url`."""

    async def chat(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {key}":
            return web.json_response({"error": {"message": "wrong key"}}, status=401)
        body = await request.read()
        streamed = bool(json.loads(body).get("stream"))
        upstream = request.app[UPSTREAM]
        async with upstream.post(
            f"{upstream_url}/v1/chat/completions",
            data=body,
            headers={"Content-Type": "application/json", "Authorization": "Bearer x"},
        ) as answer:
            if not streamed:
                text = await answer.read()
                json.loads(text)["usage"]
                return web.Response(
                    body=text, status=answer.status, content_type="application/json"
                )
            response = web.StreamResponse(
                status=answer.status, headers={"Content-Type": "text/event-stream"}
            )
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            await response.write_eof()
            return response

    async def session(app: web.Application) -> AsyncIterator[None]:
        # limit=0: one upstream connection per open stream, as every contender has.
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
            app[UPSTREAM] = client
            yield

    app = web.Application(client_max_size=32 * 1024 * 1024)
    app.cleanup_ctx.append(session)
    app.router.add_post("/v1/chat/completions", chat)
    return app


if __name__ == "__main__":
    uvloop.install()
    web.run_app(
        make_app(sys.argv[2], sys.argv[3]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        access_log=None,
        print=None,
    )
