"""`automtl train`: the model that goes out, of one configuration, on all rows but those of test."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from automtl.cli.options import (
    INTERRUPTED,
    Address,
    AsJson,
    Executor,
    Overrides,
    Workers,
    json_text,
    resume_command,
)

__all__ = ["train"]

ConfigPath = Annotated[
    Path,
    typer.Argument(metavar="CONFIG", help="A spec without free knobs: a bundle's config.yaml."),
]


def train(
    config: ConfigPath,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The training; reports/NAME-trained.")
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=100, help="The first is the config's, others follow from it.")
    ] = 1,
    rows: Annotated[
        Literal["train+valid", "train"],
        typer.Option(help="What to learn from; test rows only report."),
    ] = "train+valid",
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where to export to; OUT/bundle if left out."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Export every seed, not the median one alone.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a training, or with more seeds.")
    ] = False,
    checkpoint: Annotated[
        float, typer.Option(metavar="MINUTES", min=0, help="What a kill costs at most.")
    ] = 5.0,
    overrides: Overrides = None,
    workers: Workers = None,
    executor: Executor = "local",
    address: Address = None,
    as_json: AsJson = False,
) -> None:
    """Train one configuration for use, on train and valid rows."""
    from automtl.config import to_jsonable
    from automtl.export.final import Places, train_and_export
    from automtl.final.run import run_training
    from automtl.spec.load import load_spec
    from automtl.terminal import console
    from automtl.terminal.rows_line import PATIENCE_S, RowsLine
    from automtl.terminal.train_line import TrainLine
    from automtl.terminal.train_text import training_text

    spec = load_spec(config, overrides=overrides or ())
    places = Places.of(spec.name, out=out, to=bundle)
    run = partial(
        run_training,
        spec,
        places.run_dir,
        source=str(config),
        seeds=seeds,
        trained_on=rows,
        resume=resume,
        executor=executor,
        workers=workers,
        address=address,
        checkpoint_s=60 * checkpoint,
        progress=TrainLine(),
        report=RowsLine(patience_s=PATIENCE_S).report,
    )
    try:
        study, training, bundles = train_and_export(
            places, run, seeds=seeds, resume=resume, every=every
        )
    except KeyboardInterrupt:
        if (places.run_dir / "study.json").exists():
            console.error(f"interrupted; go on with:\n  {resume_command()}")
        else:
            console.error("interrupted before the training began")
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        document = {**to_jsonable(training), "bundles": [str(one) for one in bundles]}
        console.emit(json_text(document))
        return
    lines = [training_text(study, training).rstrip()]
    lines += [f"bundle: {one}" for one in bundles]
    lines.append(f"next:   automtl predict {shlex.quote(str(bundles[0]))} DATA --out FILE")
    console.emit("\n".join(lines))
