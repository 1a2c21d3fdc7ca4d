"""Small tables in the shapes of public sets, to guess at: names, types and kinds of values."""

import numpy as np
import polars as pl

START = 1_650_800_000  # seconds since 1970: 2022-04-24


def zipf(rng, num_values, num_rows):
    """Ids, frequent ones anywhere in their range."""
    names = rng.permutation(num_values) + 1
    return names[np.minimum(num_values - 1, (num_values * rng.random(num_rows) ** 2)).astype(int)]


def after(rng, condition, rate):
    """Events that only follow another."""
    return ((condition == 1) & (rng.random(len(condition)) < rate)).astype(int)


def kuairand(num_rows=8000, seed=0):
    """A log of KuaiRand: reactions, milliseconds watched, `time_ms`, `date` as a number."""
    rng = np.random.default_rng(seed)
    time_ms = np.sort(START * 1000 + rng.integers(0, 14 * 86_400_000, num_rows))
    click = (rng.random(num_rows) < 0.4).astype(int)
    duration = rng.lognormal(10, 1, num_rows).astype(int)
    watched = np.where(click == 1, duration * rng.random(num_rows), rng.integers(0, 300, num_rows))
    return pl.DataFrame(
        {
            "user_id": zipf(rng, 2000, num_rows),
            "video_id": zipf(rng, 3000, num_rows),
            "date": 20_220_424 + (time_ms // 1000 - START) // 86_400 % 6,
            "hourmin": rng.integers(0, 24, num_rows) * 100,
            "time_ms": time_ms,
            "is_click": click,
            "is_like": (rng.random(num_rows) < 0.02).astype(int),
            "long_view": after(rng, click, 0.7),
            "play_time_ms": watched.astype(int),
            "duration_ms": duration,
            "tab": rng.integers(0, 15, num_rows),
        }
    )


def census(num_rows=6000, seed=0):
    """Census-Income (KDD): text, counts, sums that are mostly 0, a survey's weight."""
    rng = np.random.default_rng(seed)
    married = rng.choice(["Never married", "Married", "Widowed"], num_rows)
    gains, dividends = (
        np.where(rng.random(num_rows) < share, rng.integers(0, 99_999, num_rows), 0)
        for share in (0.04, 0.1)
    )
    return pl.DataFrame(
        {
            "age": rng.integers(0, 90, num_rows),
            "class_worker": rng.choice(["Private", "Self-employed", "Not in universe"], num_rows),
            "det_occ_code": rng.integers(0, 47, num_rows),
            "marital_stat": married,
            "capital_gains": gains,
            "stock_dividends": dividends,
            "instance_weight": rng.normal(1700, 900, num_rows),
            "weeks_worked": rng.integers(0, 53, num_rows),
            "income_50k": (rng.random(num_rows) < 0.06).astype(int),
            "never_married": (married == "Never married").astype(int),
        }
    )  # fmt: skip


def ali_ccp(num_rows=8000, seed=0):
    """Ali-CCP: fields are called by numbers, ids of users and items among them."""
    rng = np.random.default_rng(seed)
    click = (rng.random(num_rows) < 0.2).astype(int)
    return pl.DataFrame(
        {
            "click": click,
            "purchase": after(rng, click, 0.1),
            "101": zipf(rng, 400_000, 3000)[rng.integers(0, 3000, num_rows)],
            "121": rng.integers(1, 98, num_rows),
            "122": rng.integers(1, 14, num_rows),
            "205": zipf(rng, 4_000_000, 2000)[rng.integers(0, 2000, num_rows)],
            "206": zipf(rng, 9000, num_rows),
            "D508": rng.lognormal(0, 1, num_rows),
        }
    )


def ali_express(num_rows=8000, seed=0):
    """AliExpress: a search's id, features called by kind and number, labels at the end."""
    rng = np.random.default_rng(seed)
    click = (rng.random(num_rows) < 0.1).astype(int)
    return pl.DataFrame(
        {
            "search_id": np.repeat(np.arange(num_rows // 20), 20),
            **{f"categorical_{n}": zipf(rng, 10 * n, num_rows) for n in range(1, 5)},
            **{f"numerical_{n}": rng.normal(size=num_rows) for n in range(1, 5)},
            "click": click,
            "conversion": after(rng, click, 0.15),
        }
    )


def movie_lens(num_rows=8000, seed=0):
    """MovieLens: ratings and seconds since 1970."""
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "userId": zipf(rng, 500, num_rows),
            "movieId": zipf(rng, 900, num_rows),
            "rating": rng.integers(1, 11, num_rows) / 2,
            "timestamp": START - rng.integers(0, 3 * 365 * 86_400, num_rows),
        }
    )


def criteo(num_rows=8000, seed=0):
    """Criteo: the label first, counts with gaps, hashes; names that say nothing."""
    rng = np.random.default_rng(seed)
    counts = {
        f"_c{n}": pl.Series(rng.lognormal(3, 2, num_rows).astype(int).clip(0, 2**31 - 1))
        for n in range(1, 5)
    }
    ids = {f"_c{n}": zipf(rng, 300, num_rows) for n in range(5, 8)}
    hashes = {
        name: pl.Series([f"{(7919 * one * one + 104_729) % 2**32:08x}" for one in values])
        for name, values in ids.items()
    }
    frame = pl.DataFrame({"_c0": (rng.random(num_rows) < 0.25).astype(int), **counts, **hashes})
    gaps = pl.Series(rng.random(num_rows) < 0.3)
    return frame.with_columns(pl.when(~gaps).then("_c2").alias("_c2"))
