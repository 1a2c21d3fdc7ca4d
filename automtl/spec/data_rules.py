"""Rules about the rows and the columns of a spec; see `rules.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from automtl.config import AGE, TIME_PARTS, input_name
from automtl.data.expression import ExpressionError, label_columns
from automtl.data.files import is_url
from automtl.data.paths import KNOWN_SUFFIXES, data_files
from automtl.data.sets.registry import written_by
from automtl.errors import DataError
from automtl.spec.data_block import NUM_BUCKETS
from automtl.spec.problems import Loc, Problem, closest
from automtl.spec.raw import Raw, get, is_number, tasks_of

__all__ = [
    "DATA_RULES",
    "TRUTH_COLUMNS",
    "Feature",
    "Input",
    "check_files",
    "features_of",
    "generated_columns",
    "inputs_of",
]

TRUTH_COLUMNS = ("p_click", "p_conversion")  # what generated impressions were drawn from


@dataclass(frozen=True, slots=True)
class Feature:
    """A column that `data` names, as what, and where."""

    column: str
    kind: str
    loc: Loc


KINDS = ("categorical", "numeric", "sequence", "time", "dense")


@dataclass(frozen=True, slots=True)
class Input:
    """A feature as the space names it; `has_table`: with embeddings of its own."""

    name: str
    kind: Literal["categorical", "numeric", "sequence", "dense"]
    has_table: bool


def inputs_of(raw: Raw) -> Iterator[Input]:
    """What the columns of `features_of` become, in the order of their kinds."""
    for feature in features_of(raw):
        block = get(raw, "data", feature.kind, feature.column)
        match feature.kind:
            case "categorical":
                yield Input(feature.column, "categorical", has_table=True)
            case "numeric":
                is_id = get(block, "scale") == "buckets"
                kind: Literal["categorical", "numeric"] = "categorical" if is_id else "numeric"
                yield Input(feature.column, kind, has_table=is_id)
            case "sequence":
                yield Input(feature.column, "sequence", has_table=not get(block, "shares"))
            case "dense":
                yield Input(feature.column, "dense", has_table=False)
            case "time":
                parts = get(block, "parts", default=TIME_PARTS)
                for part in parts if isinstance(parts, list | tuple) else ():
                    yield Input(input_name(feature.column, part), "categorical", has_table=True)
                if get(block, "age_at") is not None:
                    yield Input(input_name(feature.column, AGE), "numeric", has_table=False)


def features_of(raw: Raw) -> Iterator[Feature]:
    """All columns that `data` names as features, whatever else is wrong."""
    for kind in KINDS:
        columns = get(raw, "data", kind)
        names: Sequence[tuple[Any, str | int]] = ()
        if isinstance(columns, Mapping):
            names = [(name, name) for name in columns]
        elif isinstance(columns, list):
            names = [(name, index) for index, name in enumerate(columns)]
        for name, key in names:
            if isinstance(name, str):
                yield Feature(name, kind, ("data", kind, key))


def labels_of(raw: Raw) -> dict[str, tuple[str, ...]]:
    """The columns that each task's label needs, where that can be told."""
    found = {}
    for name, task in tasks_of(raw).items():
        if isinstance(label := get(task, "label"), str):
            with suppress(ExpressionError):
                found[name] = label_columns(label)
    return found


def _expressions(raw: Raw) -> Iterator[Problem]:
    texts: list[tuple[Loc, Any]] = [(("data", "where"), get(raw, "data", "where"))]
    texts += [
        (("tasks", name, "label"), get(task, "label")) for name, task in tasks_of(raw).items()
    ]
    for loc, text in texts:
        if isinstance(text, str):
            try:
                label_columns(text)
            except ExpressionError as error:
                yield Problem(loc=loc, rule=error.rule, hint=error.hint)


def generated_columns(generate: Any) -> tuple[str, ...]:
    """The columns that `data.generate` makes and a spec may use; none where that cannot be told."""
    match generate:
        case {"name": "impressions"}:
            numbers = (f"x{index}" for index in range(4))
            return ("user_id", "item_id", "context", *numbers, "click", "conversion", "split")
        case {"name": "regression_pair"}:
            num_features = generate.get("num_features", 256)
            if isinstance(num_features, int):
                return (*(f"x{index}" for index in range(num_features)), "y1", "y2", "split")
    return ()


