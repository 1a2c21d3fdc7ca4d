"""The three addresses of a service, as an ASGI application. Every answer is JSON, errors too."""

from __future__ import annotations

import hashlib
import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from automtl import __version__
from automtl.export.bundle import Bundle
from automtl.export.manifest import MANIFEST_FILE
from automtl.serving.body import JSON_TYPE, read_body
from automtl.serving.problems import RequestError
from automtl.serving.rows import RowReader
from automtl.serving.schema import error_schema, openapi, request_schema, response_schema
from automtl.serving.scorer import Scorer

__all__ = ["Limits", "make_app"]

BODY_WITHIN_S = 30.0
AGAIN_S = "1"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may hold, and how many may be in work."""

    max_rows: int = 10_000
    max_body_bytes: int = 8 * 2**20
    threads: int = 1
    queue: int = 64
    missing_ok: bool = False


def make_app(bundle: Bundle, *, limits: Limits) -> Starlette:
    """`POST /score`, `GET /health`, `GET /schema`, and `GET /openapi.json` that describes them."""
    reader = RowReader(
        bundle.manifest.inputs, max_rows=limits.max_rows, missing_ok=limits.missing_ok
    )
    scorer = Scorer(bundle, reader, threads=limits.threads, queue=limits.queue)
    schemas = {
        "request": request_schema(
            bundle.manifest, max_rows=limits.max_rows, missing_ok=limits.missing_ok
        ),
        "response": response_schema(bundle.manifest),
        "error": error_schema(),
    }

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        scorer.close()

    async def score(request: Request) -> Response:
        try:
            with scorer.admitted():
                body = await read_body(
                    request, max_bytes=limits.max_body_bytes, within_s=BODY_WITHIN_S
                )
                answer = await scorer.answer(body)
        except RequestError as error:
            return _refusal(error)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody reads it
        except Exception as error:
            return _failed(error)
        return Response(answer, media_type=JSON_TYPE)

    described = openapi(schemas, title=f"Scores of {bundle.directory.name}", version=__version__)
    app = Starlette(
        routes=[
            Route("/score", score, methods=["POST"]),
            _constant("/health", _health(bundle)),
            _constant("/schema", schemas),
            _constant("/openapi.json", described),
        ],
        exception_handlers={HTTPException: _elsewhere},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def _constant(path: str, document: dict[str, Any]) -> Route:
    async def answer(request: Request) -> JSONResponse:
        return JSONResponse(document)

    return Route(path, answer, methods=["GET"])


def _health(bundle: Bundle) -> dict[str, Any]:
    """The checksum is that of the manifest, which holds those of all other files."""
    content = (bundle.directory / MANIFEST_FILE).read_bytes()
    return {
        "status": "ok",
        "bundle": bundle.directory.name,
        "checksum": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "engine": bundle.engine.name,
        "version": __version__,
    }


def _refusal(error: RequestError) -> Response:
    headers = {}
    if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = AGAIN_S
    return Response(error.body(), error.status, headers=headers, media_type=JSON_TYPE)


def _failed(error: Exception) -> Response:
    """Our mistake: what and where to the log, without values; to the client neither."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    log.error(
        "%s in %s:%s; the request is not logged", type(error).__name__, last.filename, last.lineno
    )
    told = RequestError(
        HTTPStatus.INTERNAL_SERVER_ERROR, "this should not happen; the service's log has the place"
    )
    return _refusal(told)


async def _elsewhere(request: Request, error: Exception) -> Response:
    """Another address or method."""
    assert isinstance(error, HTTPException)
    there = "there are POST /score, GET /health and GET /schema"
    told = RequestError(HTTPStatus(error.status_code), f"{error.detail}; {there}")
    return Response(told.body(), told.status, headers=error.headers, media_type=JSON_TYPE)
