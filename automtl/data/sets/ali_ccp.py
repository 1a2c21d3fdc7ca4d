"""Ali-CCP: a skeleton of impressions, and the features that impressions have in common.

A line of sample_skeleton_*.csv: `sample_id, click, purchase, common_feature_index, number of
features, features`; one of common_features_*.csv: `common_feature_index, number of features,
features`. Features are separated by \\x01; each is `field \\x02 feature_id \\x03 value`.

Skeletons are streamed. In memory are the common features of one half: 730,000 (train) or 884,000
(test) entries of 9 ids and 4 lists of at most `NUM_ITEMS` ids, so about half a gigabyte.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.data.sets.lines import Block, Report, bad_line, read_blocks, typed
from automtl.data.sets.prepare import Prepared
from automtl.data.sets.raw import RawFile
from automtl.data.sets.registry import public_set
from automtl.data.sets.sides import one_in
from automtl.data.sets.write import write_rows
from automtl.errors import DataError

__all__ = ["prepare"]

# field numbers as published, and the names of the columns
COMMON = {
    "101": "user_id", "121": "user_profile", "122": "user_group", "124": "user_gender",
    "125": "user_age", "126": "user_consumption_1", "127": "user_consumption_2",
    "128": "user_occupied", "129": "user_geography",
}  # fmt: skip
COMMON_LISTS = {
    "109_14": "user_categories", "110_14": "user_shops", "127_14": "user_brands",
    "150_14": "user_intentions",
}  # fmt: skip
SKELETON = {
    "205": "item_id", "206": "item_category", "207": "item_shop", "216": "item_brand",
    "508": "user_item_category", "509": "user_item_shop", "702": "user_item_brand",
    "853": "user_item_intention", "301": "position",
}  # fmt: skip
SKELETON_LISTS = {"210": "item_intentions"}
# features of user and item together: how often the user met the item's category, …
WEIGHED = ("508", "509", "702", "853")
NUM_ITEMS = 10
ONE_IN_VALID = 10
KEY = "common_feature_index"
LABELS = ("click", "purchase")
COMMON_LINE: dict[str, pl.DataType] = {
    KEY: pl.String(), "num_features": pl.Int32(), "features": pl.String()
}  # fmt: skip
SKELETON_LINE: dict[str, pl.DataType] = {
    "sample_id": pl.Int64(), **{name: pl.Int8() for name in LABELS}, **COMMON_LINE
}  # fmt: skip
_LIST = pl.List(pl.Int64())
SCHEMA = pl.Schema(
    {name: pl.Int8() for name in LABELS}
    | {name: pl.Int64() for name in (*COMMON.values(), *SKELETON.values())}
    | {f"{SKELETON[field]}_value": pl.Float32() for field in WEIGHED}
    | dict.fromkeys((*COMMON_LISTS.values(), *SKELETON_LISTS.values()), _LIST)
    | {"split": pl.String()}
)
FEATURE = "^([^\x01-\x03]+)\x02([^\x01-\x03]+)\x03([^\x01-\x03]+)$"
FEATURE_COLUMNS = {"field": pl.String(), "id": pl.Int64(), "value": pl.Float32()}


def prepare(
    name: str, files: Mapping[str, RawFile], out: Path, report: Report, *, block_bytes: int
) -> Iterator[Prepared]:
    """One Parquet file: train and valid (a tenth of the common features) from the train half, test
    the other half; rows in the published order."""
    odd: Counter[str] = Counter()

    def parts() -> Iterator[pl.DataFrame]:
        for half in ("train", "test"):
            common = _common(files[f"common_features_{half}.csv"], half, report, block_bytes, odd)
            skeleton = files[f"sample_skeleton_{half}.csv"]
            for block in read_blocks(
                skeleton, list(SKELETON_LINE), report, has_header=False, block_bytes=block_bytes
            ):
                yield _rows(block, common, odd)

    yield write_rows(out / public_set(name).writes[0], SCHEMA, parts(), odd=odd)


def _common(
    file: RawFile, half: str, report: Report, block_bytes: int, odd: Counter[str]
) -> pl.DataFrame:
    """The common features of a half by their index, each with its side."""
    pieces = []
    for block in read_blocks(
        file, list(COMMON_LINE), report, has_header=False, block_bytes=block_bytes
    ):
        lines = typed(block, COMMON_LINE, required=(KEY, "num_features"))
        features = _features(block, lines)
        wide = _wide(features, len(lines), COMMON, COMMON_LISTS, (), odd)
        pieces.append(lines.select(KEY).with_columns(wide))
    common = pl.concat(pieces).unique(KEY, keep="first", maintain_order=True)
    if half == "test":
        return common.with_columns(split=pl.lit("test"))
    valid = pl.Series(one_in(ONE_IN_VALID, common[KEY]))
    split = pl.when(valid).then(pl.lit("valid")).otherwise(pl.lit("train"))
    return common.with_columns(split=split)


def _rows(block: Block, common: pl.DataFrame, odd: Counter[str]) -> pl.DataFrame:
    lines = typed(block, SKELETON_LINE, required=("click", "purchase", KEY, "num_features"))
    for label in LABELS:
        if (wrong := ~lines[label].is_in([0, 1])).any():
            value = lines[label].filter(wrong)[0]
            raise bad_line(block, wrong, f"{label} is {value}, it must be 0 or 1")
    features = _features(block, lines)
    wide = _wide(features, len(lines), SKELETON, SKELETON_LISTS, WEIGHED, odd)
    rows = lines.select(*LABELS, KEY).with_columns(wide)
    rows = rows.join(common, on=KEY, how="left", maintain_order="left")
    if (wrong := rows["split"].is_null()).any():
        index = rows[KEY].filter(wrong)[0]
        raise bad_line(block, wrong, f"{KEY} {index} is not in the common features of this half")
    if unclicked := int(((rows["purchase"] == 1) & (rows["click"] == 0)).sum()):
        odd["purchases without a click, kept as they are"] += unclicked
    return rows.select(SCHEMA.names())


def _features(block: Block, lines: pl.DataFrame) -> pl.DataFrame:
    """A row a feature: `row` of the line, `field`, `id` (Int64) and `value` (Float32)."""
    num_found = (lines["features"].str.count_matches("\x01", literal=True) + 1).fill_null(0)
    if (wrong := num_found.cast(pl.Int32) != lines["num_features"]).any():
        row = int(wrong.arg_max() or 0)
        said, found = lines["num_features"][row], num_found[row]
        raise bad_line(block, wrong, f"has {found} features, the line says {said}")
    row_M = np.repeat(np.arange(len(lines), dtype=np.uint32), num_found.to_numpy())
    long = _parsed(lines["features"].drop_nulls())
    if long is None or len(long) != len(row_M) or any(long.null_count().row(0)):
        raise _bad_feature(block, lines["features"].drop_nulls().str.split("\x01"), row_M)
    return long.with_columns(pl.Series("row", row_M))


def _parsed(features: pl.Series) -> pl.DataFrame | None:
    """All features, one below the other: the CSV reader is five times as fast as a pattern."""
    text = "\x01".join(features.to_list()).encode()
    for separator, meaning in ((b"\x01", b"\n"), (b"\x02", b","), (b"\x03", b",")):
        text = text.replace(separator, meaning)
    header = ",".join(FEATURE_COLUMNS).encode() + b"\n"
    try:
        return pl.read_csv(
            io.BytesIO(header + text), schema_overrides=FEATURE_COLUMNS, ignore_errors=True
        )
    except pl.exceptions.PolarsError:  # too many parts
        return None


def _bad_feature(block: Block, listed: pl.Series, row_M: npt.NDArray[np.uint32]) -> DataError:
    """The error that names the first feature that is none."""
    features = listed.explode()
    parts = features.str.extract_groups(FEATURE).struct.unnest()
    numbers = [parts["2"].cast(pl.Int64, strict=False), parts["3"].cast(pl.Float32, strict=False)]
    place = int((numbers[0].is_null() | numbers[1].is_null()).arg_max() or 0)
    shown = repr(features[place])[1:81]
    wrong = pl.Series(np.arange(len(block.frame)) == row_M[place])
    return bad_line(block, wrong, f"feature '{shown} is not field\\x02id\\x03value")


def _wide(
    features: pl.DataFrame,
    num_rows: int,
    single: Mapping[str, str],
    lists: Mapping[str, str],
    weighed: tuple[str, ...],
    odd: Counter[str],
) -> list[pl.Series]:
    """A column a field. Of a field with one value the first counts; of a list those of the largest
    values, the largest at the end."""
    by_field = features.partition_by("field", as_dict=True, include_key=False)
    for (field,), rows in by_field.items():
        if field not in single and field not in lists:
            odd[f"features of field {field}, which is not published, left out"] += len(rows)
    nothing = features.clear().drop("field")
    columns: list[pl.Series] = []
    for field, name in single.items():
        found = by_field.get((field,), nothing).unique("row", keep="first", maintain_order=True)
        columns.append(_scattered(found["row"], found["id"].alias(name), num_rows))
        if field in weighed:
            value = found["value"].alias(f"{name}_value")
            columns.append(_scattered(found["row"], value, num_rows))
    for field, name in lists.items():
        found = (
            by_field.get((field,), nothing)
            .sort("row", "value", maintain_order=True)
            .group_by("row", maintain_order=True)
            .agg(pl.col("id").tail(NUM_ITEMS))
        )
        columns.append(_scattered(found["row"], found["id"].alias(name), num_rows))
    return columns


def _scattered(rows: pl.Series, values: pl.Series, num_rows: int) -> pl.Series:
    """`values` at their rows, null elsewhere."""
    place = np.full(num_rows, -1, dtype=np.int64)
    place[rows.to_numpy()] = np.arange(len(rows))
    where = pl.Series(place).replace(-1, None)
    return values.gather(where)
