"""What of a row enters the trunk, where it is looked up and where it stands; no torch.

The input of the trunk is, side by side: for each width of table its embedded features (single
ids and bucketed numbers, then pooled sequences), numbers as vectors of their piecewise-linear
code, and numbers as scalars, those of vectors last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from automtl.config import FeatureSchema, ModelConfig, NumericFeature, SequenceFeature

__all__ = ["InputPlan", "Lookup", "Pool", "plan_inputs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A sequence: `length` columns of its lookup from `start` on, pooled to one vector.

    `target` is the column of the lookup that attention compares the items with, None without.
    """

    name: str
    start: int
    length: int
    target: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Tables of one width, one below the other, and the columns that are looked up in them.

    Column c reads column `sources[c]` of the ids (followed by the bucket of each number of
    `InputPlan.bucketed`), from row `starts[c]` on. The first `len(singles)` columns are features
    of one id, those behind belong to `pools`.
    """

    width: int
    num_rows: int
    sources: tuple[int, ...]
    starts: tuple[int, ...]
    singles: tuple[str, ...]
    pools: tuple[Pool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPlan:
    """The whole input. `bucketed`, `coded` and `scalars` are columns of the numeric matrix.

    `bucket_edges` are the inner edges of each bucketed number, `code_edges` all edges of each
    coded one; `code_width` is that of a coded number's vector. `slices` are where a feature stands
    in the input, [start, stop).
    """

    lookups: tuple[Lookup, ...]
    bucketed: tuple[int, ...]
    bucket_edges: tuple[tuple[float, ...], ...]
    coded: tuple[int, ...]
    code_edges: tuple[tuple[float, ...], ...]
    code_width: int
    scalars: tuple[int, ...]
    slices: Mapping[str, tuple[int, int]]
    width: int

    @property
    def num_embedding_params(self) -> int:
        return sum(lookup.num_rows * lookup.width for lookup in self.lookups)

    @property
    def num_code_params(self) -> int:
        """A vector for every bin of a coded number, and a bias for every number."""
        num_bins = sum(len(edges) - 1 for edges in self.code_edges)
        return (num_bins + len(self.coded)) * self.code_width


def plan_inputs(config: ModelConfig, features: FeatureSchema) -> InputPlan:
    """The input of `config`: without `drop_features`, numbers as `numeric_encoding` says.

    Attention needs a single id of the same table to compare with; a sequence without one is
    averaged. A table that nothing reads any more is not built.
    """
    dropped = set(config.drop_features)
    numbers = [
        (column, feature)
        for column, feature in enumerate(features.numeric)
        if feature.name.removesuffix(":missing") not in dropped
    ]
    cuttable = [pair for pair in numbers if len(pair[1].edges) > 2]
    bucketed = cuttable if config.numeric_encoding == "buckets" else []
    coded = cuttable if config.numeric_encoding == "piecewise_linear" else []
    edges = tuple(feature.edges for _, feature in cuttable)
    scalars = [pair for pair in numbers if pair not in bucketed and pair not in coded]
    lookups = tuple(_plan_lookups(config, features, dropped, [one for _, one in bucketed]))
    places: list[tuple[str, int]] = []
    for lookup in lookups:
        places += [(name, lookup.width) for name in lookup.singles]
        places += [(pool.name, lookup.width) for pool in lookup.pools]
    places += [(feature.name, config.embedding_dim) for _, feature in coded]
    places += [(feature.name, 1) for _, feature in scalars]
    vectors = list(_dense_columns(features, dropped))
    places += [(name, len(columns)) for name, columns in vectors]
    stops = list(accumulate(width for _, width in places))
    return InputPlan(
        lookups=lookups,
        bucketed=tuple(column for column, _ in bucketed),
        bucket_edges=tuple(one[1:-1] for one in edges) if bucketed else (),
        coded=tuple(column for column, _ in coded),
        code_edges=edges if coded else (),
        code_width=config.embedding_dim,
        scalars=(
            *(column for column, _ in scalars),
            *(column for _, columns in vectors for column in columns),
        ),
        slices={
            name: (stop - width, stop) for (name, width), stop in zip(places, stops, strict=True)
        },
        width=stops[-1] if stops else 0,
    )


@dataclass(frozen=True, slots=True)
class _Single:
    name: str
    table: str
    source: int


def _plan_lookups(
    config: ModelConfig,
    features: FeatureSchema,
    dropped: set[str],
    bucketed: Sequence[NumericFeature],
) -> Iterator[Lookup]:
    """One lookup for each width, in the order in which the features name the widths."""
    num_rows = {table.name: table.num_rows for table in features.tables}
    singles = [
        _Single(one.name, one.table, column)
        for column, one in enumerate(features.categorical)
        if one.name not in dropped
    ]
    for number, feature in enumerate(bucketed):
        table = f"{feature.name}:buckets"
        num_rows[table] = len(feature.edges) - 1
        singles.append(_Single(feature.name, table, features.num_id_columns + number))
    sequences = [
        (one, source)
        for one, source in zip(features.sequence, _first_columns(features), strict=True)
        if one.name not in dropped
    ]
    tables = dict.fromkeys([*(one.table for one in singles), *(one.table for one, _ in sequences)])
    widths = {name: config.embedding_dims.get(name, config.embedding_dim) for name in tables}
    for width in dict.fromkeys(widths.values()):
        own = [name for name in tables if widths[name] == width]
        sizes = accumulate((num_rows[name] for name in own), initial=0)
        starts = dict(zip(own, sizes, strict=False))
        yield _lookup(
            config,
            width,
            starts,
            sum(num_rows[name] for name in own),
            [one for one in singles if one.table in starts],
            [pair for pair in sequences if pair[0].table in starts],
        )


def _lookup(
    config: ModelConfig,
    width: int,
    starts: Mapping[str, int],
    num_rows: int,
    singles: Sequence[_Single],
    sequences: Sequence[tuple[SequenceFeature, int]],
) -> Lookup:
    sources = [one.source for one in singles]
    rows = [starts[one.table] for one in singles]
    pools: list[Pool] = []
    for feature, source in sequences:
        targets = [column for column, one in enumerate(singles) if one.name == feature.table]
        attends = config.sequence_pooling == "attention" and targets
        pools.append(
            Pool(
                name=feature.name,
                start=len(sources),
                length=feature.max_len,
                target=targets[0] if attends else None,
            )
        )
        sources += range(source, source + feature.max_len)
        rows += [starts[feature.table]] * feature.max_len
    return Lookup(
        width=width,
        num_rows=num_rows,
        sources=tuple(sources),
        starts=tuple(rows),
        singles=tuple(one.name for one in singles),
        pools=tuple(pools),
    )


def _first_columns(features: FeatureSchema) -> list[int]:
    """The first id column of each sequence."""
    lengths = [feature.max_len for feature in features.sequence]
    return list(accumulate(lengths, initial=len(features.categorical)))[:-1]


def _dense_columns(features: FeatureSchema, dropped: set[str]) -> Iterator[tuple[str, range]]:
    """The columns of each vector in the numeric matrix: behind those of single numbers."""
    start = len(features.numeric)
    for feature in features.dense:
        if feature.name not in dropped:
            yield feature.name, range(start, start + feature.width)
        start += feature.width
