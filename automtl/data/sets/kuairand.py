"""KuaiRand (Pure, 1k, 27k): logs of impressions, a table of users, a table of videos.

Rows are the impressions of the last 14 days of the standard log; what was watched before makes
`watch_seq`. Memory: the users (27,000), and 27 bytes a video: 0.2 MB (Pure), 0.12 GB (1k) and
0.9 GB (27k), twice that while the table is read. Logs are streamed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.data.sets.lines import Report, bad_line, read_blocks, read_table, typed
from automtl.data.sets.prepare import Prepared
from automtl.data.sets.raw import RawFile
from automtl.data.sets.registry import public_set
from automtl.data.sets.write import write_rows

__all__ = ["prepare"]

FIRST_DATE, VALID_FROM, TEST_FROM = 20220425, 20220505, 20220507
NUM_WATCHED = 10
FINISHED_SHARE = 0.95  # of the duration: players stop a little before the end
LABELS = (
    "is_click", "long_view", "is_like", "is_follow", "is_comment", "is_forward", "is_hate",
    "is_profile_enter",
)  # fmt: skip
LOG: dict[str, pl.DataType] = {
    "user_id": pl.Int16(), "video_id": pl.Int32(), "date": pl.Int32(), "hourmin": pl.Int32(),
    "time_ms": pl.Int64(), "tab": pl.Int8(), "duration_ms": pl.Int32(), "play_time_ms": pl.Int32(),
    **{name: pl.Int8() for name in LABELS},
}  # fmt: skip
RANGES = (
    "follow_user_num_range", "fans_user_num_range", "friend_user_num_range", "register_days_range",
)  # fmt: skip
_FEATS: dict[int, pl.DataType] = {
    number: pl.Float64() if number == 4 or number >= 12 else pl.Int8()  # those with gaps
    for number in range(18)
} | {3: pl.Int16(), 8: pl.Int16()}
USERS: dict[str, pl.DataType] = {
    "user_id": pl.Int16(), "user_active_degree": pl.String(), "is_lowactive_period": pl.Int8(),
    "is_live_streamer": pl.Int8(), "is_video_author": pl.Int8(),
    **{name: pl.String() for name in RANGES},
    **{f"onehot_feat{number}": dtype for number, dtype in _FEATS.items()},
}  # fmt: skip
VIDEOS: dict[str, pl.DataType] = {
    "video_id": pl.Int32(), "author_id": pl.Int32(), "video_type": pl.String(),
    "upload_type": pl.String(), "music_type": pl.Float64(), "tag": pl.String(),
    "video_duration": pl.Float64(), "upload_dt": pl.String(),
}  # fmt: skip
FEATURES_OF_VIDEO = [name for name in VIDEOS if name not in ("video_id", "upload_dt")]


def schema(version: str) -> pl.Schema:
    """The columns of the Parquet file; ids and ages of the small set are narrower."""
    small = version == "pure"
    log = ("user_id", "video_id", "date", "tab", "duration_ms", *LABELS)
    video: pl.DataType = pl.Int16() if small else pl.Int32()
    return pl.Schema(
        {name: LOG[name] for name in log}
        | {"video_id": video, "finish": pl.Int8(), "play_time_ms": pl.Int32()}
        | {name: dtype for name, dtype in USERS.items() if name != "user_id"}
        | {name: VIDEOS[name] for name in FEATURES_OF_VIDEO}
        | {"hour": pl.Int32(), "upload_age_days": pl.Int8() if small else pl.Int16()}
        | {"split": pl.String(), "watch_seq": pl.List(pl.Int32())}
    )


def prepare(
    name: str, files: Mapping[str, RawFile], out: Path, report: Report, *, block_bytes: int
) -> Iterator[Prepared]:
    """One Parquet file of the standard log, and one of the random log where that is there."""
    version, paths = name.removeprefix("kuairand_"), [out / one for one in public_set(name).writes]
    logs = {part: [file for key, file in files.items() if part in key] for part in _PARTS}
    read = partial(_log, report=report, block_bytes=block_bytes)
    users = read_table(
        files[f"user_features_{version}.csv"], USERS, report, keys=("user_id",)
    ).unique("user_id", keep="first", maintain_order=True)
    videos = _Videos.read(files[f"video_features_basic_{version}.csv"], report, block_bytes)
    watched = _watched(read([*logs["4_08_to_4_21"], *logs["standard_4_22"]]))
    add_features = partial(
        _rows, columns=schema(version), users=users, videos=videos, watched=watched
    )
    yield _write(paths[0], schema(version), read(logs["standard_4_22"]), add_features)
    if logs["random"]:
        yield _write(paths[1], schema(version), read(logs["random"]), add_features)


_PARTS = ("4_08_to_4_21", "standard_4_22", "random")


def _write(
    path: Path,
    columns: pl.Schema,
    log: Iterator[pl.DataFrame],
    add_features: Callable[[pl.DataFrame, Counter[str]], pl.DataFrame],
) -> Prepared:
    odd: Counter[str] = Counter()
    parts = (add_features(impressions, odd) for impressions in log)
    return write_rows(path, columns, parts, odd=odd)


def _log(files: Sequence[RawFile], *, report: Report, block_bytes: int) -> Iterator[pl.DataFrame]:
    """All impressions of some logs."""
    for file in files:
        blocks = read_blocks(file, list(LOG), report, has_header=True, block_bytes=block_bytes)
        for block in blocks:
            yield typed(block, LOG, required=list(LOG))


def _watched(log: Iterator[pl.DataFrame]) -> pl.DataFrame:
    """The last videos that each user played before the first date, the latest at the end.

    What is kept from block to block is at most `NUM_WATCHED` rows a user.
    """
    kept = pl.DataFrame(schema={name: LOG[name] for name in ("user_id", "video_id", "time_ms")})
    for rows in log:
        before = rows.filter(pl.col("date") < FIRST_DATE, pl.col("play_time_ms") > 0)
        kept = (
            pl.concat([kept, before.select(kept.columns)])
            .sort("user_id", "time_ms", "video_id")  # equal times: the pieces must not decide
            .group_by("user_id", maintain_order=True)
            .tail(NUM_WATCHED)
        )
    return kept.group_by("user_id").agg(watch_seq=pl.col("video_id"))


def _rows(
    impressions: pl.DataFrame,
    odd: Counter[str],
    *,
    columns: pl.Schema,
    users: pl.DataFrame,
    videos: _Videos,
    watched: pl.DataFrame,
) -> pl.DataFrame:
    """The impressions from the first date on, with all that is known of user and video."""
    rows = impressions.filter(pl.col("date") >= FIRST_DATE)
    place = videos.place(rows["video_id"])
    strangers = {
        "videos": int((place < 0).sum()),
        "users": int((~rows["user_id"].is_in(users["user_id"].implode())).sum()),
    }
    for table, number in strangers.items():
        if number:
            odd[f"impressions lack features: the table of {table} does not have theirs"] += number
    rows = rows.with_columns(videos.features(place))
    day = pl.col("date").cast(pl.String).str.to_date("%Y%m%d").to_physical()
    split = (
        pl.when(pl.col("date") >= TEST_FROM)
        .then(pl.lit("test"))
        .when(pl.col("date") >= VALID_FROM)
        .then(pl.lit("valid"))
        .otherwise(pl.lit("train"))
    )
    finished = pl.col("play_time_ms") >= FINISHED_SHARE * pl.col("duration_ms")
    return (
        rows.join(users, on="user_id", how="left", maintain_order="left")
        .join(watched, on="user_id", how="left", maintain_order="left")
        .with_columns(
            finish=(finished & (pl.col("duration_ms") > 0)).cast(pl.Int8),
            hour=pl.col("hourmin") // 100,
            upload_age_days=day - pl.col("upload_day"),
            split=split,
        )
        .select(columns.names())
        .cast(columns)
    )


# ---- the table of videos -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Videos:
    """What is known of each video, by ascending id; texts are numbers of `texts`."""

    table: pl.DataFrame
    texts: Mapping[str, list[str]]

    @classmethod
    def read(cls, file: RawFile, report: Report, block_bytes: int) -> _Videos:
        """Raises DataError naming the line of what is no number or no date."""
        numbers: dict[str, dict[str, int]] = {"video_type": {}, "upload_type": {}, "tag": {}}
        pieces = []
        blocks = read_blocks(file, list(VIDEOS), report, has_header=True, block_bytes=block_bytes)
        for block in blocks:
            rows = typed(block, VIDEOS, required=("video_id", "author_id"))
            # the first of a video's tags, as the other sets that use them have it
            rows = rows.with_columns(pl.col("tag").str.split(",").list.first())
            day = rows["upload_dt"].str.to_date("%Y-%m-%d", strict=False)
            if (wrong := day.is_null() & rows["upload_dt"].is_not_null()).any():
                value = rows["upload_dt"].filter(wrong)[0]
                raise bad_line(block, wrong, f"upload_dt {value!r} is no date like 2020-07-08")
            codes = [_codes(rows[name], known) for name, known in numbers.items()]
            rows = rows.with_columns(*codes, day.to_physical().alias("upload_day"))
            pieces.append(rows.drop("upload_dt"))
        table = pl.concat(pieces).unique("video_id", keep="first").sort("video_id")
        return cls(table, {name: list(known) for name, known in numbers.items()})

    def place(self, ids: pl.Series) -> npt.NDArray[np.int64]:
        """The row of each video, -1 where there is none."""
        known = self.table["video_id"].to_numpy()
        wanted = ids.to_numpy()
        place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        return np.where(known[place] == wanted, place, -1)

    def features(self, place: npt.NDArray[np.int64]) -> list[pl.Series]:
        """The columns of the videos at these rows; null at -1."""
        where = pl.Series(place).replace(-1, None)
        rows = self.table.drop("video_id").select(pl.all().gather(where))
        return [
            pl.Series(self.texts[column.name], dtype=pl.String).gather(column).alias(column.name)
            if column.name in self.texts
            else column
            for column in rows
        ]


def _codes(values: pl.Series, known: dict[str, int]) -> pl.Series:
    """Numbers in place of texts; new texts are added to `known`."""
    for value in values.drop_nulls().unique(maintain_order=True).to_list():
        known.setdefault(value, len(known))
    return values.replace_strict(known, default=None, return_dtype=pl.UInt16)
