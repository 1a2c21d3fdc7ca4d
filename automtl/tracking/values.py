"""A spec or a configuration as flat names and texts, as trackers keep them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

__all__ = ["flat", "plain_name", "plain_text"]


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"model": {"family": "ple"}}` -> `{"model.family": "ple"}`; lists stay as they are."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def plain_text(value: Any, limit: int) -> str:
    """As JSON, strings as they are; what is longer than `limit` characters ends in `…`."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def plain_name(name: str, limit: int) -> str:
    """`name` of ASCII letters, digits and `_ - . / blank` only, without empty or dotted parts.

    A name that had to be changed ends in a hash of what it was, so that two stay two.
    """
    kept = "".join(c if (c.isascii() and c.isalnum()) or c in "_-. /" else "_" for c in name)
    parts = [part if part.strip(". ") else "_" for part in kept.split("/")]
    plain = "/".join(parts)
    if plain == name and len(plain) <= limit:
        return plain
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{plain[: limit - 7].rstrip('/ ')}_{mark}"
