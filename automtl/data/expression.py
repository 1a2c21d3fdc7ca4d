"""Labels that are computed: text to a tree, and what columns it needs. Nothing is evaluated here.

    either   = both { "or" both }                     rating >= 4 or saved
    both     = negated { "and" negated }              watch_ms / duration_ms > 0.8 and not skipped
    negated  = "not" negated | compared
    compared = sum [ sign sum | "is" ["not"] "null" | ["not"] "in" "(" value { "," value } ")" ]
    sum      = product { ("+" | "-") product }
    product  = part { ("*" | "/") part }
    part     = "-" part | "(" either ")" | value | name | "[" any name "]"
    value    = number | 'text' | "true" | "false"

`sign` is one of == = != <> < <= > >=. A label that has no operator is the name of a column as it
stands; an odd name inside an expression, or one that looks like an expression, goes in brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from automtl.errors import DataError
from automtl.tokens import NAME, NUMBER, Token, TokenReader, split

__all__ = [
    "Column",
    "Expression",
    "ExpressionError",
    "Infix",
    "IsIn",
    "IsNull",
    "Negated",
    "Value",
    "column_text",
    "is_column",
    "label_columns",
    "parse_label",
    "tree_columns",
]

LONGEST = 500  # characters
DEEPEST = 50  # parts inside parts
LOOKS_COMPUTED = re.compile(
    r"[<>=]|\s[-+*/]\s|\s(and|or|is|in)\s|^not\s|^\[.*\]$", re.IGNORECASE | re.DOTALL
)
TOKEN = re.compile(
    rf"{NUMBER}|{NAME}|'(?P<text>(?:[^']|'')*)'|\"(?P<quoted>(?:[^\"]|\"\")*)\""
    r"|\[(?P<column>[^\]]+)\]|(?P<sign>==|!=|<>|<=|>=|[-+*/()<>=,])"
)
COMPARISONS = {"==": "==", "=": "==", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">"}
COMPARISONS[">="] = ">="
WORDS = ("and", "or", "not", "is", "in", "null", "true", "false")


class ExpressionError(DataError):
    """Text that is no expression: `rule` and `hint`, and where in the text."""

    def __init__(self, text: str, start: int, rule: str, hint: str) -> None:
        self.rule = f"{rule}, at character {start + 1} of {text[:100]!r}"
        self.hint = hint
        super().__init__(f"{self.rule}; {hint}")


@dataclass(frozen=True, slots=True)
class Value:
    """A number, a text or a truth value that stands in the expression."""

    value: float | str | bool


@dataclass(frozen=True, slots=True)
class Column:
    name: str


@dataclass(frozen=True, slots=True)
class Infix:
    """`left sign right`: a comparison, arithmetic, `and`, `or`."""

    sign: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Negated:
    """`not of`, or `- of` where `is_number`."""

    of: Expression
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class IsNull:
    of: Expression


@dataclass(frozen=True, slots=True)
class IsIn:
    of: Expression
    values: tuple[float | str, ...]


Expression: TypeAlias = Value | Column | Infix | Negated | IsNull | IsIn


def parse_label(text: str) -> Expression:
    """The column or the expression that a `label` says; raises ExpressionError."""
    if not LOOKS_COMPUTED.search(text):
        return Column(text)
    return _Parser(text).whole()


def is_column(text: str) -> bool:
    """Whether a `label` is the name of a column, not computed from some."""
    return isinstance(parse_label(text), Column)


def column_text(name: str) -> str | None:
    """How a column is written inside an expression; None where that cannot be."""
    if re.fullmatch(r"[^\W\d]\w*", name) and name.lower() not in WORDS:
        return name
    return None if "]" in name else f"[{name}]"


def label_columns(text: str) -> tuple[str, ...]:
    """The columns that a `label` needs, each once; raises ExpressionError."""
    return tree_columns(parse_label(text))


def tree_columns(tree: Expression) -> tuple[str, ...]:
    """The columns that it needs, each once."""
    return tuple(dict.fromkeys(_columns(tree)))


def _columns(tree: Expression) -> Iterator[str]:
    match tree:
        case Column(name):
            yield name
        case Infix(_, left, right):
            yield from _columns(left)
            yield from _columns(right)
        case Negated(of) | IsNull(of) | IsIn(of):
            yield from _columns(of)


class _Parser(TokenReader):
    """Recursive descent, a method a line of the grammar."""

    def __init__(self, text: str) -> None:
        self._text, self._depth = text, 0
        if len(text) > LONGEST:
            raise ExpressionError(text, LONGEST, f"is longer than {LONGEST} characters", "shorten")
        super().__init__([_unquoted(token) for token in split(text, TOKEN, wrong=self._no_token)])

    def whole(self) -> Expression:
        tree = self._either()
        if self._here.kind != "end":
            raise self._wrong(
                "what stands here belongs to nothing", "write and, or, or an operator"
            )
        if not any(_columns(tree)):
            raise ExpressionError(self._text, 0, "names no column", "write rating >= 4")
        return tree

    def _either(self) -> Expression:
        tree = self._both()
        while self._took_word("or"):
            tree = Infix("or", tree, self._both())
        return tree

    def _both(self) -> Expression:
        tree = self._negated()
        while self._took_word("and"):
            tree = Infix("and", tree, self._negated())
        return tree

    def _negated(self) -> Expression:
        if self._took_word("not"):
            self._deeper()
            tree = Negated(self._negated())
            self._depth -= 1
            return tree
        return self._compared()

    def _compared(self) -> Expression:
        left = self._sum()
        if self._took_word("is"):
            is_not = self._took_word("not")
            self._expect_word("null")
            return Negated(IsNull(left)) if is_not else IsNull(left)
        if self._is_word("in") or self._is_word("not"):
            is_not = self._took_word("not")
            self._expect_word("in")
            found = IsIn(left, self._values())
            return Negated(found) if is_not else found
        if self._at(*COMPARISONS):
            sign = COMPARISONS[self._take().text]
            tree = Infix(sign, left, self._sum())
            if self._at(*COMPARISONS):
                raise self._wrong("a comparison of a comparison", "write a < b and b < c")
            return tree
        return left

    def _sum(self) -> Expression:
        tree = self._product()
        while self._at("+", "-"):
            tree = Infix(self._take().text, tree, self._product())
        return tree

    def _product(self) -> Expression:
        tree = self._part()
        while self._at("*", "/"):
            tree = Infix(self._take().text, tree, self._part())
        return tree

    def _part(self) -> Expression:
        token = self._here
        if token.kind in ("number", "text") or (token.kind == "name" and self._is_truth()):
            return Value(self._value())
        if token.kind == "column" or (token.kind == "name" and token.text.lower() not in WORDS):
            return Column(self._take().text)
        if self._at("-", "("):
            self._take()
            self._deeper()
            tree = Negated(self._part(), is_number=True) if token.text == "-" else self._either()
            if token.text == "(":
                self._expect(")")
            self._depth -= 1
            return tree
        what = (
            "something is missing" if token.kind == "end" else f"{token.text!r} cannot stand here"
        )
        raise self._wrong(what, "write a column, a number or a text in quotes")

    def _values(self) -> tuple[float | str, ...]:
        self._expect("(")
        values = [self._value()]
        while self._at(","):
            self._take()
            values.append(self._value())
        self._expect(")")
        return tuple(values)

    def _value(self) -> float | str | bool:
        token = self._here
        if token.kind == "name" and self._is_truth():
            return self._take().text.lower() == "true"
        if token.kind not in ("number", "text"):
            raise self._wrong("a number or a text in quotes is missing", "write in ('a', 'b')")
        self._take()
        return token.text if token.kind == "text" else float(token.text)

    # ---- tokens ----------------------------------------------------------------------------

    def _is_word(self, word: str) -> bool:
        return self._here.kind == "name" and self._here.text.lower() == word

    def _is_truth(self) -> bool:
        return self._is_word("true") or self._is_word("false")

    def _took_word(self, word: str) -> bool:
        if is_here := self._is_word(word):
            self._take()
        return is_here

    def _expect_word(self, word: str) -> None:
        if not self._took_word(word):
            raise self._wrong(f"{word!r} is missing", "write is null, is not null, or in (1, 2)")

    def _expect(self, sign: str) -> None:
        if not self._at(sign):
            raise self._wrong(f"{sign!r} is missing", f"write {sign} here")
        self._take()

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._wrong(f"more than {DEEPEST} parts inside each other", "write it simpler")

    def _wrong(self, rule: str, hint: str) -> ExpressionError:
        return ExpressionError(self._text, self._here.start, rule, hint)

    def _no_token(self, token: Token) -> ExpressionError:
        rule = f"{token.text!r} has no meaning"
        hint = "use + - * / ( ) comparisons, and, or, not, is null, in; odd names as [name]"
        return ExpressionError(self._text, token.start, rule, hint)


def _unquoted(token: Token) -> Token:
    """Text without what its kind of quotes needs: a quote is written twice inside them."""
    match token.kind:
        case "text":
            return Token("text", token.text.replace("''", "'"), token.start)
        case "quoted":
            return Token("text", token.text.replace('""', '"'), token.start)
        case _:
            return token
