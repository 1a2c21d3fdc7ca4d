"""The `data` block of a spec: where rows come from, how they are split, what the features are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, Tag

from automtl.config import TIME_PARTS, AgeUnit, Scale, TimePart, TimeUnit
from automtl.spec.base import Block, ByName
from automtl.spec.data_scalars import UTF8, Encoding, Gap, Texts, Words, Zone
from automtl.spec.scalars import Flag, Maybe, OneOf, Paths, Real, Text, Whole

__all__ = [
    "NUM_BUCKETS",
    "CategoricalSpec",
    "ColumnSplit",
    "DataSpec",
    "DenseSpec",
    "GenerateSpec",
    "GroupSplit",
    "ImpressionsSpec",
    "NumericSpec",
    "RandomSplit",
    "RegressionPairSpec",
    "SequenceSpec",
    "SplitSpec",
    "TimeSpec",
    "TimeSplit",
]

COLUMN = Text(what="a column name")
COUNT = Whole(low=1)
MOST_BUCKETS = 2**31 - 8  # ids are 32-bit integers
DIRECTORY = Text(pattern=r"(?!\w+://).+", what="a directory, as rows are memory-mapped")
NUM_BUCKETS = 32
Column = Annotated[str, COLUMN]
Count = Annotated[int, COUNT]
Seed = Annotated[int, Whole(low=0)]
SPLIT_SEED = Field(0, description="another seed, another split")
Rate = Annotated[float, Real(above=0, below=1)]
TestShare = Annotated[float, Real(low=0, below=1)]


class CategoricalSpec(Block):
    """A column of ids, each with an embedding."""

    min_count: Count = Field(1, description="rarer values share the id 'never seen'")
    max_vocab: Annotated[int | None, Maybe(COUNT)] = Field(
        None, description="keep only so many values, the most frequent ones"
    )
    hash: Annotated[int | None, Maybe(Whole(low=2, high=MOST_BUCKETS))] = Field(
        None,
        description="no vocabulary, but so many ids: values of the same hash share one, and those "
        "that train never had have one too",
    )


class NumericSpec(Block):
    """A column of numbers."""

    scale: Annotated[Scale, OneOf(get_args(Scale))] = Field(
        "standard",
        description="what is standardised: the number, its log1p (of -x mirrored, where x < 0), or "
        "quantile, its rank in train; buckets: an id, that of train's quantiles it lies between",
    )
    num_buckets: Annotated[int, Whole(low=2, high=1000)] = Field(
        NUM_BUCKETS, description="for scale: buckets, about equally full"
    )


class TimeSpec(Block):
    """A column of times: parts as ids, its age as a number."""

    parts: Annotated[tuple[TimePart, ...], Words(TIME_PARTS)] = Field(
        TIME_PARTS, description="parts that become ids: hour, weekday"
    )
    age_at: Annotated[str | None, Maybe(COLUMN)] = Field(
        None, description="a column of times: its time less this one is a number, the age"
    )
    age_in: Annotated[AgeUnit, OneOf(get_args(AgeUnit))] = Field(
        "hours", description="the unit of the age, whose log1p is standardised"
    )
    unit: Annotated[TimeUnit | None, Maybe(OneOf(get_args(TimeUnit)))] = Field(
        None,
        description="what numbers mean: s, ms, us, ns since 1970, or ymd, 20220425; left "
        "out: by their size",
    )
    zone: Annotated[str | None, Maybe(Zone())] = Field(
        None, description="where hours are told; left out: that of the column's type, else UTC"
    )


class SequenceSpec(Block):
    """A column of lists of ids, whose embeddings are pooled."""

    shares: Annotated[str | None, Maybe(COLUMN)] = Field(
        None, description="the categorical column whose embeddings it uses; none: its own"
    )
    max_len: Count = Field(10, description="how many items of the list are kept, the last ones")


class DenseSpec(Block):
    """A column of vectors, such as embeddings of a text; each number is standardised."""


class ColumnSplit(Block):
    """A column that says train, valid or test."""

    column: Column = Field(description="a column of train, valid and test")


class TimeSplit(Block):
    """The latest rows are test, those before them valid."""

    time: Column = Field(description="a column that rises with time")
    gap: Annotated[float | str | None, Maybe(Gap())] = Field(
        None,
        description="rows so shortly before a cut are left out: in the column's unit, or 12h, 7d",
    )
    valid: Rate = Field(0.1, description="share of the rows")
    test: TestShare = Field(0.1, description="share of the rows")


class GroupSplit(Block):
    """All rows of one group (a user, a session) are on one side."""

    group: Column = Field(description="the column that names the group")
    valid: Rate = Field(0.1, description="share of the groups")
    test: TestShare = Field(0.1, description="share of the groups")
    seed: Seed = SPLIT_SEED


class RandomSplit(Block):
    """Every row falls on a side by itself."""

    random: Annotated[Literal[True], Flag(only=True)] = Field(description="by chance")
    valid: Rate = Field(0.1, description="share of the rows")
    test: TestShare = Field(0.1, description="share of the rows")
    seed: Seed = SPLIT_SEED


SPLITS: Mapping[str, type[Block]] = {
    "column": ColumnSplit,
    "time": TimeSplit,
    "group": GroupSplit,
    "random": RandomSplit,
}


def _kind_of_split(raw: Any) -> str | None:
    named = [
        f"<{kind}>"  # no key of a spec looks like this, so a tag cannot pass for one
        for kind, block in SPLITS.items()
        if isinstance(raw, block) or (isinstance(raw, Mapping) and kind in raw)
    ]
    return named[0] if len(named) == 1 else None


SplitSpec = Annotated[
    Annotated[ColumnSplit, Tag("<column>")]
    | Annotated[TimeSplit, Tag("<time>")]
    | Annotated[GroupSplit, Tag("<group>")]
    | Annotated[RandomSplit, Tag("<random>")],
    Discriminator(
        _kind_of_split,
        custom_error_type="problem",
        custom_error_message="{rule} {hint}",
        custom_error_context={
            "rule": "must name exactly one of column, time, group and random",
            "hint": "write {column: split} or {random: true, valid: 0.1, test: 0.1}",
        },
    ),
]


class ImpressionsSpec(Block):
    """Clicks, and conversions after a click, from a model whose probabilities are known."""

    name: Literal["impressions"]
    num_rows: Count = Field(100_000, description="rows of all sides together")
    seed: Seed = Field(0, description="another seed, another world and other rows")
    num_users: Count = Field(2000, description="different users")
    num_items: Count = Field(500, description="different items")
    click_rate: Rate = Field(0.2, description="share of the rows")
    conversion_rate: Rate = Field(0.1, description="share of the clicks")


class RegressionPairSpec(Block):
    """Two regression tasks of a chosen correlation (MMoE, Ma et al. 2018, section 3.2)."""

    name: Literal["regression_pair"]
    num_rows: Count = Field(100_000, description="rows of all sides together")
    seed: Seed = Field(0, description="another seed, another world and other rows")
    correlation: Annotated[float, Real(low=-1, high=1)] = Field(
        0.5, description="cosine between the two tasks' weight vectors"
    )
    num_features: Annotated[int, Whole(low=2)] = Field(256, description="columns of numbers")


GenerateSpec = Annotated[ImpressionsSpec | RegressionPairSpec, Discriminator("name")]


class DataSpec(Block):
    """Where the rows come from and which columns are features."""

    path: Annotated[str | tuple[str, ...] | None, Maybe(Paths())] = Field(
        None,
        description="a file, a directory, a glob, a URL or a list of them: .parquet, .csv or .tsv "
        "(the last two also .gz and .zst)",
    )
    encoding: Annotated[str, Encoding()] = Field(
        UTF8, description="of .csv and .tsv files: utf8, latin1, gb18030, ..."
    )
    missing: Annotated[tuple[str, ...] | None, Maybe(Texts())] = Field(
        None,
        description="texts that stand for a missing value in .csv and .tsv files, beside the empty "
        "field",
        examples=[["\\N", "NULL"]],
    )
    generate: GenerateSpec | None = Field(None, description="in place of path: made-up rows")
    where: Annotated[str | None, Maybe(Text(what="an expression"))] = Field(
        None, description="only rows of which this is true, such as country == 'DE' and age >= 18"
    )
    split: SplitSpec = Field(
        description="which rows are train, valid and test", examples=[{"column": "split"}]
    )
    categorical: Annotated[Mapping[str, CategoricalSpec], ByName()] = Field(
        {}, description="columns of ids: a list, or a mapping with min_count, max_vocab and hash"
    )
    numeric: Annotated[Mapping[str, NumericSpec], ByName()] = Field(
        {}, description="columns of numbers: a list, or a mapping with scale"
    )
    sequence: Annotated[Mapping[str, SequenceSpec], ByName()] = Field(
        {}, description="columns of lists of ids"
    )
    time: Annotated[Mapping[str, TimeSpec], ByName()] = Field(
        {}, description="columns of dates or times: a list, or a mapping with parts, age_at, ..."
    )
    dense: Annotated[Mapping[str, DenseSpec], ByName()] = Field(
        {}, description="columns of lists of numbers, all of one length"
    )
    weight: Annotated[str | None, Maybe(COLUMN)] = Field(
        None, description="a column: how much a row counts in the loss, a number from 0 on"
    )
    cache: Annotated[str | None, Maybe(DIRECTORY)] = Field(
        None,
        description="the directory of encoded rows, AUTOMTL_CACHE if left out: one that every "
        "machine of a cluster sees saves copies",
    )

    @property
    def feature_columns(self) -> tuple[str, ...]:
        """The columns that features are made of, each once."""
        names = [*self.categorical, *self.numeric, *self.sequence, *self.time, *self.dense]
        names += [one.age_at for one in self.time.values() if one.age_at is not None]
        return tuple(dict.fromkeys(names))
