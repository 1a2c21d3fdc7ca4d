"""Text cut into tokens: where each begins, and what is said of what begins none."""

import re

import pytest

from automtl.tokens import NAME, NUMBER, Token, TokenReader, split

PATTERN = re.compile(rf"{NUMBER}|{NAME}|\[(?P<quoted>[^\]]+)\]|(?P<sign>[-+,])")


def wrong(token):
    return ValueError(f"{token.text} at {token.start}")


def test_tokens_know_where_they_begin_with_what_is_around_them():
    assert split("  a +\u00a0[b c]1.5e3 \n", PATTERN, wrong=wrong) == [
        Token("name", "a", 2),
        Token("sign", "+", 4),
        Token("quoted", "b c", 6),
        Token("number", "1.5e3", 11),
        Token("end", "", 16),
    ]
    assert split(" \t", PATTERN, wrong=wrong) == [Token("end", "", 0)]


def test_the_first_character_that_begins_no_token_is_told():
    with pytest.raises(ValueError, match=r"^\$ at 4$"):
        split("a   $ €", PATTERN, wrong=wrong)


def test_the_end_is_never_taken_away():
    reader = TokenReader(split("-", PATTERN, wrong=wrong))
    assert reader._at("+", "-")
    assert [reader._take().kind for _ in range(3)] == ["sign", "end", "end"]
    assert not reader._at("")
