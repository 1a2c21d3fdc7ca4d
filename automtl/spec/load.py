"""A YAML file becomes a Spec, every problem with its line and column. The only user of ruamel.

YAML 1.2: `NO` is text, `1e-3` is a number, and a key that stands twice is an error.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from automtl.byte_marks import marked_encoding
from automtl.errors import Diagnostic, SpecError
from automtl.spec.diagnostics import Place, diagnose, dotted
from automtl.spec.document import Document, set_value
from automtl.spec.problems import Loc, closest, problems_of
from automtl.spec.schema import Spec

__all__ = ["Document", "dump_yaml", "load_spec", "parse_document"]

MERGE = "tag:yaml.org,2002:merge"
MAX_NODES = 100_000  # aliases can blow up a small file
MAX_FLOW_WIDTH = 88


def load_spec(path: str | Path, *, overrides: Sequence[str] = (), check_files: bool = True) -> Spec:
    """The spec at `path`, changed by `overrides` such as `search.trials=3` (values are YAML).

    Raises SpecError with all problems: of the file, of the overrides, and, with `check_files`,
    data files that do not exist. Relative data paths start at the spec's directory.
    """
    source, path = str(path), Path(path)
    document = parse_document(_read(path), source)
    for override in overrides:
        document = set_value(document, override, parse=parse_document)
    problems = list(document.problems)
    try:
        spec = Spec.validate_raw(
            document.raw, base_dir=path.absolute().parent, check_files=check_files
        )
    except ValidationError as error:
        problems += diagnose(
            problems_of(error),
            document.raw,
            places=document.places,
            overrides=document.overrides,
        )
    if problems:
        raise SpecError(source, sorted(problems, key=lambda p: (not p.line, p.line, p.column)))
    return spec


def parse_document(text: str, source: str) -> Document:
    """The YAML of one spec; raises SpecError where it is no YAML at all or holds nothing."""
    return _Reader(source).read(text)


def dump_yaml(plain: Mapping[str, Any]) -> str:
    """Plain data as YAML that reads back to the same: blocks outside, short `{...}` inside."""
    yaml = YAML()
    yaml.width = 100
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    yaml.dump(_styled(plain, depth=0), out)
    return out.getvalue()


def _read(path: Path) -> str:
    def refuse(rule: str, hint: str) -> SpecError:
        return SpecError(str(path), [Diagnostic(key="file", rule=rule, hint=hint)])

    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        near = path.parent.glob("*.y*ml") if path.parent.is_dir() else ()
        hint = closest(path.name, [one.name for one in near])
        raise refuse("there is no such file", hint or "automtl init writes one") from None
    except IsADirectoryError:
        raise refuse("is a directory", "name the spec inside it") from None
    except UnicodeDecodeError as error:
        marked = marked_encoding(error.object[:4])
        rule = f"is not UTF-8 text (byte {error.start})"
        if marked:
            rule = f"is {marked.upper()} text by its first bytes, not UTF-8"
        raise refuse(rule, f"convert it: iconv -f {marked or 'latin1'} -t utf-8") from None
    except OSError as error:
        raise refuse(f"cannot be read: {error.strerror}", "check its permissions") from None


# ---- reading -------------------------------------------------------------------------------


class _Reader:
    """Walks one document's nodes, collecting data, places and problems."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.yaml = YAML(typ="safe", pure=True)
        self.places: dict[Loc, Place] = {}
        self.problems: list[Diagnostic] = []
        self.num_nodes = 0

    def read(self, text: str) -> Document:
        try:
            node = self.yaml.compose(text)
        except MarkedYAMLError as error:
            raise SpecError(self.source, [_syntax(error)]) from None
        except YAMLError as error:
            rule = str(error).splitlines()[0]
            raise SpecError(self.source, [Diagnostic(key="syntax", rule=rule)]) from None
        except RecursionError:
            raise SpecError(self.source, [_too_much("is nested too deeply")]) from None
        if node is None:
            hint = "automtl init writes a spec to start from"
            raise SpecError(self.source, [Diagnostic(key="file", rule="is empty", hint=hint)])
        try:
            raw = self.value(node, (), ())
        except RecursionError:
            raise SpecError(self.source, [_too_much("is nested too deeply")]) from None
        start = (1, 1) if isinstance(raw, dict) else _start(node)
        self.places[()] = Place(key=start, value=start)
        return Document(raw=raw, places=self.places, problems=tuple(self.problems))

    def value(self, node: Node, loc: Loc, above: tuple[int, ...]) -> Any:
        self.num_nodes += 1
        if self.num_nodes > MAX_NODES:
            raise SpecError(self.source, [_too_much(f"holds more than {MAX_NODES:,} values")])
        if id(node) in above:
            self.complain(node, loc, "an alias inside its own anchor", "write the value out")
            return None
        above = (*above, id(node))
        match node:
            case SequenceNode():
                items = []
                for index, item in enumerate(node.value):
                    self.places[(*loc, index)] = Place(key=_start(item), value=_start(item))
                    items.append(self.value(item, (*loc, index), above))
                return items
            case MappingNode():
                return self.mapping(node, loc, above)
            case _:
                return self.scalar(node, loc)

    def mapping(self, node: MappingNode, loc: Loc, above: tuple[int, ...]) -> dict[Any, Any]:
        raw: dict[Any, Any] = {}
        merged: list[Node] = []
        for key_node, value_node in node.value:
            if key_node.tag == MERGE:
                is_list = isinstance(value_node, SequenceNode)
                merged += value_node.value if is_list else [value_node]
                continue
            key = self.key(key_node, loc)
            if key in raw:
                first = self.places[(*loc, key)].key[0]
                hint = f"it stands at line {first} already; keep one"
                self.complain(key_node, (*loc, key), "the key stands twice", hint)
                continue
            self.places[(*loc, key)] = Place(key=_start(key_node), value=_start(value_node))
            raw[key] = self.value(value_node, (*loc, key), above)
        for other in merged:
            raw = {**self.merged(other, loc, above), **raw}  # what stands here wins
        return raw

    def merged(self, node: Node, loc: Loc, above: tuple[int, ...]) -> dict[Any, Any]:
        """What `<<: *node` brings; its own places do not count against those of the heir."""
        if not isinstance(node, MappingNode) or id(node) in above:
            self.complain(node, loc, "<< needs another mapping", "write <<: *name")
            return {}
        places = dict(self.places)
        inherited = self.mapping(node, loc, (*above, id(node)))
        self.places.update(places)
        return inherited

    def key(self, node: Node, loc: Loc) -> str:
        key = self.scalar(node, loc) if isinstance(node, ScalarNode) else None
        if not isinstance(key, str):
            text = str(node.value) if isinstance(node, ScalarNode) else "a list or mapping"
            rule = f"a key must be text, not {text}"
            self.complain(node, (*loc, text), rule, f'write "{text}":')
            return text
        return key

    def scalar(self, node: Node, loc: Loc) -> Any:
        try:
            return self.yaml.constructor.construct_object(node, deep=True)
        except MarkedYAMLError as error:
            self.complain(node, loc, error.problem or "cannot be read", "take the tag away")
        except ValueError as error:
            self.complain(node, loc, f"cannot be read: {error}", "put it into quotes")
        return None

    def complain(self, node: Node, loc: Loc, rule: str, hint: str) -> None:
        line, column = _start(node)
        self.problems.append(
            Diagnostic(key=dotted(loc), rule=rule, hint=hint, line=line, column=column)
        )


