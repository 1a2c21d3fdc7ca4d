"""A spec as Python programs have it: a file, a dictionary, or one that was loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from automtl.errors import SpecError
from automtl.spec.document import set_value
from automtl.spec.load import Document, load_spec, parse_document
from automtl.spec.schema import Spec

__all__ = ["FRAME", "SpecLike", "as_spec"]

SpecLike = Spec | str | Path | Mapping[str, Any]

FRAME = "/given-as-a-frame.parquet"  # what a spec names in place of files; nothing is there


def as_spec(
    given: SpecLike, *, overrides: Mapping[str, Any] | None = None, has_frame: bool = False
) -> Spec:
    """The spec, changed by `overrides` such as `{"search.trials": 3}`.

    With `has_frame` the files that it names need not be there, and it need not name any. Relative
    paths of a dictionary start at the working directory. Raises SpecError with all problems.
    """
    changes = [f"{key}={json.dumps(value)}" for key, value in (overrides or {}).items()]
    if isinstance(given, str | Path):
        return load_spec(given, overrides=changes, check_files=not has_frame)
    raw = given.to_dict(absolute_paths=True) if isinstance(given, Spec) else dict(given)
    if has_frame and isinstance(data := raw.get("data"), Mapping) and not data.keys() & SOURCES:
        raw["data"] = {"path": FRAME, **data}
    document = Document(raw=raw, places={})
    for change in changes:
        document = set_value(document, change, parse=parse_document)
    if document.problems:
        raise SpecError("overrides", document.problems)
    return Spec.from_dict(document.raw, base_dir=Path.cwd(), check_files=not has_frame)


SOURCES = {"path", "generate"}
