"""Plain values that only the data block has."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Any

from automtl.spec.problems import BadValueError, show
from automtl.spec.scalars import Real, Rule

__all__ = ["UTF8", "Encoding", "Gap"]

UTF8 = "utf8"


@dataclass(frozen=True, slots=True)
class Encoding(Rule):
    """How a text file's bytes are letters, by a name that Python knows."""

    def read(self, value: object) -> str:
        hint = "write utf8, latin1, cp1252, gb18030, ..."
        if not isinstance(value, str):
            raise BadValueError(f"must be the name of an encoding, not {show(value)}", hint)
        try:
            is_text = codecs.lookup(value)._is_text_encoding
        except (LookupError, ValueError):
            is_text = False
        if not is_text:
            raise BadValueError(f"there is no encoding {value!r}", hint)
        return value

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1}


@dataclass(frozen=True, slots=True)
class Gap(Rule):
    """A stretch of time: a number in the column's own unit, or a text such as `12h`."""

    def read(self, value: object) -> float | str:
        if isinstance(value, str) and not re.fullmatch(r"\d+(\.\d+)?[smhdw]", value):
            hint = "write 90s, 30m, 12h, 7d or 2w, or a number in the column's own unit"
            raise BadValueError(f"must be a stretch of time, not {show(value)}", hint)
        if isinstance(value, str):
            return value
        number = Real(low=0).read(value)
        return int(number) if number == int(number) else number

    def json_schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]}