def _generated(raw: Raw) -> Iterator[Problem]:
    """Rows that are made up have columns that are known before they are made."""
    known = generated_columns(get(raw, "data", "generate"))
    named = [(feature.column, feature.loc, True) for feature in features_of(raw)]
    named += [
        (column, ("tasks", name, "label"), False)
        for name, columns in labels_of(raw).items()
        for column in columns
    ]
    named += [
        (get(raw, "data", "split", key), ("data", "split", key), False)
        for key in ("column", "time", "group")
    ]
    named += [(get(raw, "data", "weight"), ("data", "weight"), False)]
    if isinstance(where := get(raw, "data", "where"), str):
        with suppress(ExpressionError):
            named += [(column, ("data", "where"), False) for column in label_columns(where)]
    named += [
        (get(task, "weight"), ("tasks", name, "weight"), False)
        for name, task in tasks_of(raw).items()
    ]
    for column, loc, on_key in named if known else ():
        if isinstance(column, str) and column not in (*known, *TRUTH_COLUMNS):
            hint = closest(column, known) or f"columns: {', '.join(known[:4])}, ..."
            rule = f"generated rows have no column {column}"
            yield Problem(loc=loc, rule=rule, hint=hint, on_key=on_key)


def _source(raw: Raw) -> Iterator[Problem]:
    data = get(raw, "data")
    if not isinstance(data, Mapping):
        return
    given = [key for key in ("path", "generate") if data.get(key) is not None]
    if not given:
        hint = "write path: rows.parquet, or generate: {name: impressions}"
        yield Problem(loc=("data", "path"), rule="is missing", hint=hint)
    elif len(given) == 2:
        rule = "rows come from path or from generate, not both"
        yield Problem(loc=("data", "generate"), rule=rule, hint="take one away", on_key=True)


def _listed_once(raw: Raw) -> Iterator[Problem]:
    data = get(raw, "data")
    first: dict[str, Feature] = {}
    for feature in features_of(raw):
        if seen := first.get(feature.column):
            where = "twice" if seen.kind == feature.kind else f"under {seen.kind} too"
            yield Problem(
                loc=feature.loc,
                rule=f"column {feature.column} is listed {where}",
                hint="a column is one feature: take one away",
                on_key=True,
            )
        first.setdefault(feature.column, feature)
    if isinstance(data, Mapping) and not any(data.get(kind) for kind in KINDS):
        hint = f"list columns under {', '.join(KINDS[:-1])} or {KINDS[-1]}"
        yield Problem(loc=("data",), rule="names no feature", hint=hint, on_key=True)


def _no_leaks(raw: Raw) -> Iterator[Problem]:
    # of several columns each may be a feature: a ratio does not tell its parts
    labels = {columns[0]: name for name, columns in labels_of(raw).items() if len(columns) == 1}
    split = get(raw, "data", "split", "column")
    made_up = get(raw, "data", "generate") is not None
    for feature in features_of(raw):
        column, rule = feature.column, ""
        if column in labels:
            rule = f"column {column} is the label of task {labels[column]}"
        elif column == split:
            rule = f"column {column} is the split"
        elif made_up and column in TRUTH_COLUMNS:
            rule = f"column {column} is the truth that the labels were drawn from"
        if rule:
            hint = f"take {column} away from the features: it would leak"
            yield Problem(loc=feature.loc, rule=rule, hint=hint, on_key=True)
    if isinstance(split, str) and split in labels:
        rule = f"column {split} is the split, not a label"
        yield Problem(loc=("tasks", labels[split], "label"), rule=rule)


def _shared_tables(raw: Raw) -> Iterator[Problem]:
    if not isinstance(get(raw, "data", "categorical", default=[]), list | Mapping):
        return
    known = [feature.column for feature in features_of(raw) if feature.kind == "categorical"]
    sequences = get(raw, "data", "sequence")
    for name, block in sequences.items() if isinstance(sequences, Mapping) else ():
        shares = block.get("shares") if isinstance(block, Mapping) else None
        if isinstance(shares, str) and shares not in known:
            hint = closest(shares, known) or f"categorical columns: {', '.join(known) or 'none'}"
            rule = f"{shares} is not a categorical column"
            yield Problem(loc=("data", "sequence", name, "shares"), rule=rule, hint=hint)


