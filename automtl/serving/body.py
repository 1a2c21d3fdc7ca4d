"""The body of a request, read as long as it may be."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from starlette.requests import Request

from automtl.serving.problems import RequestError

__all__ = ["JSON_TYPE", "read_body"]

JSON_TYPE = "application/json"


async def read_body(request: Request, *, max_bytes: int, within_s: float) -> bytes:
    """All of it. RequestError for another type, for more than `max_bytes` (as it says before, or
    as it turns out while it comes), and for one that takes longer than `within_s`.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON_TYPE:
        told = f"content-type {kind[:60]!r}" if kind else "no content-type"
        raise RequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"{told}; send JSON, as {JSON_TYPE}")
    if (packed := request.headers.get("content-encoding", "identity")) != "identity":
        raise RequestError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"content-encoding {packed[:60]!r}; send it as it is",
        )
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length[:20]) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(within_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise _too_large(max_bytes)
    except TimeoutError:
        raise RequestError(
            HTTPStatus.REQUEST_TIMEOUT, f"the body took longer than {within_s:g} s"
        ) from None
    return bytes(body)


def _too_large(max_bytes: int) -> RequestError:
    return RequestError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body has more than {max_bytes:,} bytes (--max-body-mb); send several",
    )
