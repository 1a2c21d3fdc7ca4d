"""What a service takes and gives, as JSON schema: for people, clients and OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automtl.export.manifest import Manifest
from automtl.serving.body import JSON_TYPE
from automtl.serving.columns import Kind, kinds_of, takes

__all__ = ["error_schema", "openapi", "request_schema", "response_schema"]

OPENAPI = "3.1.0"  # its schemas are those of DRAFT
REFUSED = (400, 408, 413, 415, 422, 503)

DRAFT = "https://json-schema.org/draft/2020-12/schema"
ANY_OBJECT = {"type": "object"}
NAMES: dict[type, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def request_schema(manifest: Manifest, *, max_rows: int, missing_ok: bool) -> dict[str, Any]:
    """Of the body of `POST /score`: rows, or columns."""
    of_column = {name: _value(kinds) for name, kinds in kinds_of(manifest.inputs).items()}
    required = {} if missing_ok else {"required": list(of_column)}
    rows = {
        "type": "array",
        "maxItems": max_rows,
        "items": {"type": "object", "properties": of_column, **required},
    }
    columns = {
        "type": "object",
        "properties": {
            name: {"type": "array", "maxItems": max_rows, "items": value}
            for name, value in of_column.items()
        },
        **required,
    }
    return {
        "$schema": DRAFT,
        "oneOf": [_only({"rows": rows}), _only({"columns": columns})],
    }


def response_schema(manifest: Manifest) -> dict[str, Any]:
    """Of the answer: a score for each row, in the order of the request."""
    # a regression's own units may be beyond what a number can say, then it is null
    numbers = {
        one.name: {"type": ["number", "null"], "description": one.meaning}
        for one in manifest.outputs
    }
    row = {"type": "object", "properties": numbers, "required": list(numbers)}
    return {"$schema": DRAFT, **_only({"scores": {"type": "array", "items": row}})}


def error_schema() -> dict[str, Any]:
    """Of an answer with a status of 400 or more."""
    problem = {
        "type": "object",
        "properties": {
            "row": {"type": "integer", "description": "counted from 0"},
            "column": {"type": "string"},
            "value": {"type": "string"},
            "rule": {"type": "string"},
        },
        "required": ["rule"],
    }
    error = {
        "type": "object",
        "properties": {
            "message": {"type": "string"},
            "problems": {"type": "array", "items": problem},
        },
        "required": ["message"],
    }
    return {"$schema": DRAFT, **_only({"error": error})}


def openapi(schemas: Mapping[str, dict[str, Any]], *, title: str, version: str) -> dict[str, Any]:
    """The service for tools that write clients, by its schemas `request`, `response`, `error`."""

    def answer(described: str, schema: dict[str, Any]) -> dict[str, Any]:
        return {"description": described, "content": {JSON_TYPE: {"schema": schema}}}

    def constant(summary: str) -> dict[str, Any]:
        return {"get": {"summary": summary, "responses": {"200": answer(summary, ANY_OBJECT)}}}

    refused = answer("what is wrong", schemas["error"])
    score = {
        "summary": "Scores of rows",
        "operationId": "score",
        "requestBody": {
            "required": True,
            "content": {JSON_TYPE: {"schema": schemas["request"]}},
        },
        "responses": {
            "200": answer("a score for each row", schemas["response"]),
            **{str(code): refused for code in REFUSED},
        },
    }
    return {
        "openapi": OPENAPI,
        "info": {"title": title, "version": version},
        "paths": {
            "/score": {"post": score},
            "/health": constant("the bundle, the engine, the version"),
            "/schema": constant("schemas of request, response and error"),
        },
    }


def _only(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _value(kinds: tuple[Kind, ...]) -> dict[str, Any]:
    meaning = f"{' and '.join(kinds)}; null where it is missing"
    if "sequence" in kinds:
        items = {"type": ["string", "number", "boolean", "null"]}
        return {"type": ["array", "null"], "items": items, "description": meaning}
    if "dense" in kinds:
        return {"type": ["array", "null"], "items": {"type": "number"}, "description": meaning}
    names = sorted({NAMES[one] for one in takes(kinds)} - {"integer"})
    return {"type": [*names, "null"], "description": meaning}