def _start(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _too_much(rule: str) -> Diagnostic:
    return Diagnostic(key="file", rule=rule, hint="write a plain spec")


def _syntax(error: MarkedYAMLError) -> Diagnostic:
    mark = error.problem_mark or error.context_mark
    rule = (error.problem or error.context or "is no YAML").strip()
    hint = ""
    if "\\t" in rule:
        rule, hint = "a tab cannot indent", "indent with spaces"
    elif "mapping values are not allowed" in rule:
        hint = "put the text into quotes, or mind the indentation"
    elif "expected ',' or" in rule or "expected the node content" in rule:
        hint = "is a bracket or comma missing?"
    elif "single document" in (error.context or "") or "another document" in rule:
        rule, hint = "a second document begins", "a spec is one document: take --- away"
    elif "undefined alias" in rule:
        hint = "name the anchor first: &name"
    elif "quoted scalar" in (error.context or ""):
        hint = "close the quote"
    elif "could not find expected ':'" in rule:
        hint = "each line of a mapping is `key: value`"
    elif mark is not None and rule.startswith("expected <block end>"):
        rule, hint = "the indentation does not fit the lines above", "align it with its neighbours"
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
    return Diagnostic(key="syntax", rule=rule, hint=hint, line=line, column=column)


# ---- writing -------------------------------------------------------------------------------


def _styled(value: Any, *, depth: int) -> Any:
    if isinstance(value, Mapping):
        styled: Any = CommentedMap(
            {key: _styled(item, depth=depth + 1) for key, item in value.items()}
        )
    elif isinstance(value, list | tuple):
        styled = CommentedSeq([_styled(item, depth=depth + 1) for item in value])
    else:
        return value
    if isinstance(value, list | tuple):
        in_flow = not any(isinstance(item, Mapping) for item in value)
    else:
        in_flow = not value or (depth >= 2 and len(str(value)) <= MAX_FLOW_WIDTH)
    if in_flow:
        styled.fa.set_flow_style()
    return styled
