"""Where a report comes from: what would be needed to get the same one again."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automtl.study import Study

__all__ = ["Provenance", "provenance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """`facts` in the order they are shown; `spec` is the resolved spec, as text."""

    facts: tuple[tuple[str, str], ...]
    spec: str


def provenance(study: Study) -> Provenance:
    """The lock of the study, in words, and its spec as it was resolved."""
    meta, spec = study.meta, study.run_dir / "spec.yaml"
    started = dt.datetime.fromisoformat(meta["created"])
    versions = ", ".join(f"{name} {version}" for name, version in meta["versions"].items())
    facts = {
        "command": meta["command"],
        "started": f"{started:%Y-%m-%d %H:%M} UTC",
        "run": str(study.run_dir),
        "seed": str(meta["seed"]),
        "versions": versions,
        "spec": f"sha256 {meta['spec_digest'][:16]}",
        "data": f"fingerprint {meta['data']['fingerprint'][:16]}",
    }
    return Provenance(
        facts=tuple(facts.items()),
        spec=spec.read_text(encoding="utf-8") if spec.exists() else "",
    )
