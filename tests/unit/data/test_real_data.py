"""The real sets through their own specs, against a slow and plain computation."""

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from automtl.data.cache import open_data
from automtl.spec.load import load_spec

SPECS = Path(__file__).parents[3] / "search_spaces"
NUM_CHECKED = 300
# ids that a sequence shares, integers, text, floats with nulls
CHECKED = ("video_id", "tab", "tag", "user_active_degree", "onehot_feat4")


@pytest.fixture(scope="module")
def kuairand(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOMTL_CACHE", str(tmp_path_factory.mktemp("cache")))
        spec = load_spec(SPECS / "kuairand.yaml")
        return spec, open_data(spec), pl.read_parquet(SPECS / "data" / "kuairand_pure.parquet")


def test_every_row_is_on_the_side_that_the_file_says(kuairand):
    _, data, frame = kuairand
    assert dict(data.num_rows) == {"train": 171_671, "valid": 27_224, "test": 29_434}
    for split in data.num_rows:
        assert set(frame["split"][data.source_rows(split)]) == {split}


def test_ids_are_ranks_among_train_values(kuairand):
    spec, data, frame = kuairand
    train = frame.filter(pl.col("split") == "train")
    assert set(CHECKED) <= {feature.name for feature in data.features.categorical}
    shared = {block.shares: name for name, block in spec.data.sequence.items()}
    rows, source = data.rows("valid"), data.source_rows("valid")[:NUM_CHECKED]
    for column, feature in enumerate(data.features.categorical):
        if feature.name not in CHECKED:
            continue
        values = train[feature.name].to_list()
        if sequence := shared.get(feature.name):
            values += train[sequence].explode().to_list()
        counts = Counter(_text(value) for value in values if value is not None)
        ranked = sorted(counts, key=lambda key: (-counts[key], key))
        ids = {key: place + 2 for place, key in enumerate(ranked)} | {None: 0}
        expected = [ids.get(_text(value), 1) for value in frame[feature.name][source]]
        assert rows.ids_NC[:NUM_CHECKED, column].tolist() == expected, feature.name


def test_a_watched_video_has_the_id_of_the_video(kuairand):
    _, data, frame = kuairand
    video = [feature.name for feature in data.features.categorical].index("video_id")
    rows, source = data.rows("train"), data.source_rows("train")
    id_of = dict(zip(frame["video_id"][source], rows.ids_NC[:, video].tolist(), strict=True))
    start = len(data.features.categorical)
    length = data.features.sequence[0].max_len
    for row, place in enumerate(source[:NUM_CHECKED]):
        watched = frame["watch_seq"][int(place)]
        watched = [] if watched is None else watched.to_list()[-length:]
        ids = rows.ids_NC[row, start : start + length].tolist()
        assert ids[len(watched) :] == [0] * (length - len(watched))
        for item, number in zip(watched, ids, strict=False):
            assert number == id_of.get(item, number) >= 2


def test_long_view_is_seen_after_a_click_only(kuairand):
    _, data, frame = kuairand
    names = [task.name for task in data.tasks]
    for split in data.num_rows:
        labels, source = data.rows(split).labels_NK, data.source_rows(split)
        click = frame["is_click"].to_numpy()[source]
        long_view = np.where(click == 1, frame["long_view"].to_numpy()[source], np.nan)
        np.testing.assert_array_equal(labels[:, names.index("click")], click)
        np.testing.assert_array_equal(labels[:, names.index("long_view")], long_view)


@pytest.mark.parametrize("name", ["census_income", "synthetic"])
def test_the_other_specs_that_come_along_find_their_rows(name, tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOMTL_CACHE", str(tmp_path))
    data = open_data(load_spec(SPECS / f"{name}.yaml"))
    assert all(count > 1000 for count in data.num_rows.values())
    assert all(np.isfinite(data.rows(split).numeric_NF).all() for split in data.num_rows)


def _text(value):
    if isinstance(value, float) and value == int(value):
        value = int(value)
    return None if value is None else str(value)
