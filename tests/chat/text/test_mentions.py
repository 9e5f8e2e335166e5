"""A nick is mentioned where the characters around it cannot be part of the same nick."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.text.mentions import beginning, mentioned_keys, mentioned_within

HERE = (
    "mia",
    "otto",
    "mia2",
    "r2-d2",
    "a.b",
    "josé",
    "оля",
    "太郎",
    "太郎2",
    "たろう",
    "철수",
    "明",
)


def mentioned(text: str, here: tuple[str, ...] = HERE) -> set[str]:
    """Return those who are here and are mentioned in a text."""
    lengths = {begins: [*map(len, here)] for nick in here if (begins := beginning(nick))}
    within = mentioned_within(text, lengths, here.__contains__)
    return (mentioned_keys(text) | set(within)) & set(here)


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("mia,otto: lunch?", "mia otto"),
        ("mia's idea, and otto’s", "mia otto"),
        ("@mia@otto", "mia otto"),
        ("mia—see", "mia"),
        ("mia--see, otto...really", "mia otto"),
        ("mia。", "mia"),
        ("MIA! Otto?", "mia otto"),
        ("(mia) [otto] {a.b} <r2-d2>", "mia otto a.b r2-d2"),
        ("mia/otto", "mia otto"),
        ("*mia* `otto`", "mia otto"),
        ("...mia... -otto-", "mia otto"),
        ("mia.", "mia"),
        ("a.b. r2-d2- a.b…", "a.b r2-d2"),
        ("mia🎉 ❤otto", "mia otto"),
        ("see mia\notto:", "mia otto"),
        ("Jose\u0301, OLYA, ОЛЯ", "josé оля"),
        ("„mia“ «otto»", "mia otto"),
        ("mia:otto;a.b", "mia otto a.b"),
        ("mia=otto", "mia otto"),
        ("太郎さん", "太郎"),
        ("ねえ、太郎さん。", "太郎"),
        ("昨日太郎と会った", "太郎"),
        ("@太郎", "太郎"),
        ("Hello太郎ok", "太郎"),
        ("miaと太郎", "mia 太郎"),
        ("太郎2さん", "太郎2"),
        ("太郎.", "太郎"),
        ("たろうくん", "たろう"),
        ("철수야 안녕", "철수"),
        ("明: おはよう", "明"),
    ],
)
def test_whom_a_text_mentions(text: str, who: str) -> None:
    assert mentioned(text) == set(who.split())


@pytest.mark.parametrize(
    "text",
    [
        *("miami", "mia_", "_mia", "mia3", "x-mia", "mia-x", "mia.x", "lottoo", "éottoé", "m ia"),
        *("https://example.org/mia", "see https://mia.example/?otto=mia&x", "www.mia.org/otto"),
        *("mia@example.org", "a+mia@otto.example", "mailto:mia@otto", "example.org/mia"),
        *("HTTPS://EXAMPLE.ORG/MIA", "(https://example.org/mia/otto)", "git+ssh://mia@otto/x"),
        *("太郎3", "_太郎", "太郎-x", "2太郎", "김철수", "明るい", "太", "mia\u0301"),
    ],
)
def test_a_nick_within_another_word_is_not_mentioned(text: str) -> None:
    assert mentioned(text) == set()


def test_a_text_beside_an_address_mentions_as_usual() -> None:
    assert mentioned("mia: https://example.org/otto") == {"mia"}
    assert mentioned("看https://example.org/otto，太郎") == {"太郎"}
    assert mentioned("mia@example.org, otto") == {"otto"}


def test_a_combining_mark_makes_another_letter() -> None:
    assert mentioned("แม่", ("แม",)) == set()
    assert mentioned("แมคะ", ("แม",)) == {"แม"}


def test_an_old_nick_that_ends_in_punctuation_is_mentioned_as_well() -> None:
    assert mentioned("bob. and ann-", ("bob.", "ann-")) == {"bob.", "ann-"}


AROUND = "@,:;!?()[]{}<>\"'`*“”«»…—。、/=+&%$#~^|\\ \n"


@given(
    st.lists(st.sampled_from(["mia", "otto", "Mia", "JOSÉ", "оля", "太郎"]), min_size=1),
    st.data(),
)
def test_nicks_that_no_nick_character_adjoins_are_mentioned(
    nicks: list[str], data: st.DataObject
) -> None:
    separators = [data.draw(st.text(st.sampled_from(AROUND), min_size=1)) for _ in nicks]
    text = "".join(nick + each for nick, each in zip(nicks, separators, strict=True))
    if "/" not in text and not re.search(r"\w@", text):  # else some of it is an address
        assert mentioned(text) == {nick.lower() for nick in nicks}


@given(st.text(st.one_of(st.characters(), st.sampled_from("mia_.-@/:太郎 "))))
def test_every_mention_is_in_the_text(text: str) -> None:
    composed = unicodedata.normalize("NFC", text).lower()
    for nick in mentioned(text):
        assert nick in composed


def test_the_work_is_proportional_to_the_text() -> None:
    """A text of many beginnings of addresses is scanned once: it would take minutes otherwise."""
    for part in ("a.", "a@", "a-", "a+", "http:", "a/", "www.", "a.b/", "太郎"):
        text = part * 20_000
        assert not mentioned(text) & {"mia"}
