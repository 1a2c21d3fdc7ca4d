"""Text cut into tokens, and who reads them one by one: what a recursive descent stands on."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["NAME", "NUMBER", "Token", "TokenReader", "split"]

# for the patterns of `split`
NUMBER = r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
NAME = r"(?P<name>[^\W\d]\w*)"


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is without the quotes or brackets around it, `start` is where these begin."""

    kind: str
    text: str
    start: int


def split(
    text: str, pattern: re.Pattern[str], *, wrong: Callable[[Token], Exception]
) -> list[Token]:
    """The tokens of `text`, between which spaces may stand; the last one is of kind `end`.

    `pattern` matches one token by a named group, which is its kind. Raises what `wrong` makes of
    the first character that begins none.
    """
    tokens: list[Token] = []
    place, end = 0, len(text.rstrip())
    while place < end:
        start = len(text) - len(text[place:].lstrip())
        found = pattern.match(text, start)
        if found is None:
            raise wrong(Token("wrong", text[start], start))
        kind = found.lastgroup
        assert kind is not None
        tokens.append(Token(kind, found[kind], start))
        place = found.end()
    return [*tokens, Token("end", "", end)]


class TokenReader:
    """Tokens as `split` returns them, and the one that is read next; `end` stays the next."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens, self._next = tokens, 0

    @property
    def _here(self) -> Token:
        return self._tokens[self._next]

    def _at(self, *signs: str) -> bool:
        return self._here.kind == "sign" and self._here.text in signs

    def _take(self) -> Token:
        token = self._here
        self._next += token.kind != "end"
        return token