def _times(raw: Raw) -> Iterator[Problem]:
    """A column of times becomes something; an age is against another column, which is no label."""
    columns = get(raw, "data", "time")
    labels = {columns[0]: name for name, columns in labels_of(raw).items() if len(columns) == 1}
    for name, block in columns.items() if isinstance(columns, Mapping) else ():
        loc: Loc = ("data", "time", name)
        at = get(block, "age_at")
        if get(block, "parts") == [] and at is None:
            hint = "write parts: [hour, weekday], or age_at: a column of times"
            yield Problem(loc=loc, rule="becomes no feature", hint=hint, on_key=True)
        if at is None and get(block, "age_in", default="hours") != "hours":
            hint = "write age_at: a column of times, or take age_in away"
            rule = "there is no age without age_at"
            yield Problem(loc=(*loc, "age_in"), rule=rule, hint=hint, on_key=True)
        if isinstance(at, str) and at == name:
            rule, hint = "is this column itself, so that every age is 0", "name another column"
            yield Problem(loc=(*loc, "age_at"), rule=rule, hint=hint)
        if isinstance(at, str) and at in labels:
            rule = f"column {at} is the label of task {labels[at]}"
            yield Problem(loc=(*loc, "age_at"), rule=rule, hint="name another: it would leak")


def _buckets(raw: Raw) -> Iterator[Problem]:
    """Ids by hash know no values, so none can be rare or left out."""
    columns = get(raw, "data", "categorical")
    for name, block in columns.items() if isinstance(columns, Mapping) else ():
        if get(block, "hash") is None:
            continue
        for key, default in (("min_count", 1), ("max_vocab", None)):
            if get(block, key, default=default) != default:
                rule = f"hash keeps no values, so {key} cannot choose among them"
                hint = f"take hash or {key} away"
                yield Problem(loc=("data", "categorical", name, key), rule=rule, hint=hint)


def _scales(raw: Raw) -> Iterator[Problem]:
    """Only what is cut has a number of buckets."""
    columns = get(raw, "data", "numeric")
    for name, block in columns.items() if isinstance(columns, Mapping) else ():
        says_how_many = get(block, "num_buckets", default=NUM_BUCKETS) != NUM_BUCKETS
        if says_how_many and get(block, "scale") != "buckets":
            rule, hint = "only scale: buckets has buckets", "write scale: buckets, or take it away"
            loc: Loc = ("data", "numeric", name, "num_buckets")
            yield Problem(loc=loc, rule=rule, hint=hint, on_key=True)


def _split_shares(raw: Raw) -> Iterator[Problem]:
    split = get(raw, "data", "split")
    if not isinstance(split, Mapping) or "column" in split:
        return
    shares = [split.get(side, 0.1) for side in ("valid", "test")]
    if all(is_number(share) and 0 <= share < 1 for share in shares) and sum(shares) >= 1:
        key = "test" if "test" in split else "valid"
        rule = f"valid {shares[0]:g} and test {shares[1]:g} leave no train rows"
        hint = "write valid: 0.1 and test: 0.1"
        yield Problem(loc=("data", "split", key), rule=rule, hint=hint)


def check_files(raw: Raw, base_dir: Path) -> Iterator[Problem]:
    paths = get(raw, "data", "path")
    many = paths if isinstance(paths, list) else [paths]
    for index, path in enumerate(many):
        if not isinstance(path, str) or not path:
            continue
        loc: Loc = ("data", "path", index) if isinstance(paths, list) else ("data", "path")
        may_be_folder = path.endswith("*") or is_url(path) or (base_dir / path).is_dir()
        if not path.lower().endswith(KNOWN_SUFFIXES) and not may_be_folder:
            rule = f"{path} is no kind of file that can be read"
            hint = "write a directory, or .parquet, .csv or .tsv (the last two also .gz and .zst)"
            yield Problem(loc=loc, rule=rule, hint=hint)
            continue
        try:
            data_files(path, base_dir=base_dir)
        except DataError as error:
            folder = (base_dir / path).parent
            names = [one.name for one in folder.iterdir()] if folder.is_dir() else []
            hint = closest(Path(path).name, names)
            if (known := written_by(Path(path).name)) is not None:
                hint = f"`automtl data prepare {known.name} RAW_DIR` writes it"
            yield Problem(loc=loc, rule=str(error), hint=hint)


DATA_RULES: tuple[Callable[[Raw], Iterator[Problem]], ...] = (
    _source,
    _expressions,
    _generated,
    _listed_once,
    _no_leaks,
    _shared_tables,
    _buckets,
    _scales,
    _times,
    _split_shares,
)
