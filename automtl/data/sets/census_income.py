"""Census-Income (KDD): census-income.data and .test, 42 fields a line in the order of the .names.

The .names file lists `instance weight` as ignored, the lines have it all the same (field 25).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from automtl.data.sets.lines import Block, Report, bad_line, read_blocks, typed
from automtl.data.sets.prepare import Prepared
from automtl.data.sets.raw import RawFile
from automtl.data.sets.registry import public_set
from automtl.data.sets.sides import one_in, side
from automtl.data.sets.write import write_rows

__all__ = ["prepare"]

FIELDS = (
    "age", "class_worker", "det_ind_code", "det_occ_code", "education", "wage_per_hour",
    "hs_college", "marital_stat", "major_ind_code", "major_occ_code", "race", "hisp_origin", "sex",
    "union_member", "unemp_reason", "full_or_part_emp", "capital_gains", "capital_losses",
    "stock_dividends", "tax_filer_stat", "region_prev_res", "state_prev_res", "det_hh_fam_stat",
    "det_hh_summ", "instance_weight", "mig_chg_msa", "mig_chg_reg", "mig_move_reg", "mig_same",
    "mig_prev_sunbelt", "num_emp", "fam_under_18", "country_father", "country_mother",
    "country_self", "citizenship", "own_or_self", "vet_question", "vet_benefits", "weeks_worked",
    "year", "income",
)  # fmt: skip
NUMBERS = (
    "age", "wage_per_hour", "capital_gains", "capital_losses", "stock_dividends", "num_emp",
    "weeks_worked",
)  # fmt: skip
# at least some college, as in the MMoE paper's third task
COLLEGE = (
    "Some college but no degree", "Associates degree-occup /vocational",
    "Associates degree-academic program", "Bachelors degree(BA AB BS)",
    "Masters degree(MA MS MEng MEd MSW MBA)", "Prof school degree (MD DDS DVM LLB JD)",
    "Doctorate degree(PhD EdD)",
)  # fmt: skip
INCOMES = {"- 50000.": 0, "50000+.": 1}
LABELS = ("income_50k", "never_married", "college")
RAW: dict[str, pl.DataType] = dict.fromkeys(FIELDS, pl.String())
RAW |= {name: pl.Int64() for name in NUMBERS} | {"instance_weight": pl.Float64()}
SCHEMA = pl.Schema(
    {name: dtype for name, dtype in RAW.items() if name != "income"}
    | {"split": pl.String()}
    | {name: pl.Int8() for name in LABELS}
)


def prepare(
    name: str, files: Mapping[str, RawFile], out: Path, report: Report, *, block_bytes: int
) -> Iterator[Prepared]:
    """One Parquet file: the original train half is train; the other is valid and test, halves."""
    parts = (
        _rows(block, is_train=half.endswith(".data"))
        for half, file in files.items()
        for block in read_blocks(file, FIELDS, report, has_header=False, block_bytes=block_bytes)
    )
    yield write_rows(out / public_set(name).writes[0], SCHEMA, parts)


def _rows(block: Block, *, is_train: bool) -> pl.DataFrame:
    stripped = block.frame.select(pl.col(FIELDS).str.strip_chars())
    block = Block(frame=stripped, file=block.file, first_line=block.first_line)
    frame = typed(block, RAW, required=FIELDS)
    if (wrong := ~frame["income"].is_in(list(INCOMES))).any():
        value = frame["income"].filter(wrong)[0]
        known = " or ".join(map(repr, INCOMES))
        raise bad_line(block, wrong, f"the income is {value!r}, it must be {known}")
    if is_train:
        split = side(np.ones(len(frame), dtype=bool), "train", "train")
    else:  # many people have equal answers: the place in the file decides
        lines = pl.Series(range(block.first_line, block.first_line + len(frame)), dtype=pl.Int64)
        split = side(one_in(2, lines), "valid", "test")
    return frame.with_columns(
        split,
        income_50k=pl.col("income").replace_strict(INCOMES, return_dtype=pl.Int8),
        never_married=(pl.col("marital_stat") == "Never married").cast(pl.Int8),
        college=pl.col("education").is_in(COLLEGE).cast(pl.Int8),
    ).select(SCHEMA.names())
