"""Text to a score.

    score  = term { ("+" | "-") term }            click^a * long_view^b * price
    term   = power { "*" power }                  a*click + b*long_view - c*is_hate
    power  = atom [ "^" ( number | letter ) ]     (1 + a*click)^b * (1 - hide)^c
    atom   = number | name | "[" any name "]" | letter | "(" score ")"

A name is one of those that are known: outputs of a model, columns of the data. One lower-case
letter is a free parameter, which is always above 0; whatever else is not known is a mistake, so a
typo never becomes a parameter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping

from automtl.data.columns import did_you_mean
from automtl.errors import ScoreError
from automtl.fusion.expression import (
    Column,
    Negative,
    Number,
    Parameter,
    Power,
    Product,
    Score,
    Sum,
    columns_of,
    shown,
    written,
)
from automtl.tokens import NAME, NUMBER, Token, TokenReader, split

__all__ = ["parse"]

LONGEST = 2000  # characters of a score
DEEPEST = 50  # parentheses inside parentheses
TOKEN = re.compile(rf"{NUMBER}|{NAME}|\[(?P<quoted>[^\]]+)\]|(?P<sign>[-+*^()])")


def parse(text: str, names: Collection[str], *, refused: Mapping[str, str] | None = None) -> Score:
    """The score that `text` says, of the known `names`.

    `refused` are names that must not be used, each with the reason. ScoreError with the place in
    the text, the rule and the way out.
    """
    return _Parser(text, names, refused or {}).score()


class _Parser(TokenReader):
    """Recursive descent, a method a line of the grammar."""

    def __init__(self, text: str, names: Collection[str], refused: Mapping[str, str]) -> None:
        self._text, self._names, self._refused = text, names, refused
        self._depth = 0
        self._roles: dict[str, str] = {}
        if len(text) > LONGEST:
            raise ScoreError(f"--score: longer than {LONGEST} characters; write a shorter one")
        super().__init__(split(text, TOKEN, wrong=self._no_token))

    def score(self) -> Score:
        found = self._sum()
        if (left := self._here).kind != "end":
            raise self._wrong(
                left, f"{left.text!r} cannot stand here", "write * or + between two parts"
            )
        if not columns_of(found):
            raise self._wrong(self._tokens[0], "names no prediction", f"use {self._examples()}")
        self._check_every_parameter_counts(found)
        return found

    def _sum(self) -> Score:
        terms = [self._product()]
        while self._at("+", "-"):
            sign = self._take().text
            term = self._product()
            terms.append(term if sign == "+" else Negative(term))
        return terms[0] if len(terms) == 1 else Sum(tuple(terms))

    def _product(self) -> Score:
        factors = [self._power()]
        while self._at("*"):
            self._take()
            factors.append(self._power())
        return factors[0] if len(factors) == 1 else Product(tuple(factors))

    def _power(self) -> Score:
        start = self._here
        base = self._atom()
        if not self._at("^"):
            return base
        self._take()
        if not columns_of(base):
            raise self._wrong(start, "a power of numbers is a number", "write it as one")
        return Power(base, self._exponent())

    def _exponent(self) -> Number | Parameter:
        token = self._take()
        if token.kind == "number":
            number = self._number(token)
            if not number.value:
                raise self._wrong(token, "an exponent must be above 0", "leave the factor out")
            return number
        if token.kind == "name" and _is_letter(token.text):
            return self._parameter(token, "an exponent")
        rule = "an exponent is a number above 0 or one lower-case letter, which is then searched"
        hint = "for a prediction that should count against a row write (1 - name)^a"
        raise self._wrong(token, rule, hint if token.text == "-" else "write click^a or click^0.5")

    def _atom(self) -> Score:
        token = self._take()
        match token.kind:
            case "number":
                return self._number(token)
            case "quoted":
                return self._column(token)
            case "name" if _is_letter(token.text):
                return self._parameter(token, "a weight")
            case "name":
                return self._column(token)
            case "sign" if token.text == "(":
                return self._group(token)
            case "end":
                raise self._wrong(
                    token, "something is missing at the end", "write a name or a number"
                )
            case _:
                raise self._wrong(
                    token, f"{token.text!r} cannot stand here", "write a name or a number"
                )

    def _group(self, opened: Token) -> Score:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._wrong(
                opened, f"more than {DEEPEST} parentheses inside each other", "use fewer"
            )
        inner = self._sum()
        if not self._at(")"):
            raise self._wrong(self._here, "a parenthesis is not closed", "write ) here")
        self._take()
        self._depth -= 1
        return inner

    def _number(self, token: Token) -> Number:
        value = float(token.text)
        if not math.isfinite(value):
            raise self._wrong(token, f"{token.text} is too large", "write a number below 1e308")
        return Number(value)

    def _parameter(self, token: Token, role: str) -> Parameter:
        if token.text in self._names:
            rule = f"{token.text} is a column, and one letter is a free parameter"
            raise self._wrong(
                token, rule, f"write [{token.text}] for the column, or take another letter"
            )
        if self._roles.setdefault(token.text, role) != role:
            rule = f"{token.text} is {self._roles[token.text]} already, here it would be {role}"
            raise self._wrong(token, rule, "take two letters")
        return Parameter(token.text)

    def _column(self, token: Token) -> Column:
        if token.text in self._refused:
            raise self._wrong(
                token, f"{token.text!r} {self._refused[token.text]}", "take a prediction"
            )
        if token.text not in self._names:
            near = did_you_mean(token.text, self._names)
            rule = f"no prediction and no column is called {token.text!r}{near}"
            hint = f"use {self._examples()}; a free parameter is one lower-case letter"
            raise self._wrong(token, rule, hint)
        return Column(token.text)

    def _check_every_parameter_counts(self, score: Score) -> None:
        match score:
            case Product(parts):
                what = "scales every row alike"
            case Sum(parts):
                what = "adds the same to every row"
            case _:
                return
        for one in parts:
            inner = one.term if isinstance(one, Negative) else one
            if isinstance(inner, Parameter):
                letter = ("name", inner.name)
                place = next(one for one in self._tokens if (one.kind, one.text) == letter)
                raise self._wrong(
                    place, f"{inner.name} {what}, which changes no order", "leave it out"
                )

    def _examples(self) -> str:
        *first, last = [written(Column(name)) for name in list(self._names)[:4]]
        return f"{', '.join(first)} or {last}" if first else last

    def _no_token(self, token: Token) -> ScoreError:
        rule = f"{token.text!r} has no meaning in a score"
        hint = "its signs are + - * ^ ( ); a name that is no word: [price in €]"
        return self._wrong(token, rule, hint)

    def _wrong(self, token: Token, rule: str, way_out: str) -> ScoreError:
        """The rule and the way out, and the place under the text."""
        caret = " " * token.start + "^"
        said = shown(f"{rule}; {way_out}")
        return ScoreError(f"--score: {said}\n  {shown(self._text)}\n  {caret}")


def _is_letter(text: str) -> bool:
    return len(text) == 1 and "a" <= text <= "z"
