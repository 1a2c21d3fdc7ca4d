"""docs/spec.md, written from the JSON schema: every key, what it takes, its default, its meaning.

`python -m automtl.spec.reference > docs/spec.md` renews it; a test fails while it is stale. Types,
bounds, defaults and sentences are those of the blocks in this package: write them there.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from automtl.config import METRICS, MODEL_COSTS
from automtl.spec.schema import json_schema

__all__ = ["reference"]

Schema = Mapping[str, Any]

HEAD = """\
# The spec, key by key

<!-- Written by `python -m automtl.spec.reference > docs/spec.md`: do not edit, edit the blocks. -->

A spec is one YAML file: rows, tasks, what is better, what may vary, and for how long. Unknown keys
are mistakes, and `automtl validate SPEC` shows all mistakes at once. `automtl schema` prints the
same as JSON schema; an editor that speaks YAML completes and checks a spec by its first line:

```
# yaml-language-server: $schema=./automtl.schema.json
```

- Paths are relative to the spec's file. `1e-3` is a number, `no` is a text.
- `--set KEY=VALUE` of `validate`, `doctor` and `search` changes one key: `--set search.trials=3`.
- **free as** says how a knob may be searched; a bare value is fixed. `int: [1, 8]` and
  `float: [1e-4, 1e-2]` are ranges with both ends, with `log: true` evenly in the logarithm;
  `choice: [a, b]` is a list of options. Every value obeys the rule of the bare one. A baseline
  takes the first option of a choice and the (geometric, if `log`) middle of a range.
- The default – stands for nothing.
"""
OBJECTIVES = """\
## Objectives and constraints

`objectives` names what the front is about, `constraints` limits: `click.auc >= 0.7`,
`params <= 5e6`. Both sides of a limit are included. Names are `TASK.METRIC` or a cost of the model:
"""
ACROSS = """\
## Rules across places

- Rows come from `data.path` or from `data.generate`, not from both.
- A column is one feature, listed once. A feature that is a task's label, or the split, would leak.
- `given` names a binary task of the spec, and conditions do not run in a circle.
- A task cannot be named like a model cost, nor a label be predicted twice after the same condition.
- `esmm` needs a task with `given`; `joint_auc` and `joint_logloss` are for such tasks only.
- `loss_weights` and `loss_decay` name tasks; `decay` needs `loss_decay`, and the other way round.
- `drop_features`, `gate_features` and `embedding_dims` name features as they enter: a column, or
  for times `COLUMN:hour`, `COLUMN:weekday` and `COLUMN:age`.
- A free knob that can have no effect (`sequence_pooling` without a sequence) is a mistake.
- `valid` and `test` together are below 1; the test side may be empty.
"""
MEANINGS = {
    "auc": "area under the ROC curve, over the rows where the task is observed",
    "logloss": "mean negative log likelihood in nats, over the same rows",
    "joint_auc": "of a task with `given`: the AUC of the product along the chain, over all rows",
    "joint_logloss": "likewise the log loss of the product",
    "mae": "mean absolute error, in the label's unit",
    "rmse": "root of the mean squared error, in the label's unit",
    "params": "numbers that are trained",
    "params.embedding": "those of embedding tables",
    "params.dense": "all others",
    "flops": "multiplications and additions of one row's way through the dense part",
    "latency_ms": "scoring `trial.latency_batch` rows, measured before training",
}


def reference() -> str:
    """The text of docs/spec.md."""
    schema = json_schema()
    top = dict(schema) | {"description": ""}
    parts = [HEAD, *_section("Top level", "", top, schema["$defs"]), *_objectives(), ACROSS]
    return "\n".join(parts)


def _section(title: str, path: str, block: Schema, defs: Schema) -> Iterator[str]:
    """A block's keys as a table, then the blocks below it."""
    yield f"{'###' if '.' in path or ',' in title else '##'} {title}\n"
    if said := block.get("description"):
        yield f"{' '.join(said.split())}\n"
    keys = block.get("properties", {})
    if keys:
        yield _table(path, keys, block.get("required", []), defs)
    for name, key in keys.items():
        below = f"{path}.{name}" if path else name
        if key.get("type") == "object":
            below += ".NAME"
        elif _is_by_column(key):
            below += ".COLUMN"
        blocks = list(_blocks(key, defs))
        for one in blocks:
            yield from _section(_title(below, one, len(blocks)), below, one, defs)


def _title(path: str, block: Schema, num_blocks: int) -> str:
    if num_blocks == 1:
        return f"`{path}`"
    for name, key in block["properties"].items():
        if "const" in key and isinstance(key["const"], str):
            return f"`{path}`, `{name}: {key['const']}`"
    return f"`{path}`, `{block['required'][0]}`"


