"""The public sets: what to get, from whom, under which licence, and what becomes of it.

Only facts: who lists the sets need not wait for polars.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from automtl.errors import DataError
from automtl.spec.problems import closest

__all__ = ["DEFAULT_OUT", "SETS", "PublicSet", "public_set", "written_by"]

# where the specs in search_spaces/ look for their rows
DEFAULT_OUT = Path("search_spaces/data")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicSet:
    """One set that `automtl data prepare NAME RAW_DIR` reads.

    `files` are needed, `optional` ones are read where they are; each may be as published, gzipped,
    or inside a zip or tar archive of the folder. `writes` are the names of the Parquet files, the
    first of them always, one more for the optional files. `module` reads the set. `spec` is one of
    search_spaces/ that fits the columns; `is_in_spec` if it reads this very file.
    """

    name: str
    title: str
    module: str
    publisher: str
    files: tuple[str, ...]
    optional: tuple[str, ...] = ()
    writes: tuple[str, ...]
    spec: str
    is_in_spec: bool = True
    licence: str
    citation: str


_KUAIRAND_PARTS = {"pure": ("",), "1k": ("",), "27k": ("_part1", "_part2")}
_COUNTRIES = {"nl": "Netherlands", "es": "Spain", "fr": "France", "us": "United States"}


def _kuairand(version: str) -> PublicSet:
    title = version.capitalize() if version == "pure" else version.upper()
    logs = [
        f"log_standard_{days}_{version}{part}.csv"
        for days in ("4_08_to_4_21", "4_22_to_5_08")
        for part in _KUAIRAND_PARTS[version]
    ]
    tables = [f"user_features_{version}.csv", f"video_features_basic_{version}.csv"]
    return PublicSet(
        name=f"kuairand_{version}",
        title=f"KuaiRand-{title}: impressions of short videos",
        module="automtl.data.sets.kuairand",
        publisher=f"KuaiRand-{title}.tar.gz from https://kuairand.com",
        files=(*logs, *tables),
        optional=(f"log_random_4_22_to_5_08_{version}.csv",),
        writes=(f"kuairand_{version}.parquet", f"kuairand_{version}_random.parquet"),
        spec="kuairand.yaml" if version == "pure" else "kuairand_1k.yaml",
        is_in_spec=version != "27k",
        licence="CC BY-SA 4.0",
        citation="Gao et al., KuaiRand: An Unbiased Sequential Recommendation Dataset with Randomly"
        " Exposed Videos, CIKM 2022",
    )


def _aliexpress(country: str) -> PublicSet:
    folder = f"AliExpress_{country.upper()}"
    return PublicSet(
        name=f"aliexpress_{country}",
        title=f"AliExpress search, {_COUNTRIES[country]}",
        module="automtl.data.sets.aliexpress",
        publisher=f"{folder} (train.csv, test.csv) of the processed AliExpressDataset, from"
        " https://github.com/easezyc/Multitask-Recommendation-Library; its source is"
        " https://tianchi.aliyun.com/dataset/74690",
        files=(f"{folder}/train.csv", f"{folder}/test.csv"),
        writes=(f"aliexpress_{country}.parquet",),
        spec="aliexpress.yaml",
        is_in_spec=country == "nl",
        licence="the publisher's terms, see its page",
        citation="Li et al., Improving Multi-Scenario Learning to Rank in E-commerce by Exploiting"
        " Task Relationships in the Label Space, CIKM 2020",
    )


_ALL = (
    PublicSet(
        name="ali_ccp",
        title="Ali-CCP: clicks and purchases in Taobao's recommendations",
        module="automtl.data.sets.ali_ccp",
        publisher="sample_train.tar.gz and sample_test.tar.gz of Ali-CCP from"
        " https://tianchi.aliyun.com/dataset/408",
        files=(
            "common_features_train.csv",
            "sample_skeleton_train.csv",
            "common_features_test.csv",
            "sample_skeleton_test.csv",
        ),
        writes=("ali_ccp.parquet",),
        spec="ali_ccp.yaml",
        licence="the publisher's terms, see its page",
        citation="Ma et al., Entire Space Multi-Task Model: An Effective Approach for Estimating"
        " Post-Click Conversion Rate, SIGIR 2018",
    ),
    *(_aliexpress(country) for country in _COUNTRIES),
    PublicSet(
        name="census_income",
        title="Census-Income (KDD): people of the US Current Population Surveys of 1994 and 1995",
        module="automtl.data.sets.census_income",
        publisher="Census-Income (KDD) of the UCI Machine Learning Repository,"
        " https://archive.ics.uci.edu/dataset/117",
        files=("census-income.data", "census-income.test"),
        writes=("census_income.parquet",),
        spec="census_income.yaml",
        licence="CC BY 4.0",
        citation="Census-Income (KDD), UCI Machine Learning Repository, 2000",
    ),
    *(_kuairand(version) for version in _KUAIRAND_PARTS),
)

SETS = {one.name: one for one in _ALL}


def public_set(name: str) -> PublicSet:
    """Raises DataError naming those that there are."""
    if name not in SETS:
        known = ", ".join(SETS)
        raise DataError(f"{name}: no such set; {closest(name, SETS)} there are: {known}")
    return SETS[name]


def written_by(file: str) -> PublicSet | None:
    """The set that writes a Parquet file of this name."""
    return next((one for one in SETS.values() if file in one.writes), None)
