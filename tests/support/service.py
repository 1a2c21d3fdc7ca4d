"""Asks an ASGI application as a client over a socket would."""

import asyncio
import json

import httpx

__all__ = ["Service", "asking"]


def asking(app):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://service")


class Service:
    """One request after the other; every answer must be JSON."""

    def __init__(self, app):
        self.app = app

    def __call__(self, method, path, **options):
        async def asked():
            async with asking(self.app) as client:
                return await client.request(method, path, **options)

        answer = asyncio.run(asked())
        assert answer.headers["content-type"] == "application/json"
        return answer

    def score(self, body, *, kind="application/json"):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self("POST", "/score", content=content, headers={"content-type": kind})
