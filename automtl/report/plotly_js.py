"""Of plotly.js only what a page draws: a browser takes seconds to read and start all of it.

The bundle in plotly's package is one file of a thousand modules, `var a=W((exports,module)=>{…})`,
each run when another one first calls `a()`; the last of them registers all kinds of traces. With a
shorter register what it does not reach can go. That is how esbuild writes bundles, not a promise of
plotly's: where the text looks otherwise in any way, all of it is taken.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

__all__ = ["trimmed"]

CORE = frozenset({"scatter"})  # plotly.js cannot do without
MOST_STEPS = 3  # from what is registered to the module that says its name
MODULE = re.compile(r"(?<=[;}\n])var ([\w$]+)=([\w$]+)\((?:\([\w$,]*\)|[\w$]+)=>\{")
REGISTER = re.compile(r"\.register\(\[([\w$]+\(\)(?:,[\w$]+\(\))*)\]\)")
KIND = re.compile(r'moduleType:"trace",name:"(\w+)"')
WORD = re.compile(r"[\w$]+")


@lru_cache(maxsize=4)
def trimmed(source: str, kinds: frozenset[str]) -> str:
    """`source`, plotly.js, without what no trace of these `kinds` needs; `scatter` always stays.

    All of it where it is not the bundle that we know or does not have one of the kinds. Comments
    before and after the modules, with the licences, stay.
    """
    bundle = _split(source)
    if bundle is None:
        return source
    found = REGISTER.search(bundle.modules[bundle.entry])
    if found is None:
        return source
    registered = found[1].replace("()", "").split(",")
    if not bundle.modules.keys() >= set(registered):
        return source
    kind_of = {name: bundle.kind(name) for name in registered}
    if not kinds - CORE <= set(kind_of.values()):
        return source
    kept = [name for name in registered if kind_of[name] in {*kinds, None}]
    calls = ",".join(f"{name}()" for name in kept)
    entry = bundle.modules[bundle.entry].replace(found[0], f".register([{calls}])")
    bundle.modules[bundle.entry] = entry
    reached = bundle.reached([bundle.entry, *bundle.named(bundle.head)])
    return bundle.head + "".join(text for name, text in bundle.modules.items() if name in reached)


@dataclass(frozen=True, slots=True)
class _Bundle:
    """The text before the first module, and each module with what follows it up to the next.

    `needs_before` are modules that come with functions of their own, which stand before them, at
    the end of the text of the module that it names. `entry` is the module that registers.
    """

    head: str
    modules: dict[str, str]
    needs_before: Mapping[str, str]
    entry: str

    def named(self, text: str) -> Iterator[str]:
        """The modules whose names occur, in their order there; some may be other names."""
        return (word for word in dict.fromkeys(WORD.findall(text)) if word in self.modules)

    def reached(self, roots: Collection[str]) -> set[str]:
        found: set[str] = set()
        waiting = [*roots]
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            found.add(name)
            waiting += self.named(self.modules[name])
            if name in self.needs_before:
                waiting.append(self.needs_before[name])
        return found

    def kind(self, name: str) -> str | None:
        """The kind of trace that a registered module is; None for another or an unclear one."""
        here = [name]
        for _ in range(MOST_STEPS):
            kinds = {one for module in here for one in KIND.findall(self.modules[module])}
            if kinds:
                return kinds.pop() if len(kinds) == 1 else None
            here = [one for module in here for one in self.named(self.modules[module])]
        return None


def _split(source: str) -> _Bundle | None:
    """None unless the text is a bundle of which each part is understood."""
    starts = list(MODULE.finditer(source))
    helpers = {start[2] for start in starts}
    if len(starts) < 2 or len(helpers) > 2 or len({start[1] for start in starts}) < len(starts):
        return None
    ends = [start.start() for start in starts[1:]] + [len(source)]
    modules = {
        start[1]: source[start.start() : end] for start, end in zip(starts, ends, strict=True)
    }
    common = starts[0][2]  # of modules that stand for themselves
    needs_before: dict[str, str] = {}
    for before, start in pairwise(starts):
        if start[2] != common:
            needs_before[start[1]] = before[1]
        elif not modules[before[1]].rstrip().endswith("});"):
            return None  # something stands between two modules, and we do not know whose it is
    head = source[: starts[0].start()]
    return _Bundle(head=head, modules=modules, needs_before=needs_before, entry=starts[-1][1])