def _is_by_column(key: Schema) -> bool:
    return any("additionalProperties" in option for option in key.get("anyOf", []))


def _blocks(schema: Any, defs: Schema) -> Iterator[Schema]:
    """The blocks that a key leads to, knobs left out."""
    if isinstance(schema, list):
        for one in schema:
            yield from _blocks(one, defs)
    elif isinstance(schema, Mapping):
        if "properties" in (target := _target(schema, defs)):
            yield target
        elif "$ref" not in schema:
            for word in ("anyOf", "oneOf", "items", "additionalProperties"):
                yield from _blocks(schema.get(word), defs)
        elif target.get("type") == "object":  # a block without keys
            yield target


def _target(schema: Schema, defs: Schema) -> Schema:
    found: Schema = defs[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
    return found


# ---- tables --------------------------------------------------------------------------------


def _table(path: str, keys: Schema, required: list[str], defs: Schema) -> str:
    has_knobs = any(_free(key, defs) for key in keys.values())
    heads = ["key", "value", *(["free as"] if has_knobs else []), "default", "meaning"]
    rows = [
        [
            f"`{name}`",
            _words(key, defs),
            *([_free(key, defs)] if has_knobs else []),
            "required" if name in required else _default(key),
            _meaning(key, defs),
        ]
        for name, key in keys.items()
    ]
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _words(schema: Schema, defs: Schema) -> str:
    """What a key takes."""
    if len(blocks := list(_blocks(schema, defs))) > 1:
        return "one of the blocks below" if "items" not in schema else "a list of blocks below"
    if blocks and _is_by_column(schema):
        return "columns: a list, or a mapping to blocks"
    if blocks:
        return "names: blocks" if "additionalProperties" in schema else "a block"
    match _target(schema, defs):
        case {"anyOf": [*options]}:
            plain = [one for one in options if one.get("type") not in ("null", "object")]
            return " or ".join(dict.fromkeys(_words(one, defs) for one in plain))
        case {"enum": [*options]}:
            return ", ".join(f"`{_yaml(option)}`" for option in options)
        case {"const": value}:
            return f"`{_yaml(value)}`"
        case {"type": "array", "items": items}:
            return f"a list of: {_words(items, defs)}"
        case {"type": "object", "additionalProperties": values}:
            return f"names: {_words(values, defs)}"
        case {"type": "boolean"}:
            return "`true`, `false`"
        case {"type": "integer" | "number" as kind, **bounds}:
            return _number("whole number" if kind == "integer" else "number", bounds)
        case _:
            return "text"


def _number(kind: str, bounds: Schema) -> str:
    if {"minimum", "maximum"} <= bounds.keys():
        return f"{kind} from {bounds['minimum']:,} to {bounds['maximum']:,}"
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {bounds[key]:,}" for key, sign in signs.items() if key in bounds]
    return " ".join([kind, " and ".join(limits)]).strip()


def _free(schema: Schema, defs: Schema) -> str:
    """The domains that a knob may have; nothing for a key that is no knob."""
    inner = schema.get("additionalProperties", schema)
    options = _target(inner, defs).get("anyOf", []) if isinstance(inner, Mapping) else []
    kinds = [kind for one in options for kind in one.get("properties", {}) if kind != "log"]
    return ", ".join(f"`{kind}`" for kind in kinds)


def _default(key: Schema) -> str:
    value = key.get("default")
    if value in (None, {}, ""):
        return "–"
    return "its defaults" if isinstance(value, Mapping) else f"`{_yaml(value)}`"


def _meaning(key: Schema, defs: Schema) -> str:
    if "const" in key and "description" not in key:
        return "says which block this is"
    said = key.get("description") or _target(key, defs).get("description", "")
    return " ".join(str(said).split())


def _yaml(value: Any) -> str:
    return value if isinstance(value, str) else re.sub(r'"(\w+)"', r"\1", json.dumps(value))


def _objectives() -> Iterator[str]:
    yield OBJECTIVES
    rows = [["name", "of", "better", "meaning"], ["---"] * 4]
    for kind, metrics in METRICS.items():
        for name, direction in metrics.items():
            rows.append([f"`TASK.{name}`", f"{kind} tasks", direction, MEANINGS[name]])
    rows += [[f"`{name}`", "the model", "minimize", MEANINGS[name]] for name in MODEL_COSTS]
    yield "\n".join(f"| {' | '.join(cells)} |" for cells in rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
