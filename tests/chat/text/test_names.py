"""Which names nicks and rooms may have, and that no nick can impersonate another."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chatd.chat.events import Refused
from chatd.chat.limits import NICK_LENGTH, ROOM_LENGTH
from chatd.chat.text import names
from chatd.chat.text.names import Name
from chatd.chat.text.reserved import RESERVED, STAFF

#: Text that is nearly a name, in most cases.
nearly = st.one_of(
    st.text(
        st.sampled_from("aZ019._- lI\u0131\u0130ßΣςЖאשןع٣日ーカ한\u0301\u200dﬁＡ"), max_size=30
    ),
    st.text(st.characters(categories=["L", "N", "Mn", "Mc"]), max_size=30),
    st.text(st.characters(exclude_categories=[])),
)

#: Letters that are hard in their script: with several small forms, of several widths, with marks.
ALPHABETS = (
    "abzIlO019_-.",
    "AaİıßſÅéĳÿ2",
    "ЖжоЁёсір1",
    "ΣσςΑάλΰ",
    "אבשןיו2",
    "عربسيلا٢",
    "日ーカロ力口ガﾀﾞの々1",
    "한국ㄱ어",
    "ქართულიᲥ",
)


def is_nick(text: str) -> bool:
    try:
        names.nick(text)
    except Refused:
        return False
    return True


nicks = (
    st.sampled_from(ALPHABETS)
    .flatmap(lambda letters: st.text(letters, min_size=1, max_size=NICK_LENGTH))
    .filter(is_nick)
)


def look_alike(one: str, other: str) -> bool:
    return bool(names.skeletons(names.nick(one)) & names.skeletons(names.nick(other)))


# What a name may be ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "ada",
        "Ada_Lovelace",
        "r2-d2",
        "x",
        "42",
        "_",
        "a.b",
        "Zoë",
        "Ñandú",
        "straße",
        "Ελένη",
        "Оксана",
        "שלום",
        "محمد",
        "김철수",
        "สมชาย",
        "ეკა",
        "Արամ",
        "太郎",
        "たろう",
        "カタカナ",
        "山田エリカさん",
    ],
)
def test_names_of_many_languages_are_shown_as_they_were_typed(text: str) -> None:
    assert names.nick(text).shown == text
    assert names.room(text).shown == text


@pytest.mark.parametrize("text", ["हिन्दी", "தமிழ்", "বাংলা", "กิตติ", "མིང", "ދިވެހި", "שָׁלוֹם"])
def test_names_with_combining_marks_are_accepted(text: str) -> None:
    assert names.nick(text).shown == text
    assert names.room(text).shown == text


def test_a_decomposed_letter_is_the_same_as_the_composed_one() -> None:
    assert names.nick("Jose\u0301") == names.nick("José")


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "-ada", ".ada", "a b", "a:b", "a/b", "@ada", "#ada", "a!", "a\tb", "a\x00b"),
        *("a\u200bb", "a\u202eb", "\u3164", "a\ufeffb", "\U000e0041", "😀", "ﬁne", "½", "a\ud800"),
        *("אa", "a\n", "٣٤", "\u0301", "a\u200d"),
    ],
)
def test_an_invalid_nick_is_refused_with_a_sentence(text: str) -> None:
    if text == "a\n":  # spaces around a name are stripped, and so is a line end
        assert names.nick(text).shown == "a"
        return
    with pytest.raises(Refused) as refused:
        names.nick(text)
    assert refused.value.code == "bad-nick"
    assert refused.value.sentence.endswith(".")


@pytest.mark.parametrize("text", ["", "#", "a b", "a:b", "-attic", "😀", "a\u202eb", "##attic"])
def test_an_invalid_room_name_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(Refused) as refused:
        names.room(text)
    assert refused.value.code == "bad-room"
    assert refused.value.sentence.endswith(".")


@pytest.mark.parametrize("text", ["server", "Server", "SYSTEM", "you", "chatd", "ＳＥＲＶＥＲ"])
def test_a_nick_that_could_be_mistaken_for_the_server_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        names.nick(text)
    assert refused.value.code == "bad-nick"


def test_spaces_around_a_name_and_the_hash_of_a_room_are_stripped() -> None:
    assert names.nick("  ada ") == Name("ada", "ada")
    assert names.room(" #Attic ") == Name("Attic", "attic")


@pytest.mark.parametrize("letter", ["x", "é", "ж", "日"])
def test_a_name_may_have_its_bound_of_characters_and_not_one_more(letter: str) -> None:
    assert names.nick(letter * NICK_LENGTH).shown == letter * NICK_LENGTH
    assert names.room(letter * ROOM_LENGTH).shown == letter * ROOM_LENGTH
    assert names.room("#" + letter * ROOM_LENGTH).shown == letter * ROOM_LENGTH
    for read, length in ((names.nick, NICK_LENGTH), (names.room, ROOM_LENGTH)):
        with pytest.raises(Refused, match=f"at most {length} characters; that one has"):
            read(letter * (length + 1))


def test_a_refusal_quotes_only_the_beginning_of_a_long_text() -> None:
    with pytest.raises(Refused) as refused:
        names.nick("!" * 100_000)
    assert len(refused.value.sentence) < 200


@pytest.mark.parametrize(
    "text", ["аda", "Аda", "adа", "раypal", "ada日", "たろうo", "Ελeni", "Жora", "한a", "éж"]
)
def test_a_nick_that_mixes_scripts_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="one script"):
        names.nick(text)


@pytest.mark.parametrize(
    "text", ["日本のカメラ", "東京タワー", "ラーメン大好き", "大韓민국", "太郎2", "ж-2_x"]
)
def test_scripts_that_are_written_together_count_as_one(text: str) -> None:
    if "x" in text:
        text = text.replace("x", "ю")
    assert names.nick(text).shown == text


def test_a_room_name_may_mix_two_scripts() -> None:
    assert names.room("C-и-Python").shown == "C-и-Python"


# When two names are the same -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada", "ADA"),
        ("Zoë", "zoe\u0308"),
        ("ΟΔΥΣΣΕΑ", "οδυσσεα"),
        ("ЖОРА", "жора"),
        ("ada", "ａｄａ"),
        ("タロウ", "ﾀﾛｳ"),
    ],
)
def test_names_that_differ_in_capitals_or_width_are_the_same(one: str, other: str) -> None:
    assert names.nick(one).key == names.nick(other).key
    assert names.room(one).key == names.room(other).key


@pytest.mark.parametrize(
    ("one", "other"), [("ada", "adam"), ("é", "e"), ("カ", "ガ"), ("a.b", "ab")]
)
def test_names_that_differ_in_letters_are_not_the_same(one: str, other: str) -> None:
    assert names.nick(one).key != names.nick(other).key


def parsed(parse: Callable[[str], names.Name], text: str) -> names.Name | Refused:
    """Parse a name; return it, or the refusal."""
    try:
        return parse(text)
    except Refused as refused:
        return refused


@given(nearly)
def test_any_text_is_a_nick_or_is_refused(text: str) -> None:
    name = parsed(names.nick, text)
    if isinstance(name, Refused):
        assert name.code == "bad-nick"
        assert name.sentence
    else:
        assert 0 < len(name.shown) <= NICK_LENGTH
        assert name.shown.isprintable()
        assert not set(name.shown) & set(" :/#@!,")


@given(nearly)
def test_any_text_is_a_room_or_is_refused(text: str) -> None:
    name = parsed(names.room, text)
    if isinstance(name, Refused):
        assert name.code == "bad-room"
        assert name.sentence
    else:
        assert 0 < len(name.shown) <= ROOM_LENGTH
        assert name.shown.isprintable()


@given(nicks)
def test_parsing_a_parsed_nick_again_gives_the_same(text: str) -> None:
    name = names.nick(text)
    assert names.nick(name.shown) == name
    assert names.nick(f" {text} ") == name


@given(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,23}", fullmatch=True))
def test_an_ascii_nick_is_unchanged_and_its_key_is_lower_case(text: str) -> None:
    assume(not text.endswith((".", "-")) and is_nick(text))
    assert names.nick(text) == Name(text, text.lower())


# When two names look alike ---------------------------------------------------------------------

ALIKE = [
    ("lola", "1ola"),
    ("lola", "Iola"),
    ("ada", "Ada"),
    ("modern", "rnodern"),
    ("coco", "сосо"),
    ("scope", "ѕсоре"),
    ("oo", "οο"),
    ("ABE", "ΑΒΕ"),
    ("カ", "力"),
    ("ロ", "口"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE + [(b, a) for a, b in ALIKE])
def test_look_alikes_have_a_skeleton_in_common(one: str, other: str) -> None:
    assert look_alike(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("lola", "iola"),
        ("ada", "ada2"),
        ("ada", "adam"),
        ("é", "e"),
        ("bob", "rob"),
        ("a.b", "a_b"),
    ],
)
def test_different_names_have_no_skeleton_in_common(one: str, other: str) -> None:
    assert not look_alike(one, other)
    assert not look_alike(other, one)


@given(nicks)
def test_a_nick_looks_like_itself_in_lower_case(text: str) -> None:
    assert look_alike(text, text)
    assert not is_nick(text.lower()) or look_alike(text, text.lower())


@given(nicks)
def test_equal_names_look_alike(text: str) -> None:
    other = text.swapcase()
    if is_nick(other) and names.nick(text).key == names.nick(other).key:
        assert look_alike(text, other)


# What is near a name ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("ada", "ada"),
        ("a d:a!", "ada"),
        ("DOMAIN\\ada", "DOMAINada"),
        ("ada@example.org", "adaexample.org"),
        ("-ada", "ada"),
        ("x" * 100, "x" * NICK_LENGTH),
        ("Ada Lovelace", "AdaLovelace"),
    ],
)
def test_the_closest_nick_to_some_text(text: str, near: str) -> None:
    assert str(names.as_nick(text)) == near


@pytest.mark.parametrize("text", ["", "!!!", "😀", "server", " ", "аda"])
def test_some_text_is_close_to_no_nick(text: str) -> None:
    assert names.as_nick(text) is None


@given(nearly)
def test_any_text_gives_a_valid_nick_or_none(text: str) -> None:
    near = names.as_nick(text)
    if near is not None:
        assert names.nick(near.shown) == near


def test_the_variants_of_a_nick_are_numbered_from_two() -> None:
    assert [str(name) for name in islice(names.variants(names.nick("Ada")), 3)] == [
        "Ada2",
        "Ada3",
        "Ada4",
    ]


@pytest.mark.parametrize("length", [NICK_LENGTH - 1, NICK_LENGTH])
def test_the_variants_of_a_long_nick_are_within_the_bound(length: int) -> None:
    variants = list(islice(names.variants(names.nick("x" * length)), 120))
    assert {len(name.shown) for name in variants} <= {length, length + 1, NICK_LENGTH}
    assert all(len(name.shown) <= NICK_LENGTH for name in variants)
    assert len({name.key for name in variants}) == len(variants)


@pytest.mark.parametrize("text", ["س٢", "سلام٩"])
def test_a_nick_that_cannot_be_followed_by_a_digit_has_no_variants(text: str) -> None:
    assert list(names.variants(names.nick(text))) == []  # two kinds of digits do not go together


def test_a_nick_has_variants_if_the_cut_removes_its_other_digit() -> None:
    text = "ن" * (NICK_LENGTH - 1) + "٢"
    assert str(next(names.variants(names.nick(text)))) == "ن" * (NICK_LENGTH - 1) + "2"


def test_the_number_of_variants_is_bounded() -> None:
    assert len(list(names.variants(names.nick("ada")))) == names.VARIANTS
    assert len(list(names.variants(names.nick("x" * NICK_LENGTH)))) == names.VARIANTS


@given(nicks)
def test_the_variants_of_any_nick_are_valid_and_distinct(text: str) -> None:
    variants = list(islice(names.variants(names.nick(text)), 12))
    for name in variants:
        assert names.nick(name.shown) == name
    if len(text) > NICK_LENGTH - 2:  # a number takes the place of what may have been one
        return
    assert len({name.key for name in variants}) == len(variants)
    assert len({min(names.skeletons(name)) for name in variants}) == len(variants)


# Nicks that are kept -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("root", "ROOT", "r00t", "0perator", "Operat0r", "admin", "Admin", "4dm1n", "adm1n"),
        *("ADMlN", "AdmIn", "admín", "rnoderator", "m0d", "admin1", "admin_2024", "_root_"),
        *("server-admin", "chatd.support", "sys_admin", "sup.port", "ѕуѕор", "ｒｏｏｔ"),
    ],
)
def test_a_nick_that_is_read_as_one_of_the_staff_is_for_operators(text: str) -> None:
    with pytest.raises(Refused) as refused:
        names.nick(text)
    assert refused.value.code == "bad-nick"
    assert names.nick(text, staff=True) == names.existing(text)
    assert names.fold(text)


@pytest.mark.parametrize(
    "text",
    [
        *("modern", "supporter", "rooty", "groot", "helper", "alladin", "admiral", "serverless"),
        *("heretic", "youssef", "stafford", "ada-admin", "root-beer", "owen", "Mods", "оля"),
    ],
)
def test_a_nick_that_only_contains_such_a_word_is_for_everybody(text: str) -> None:
    assert names.nick(text).shown == text


@given(st.sampled_from(sorted(STAFF | RESERVED - {"you", "all", "here"})), st.data())
def test_no_spelling_of_a_reserved_nick_is_for_everybody(word: str, data: st.DataObject) -> None:
    alike = {"o": "oO0öó", "a": "aA4á", "e": "eE3é", "i": "iIí1", "s": "sS5", "l": "lI1"}
    spelt = "".join(data.draw(st.sampled_from(alike.get(c, c + c.upper()))) for c in word)
    end = data.draw(st.sampled_from(["", "1", "_", "_42", "007"]))
    assert not is_nick(spelt + end)


@pytest.mark.parametrize("text", ["ada.", "ada-", "ada.-", "日本.", "a-."])
def test_a_nick_does_not_end_in_punctuation_unless_it_is_an_old_one(text: str) -> None:
    with pytest.raises(Refused, match="ends with a letter"):
        names.nick(text)
    assert names.existing(text).shown == text
    assert names.fold(text) == text
    assert str(names.as_nick(text)) == text.rstrip(".-")


@pytest.mark.parametrize(
    ("one", "other"),
    [("listener", "listéner"), ("Jose", "José"), ("Łukasz", "Lukasz"), ("Ёлка", "елка")],
)
def test_nicks_that_differ_in_accents_only_are_mistaken_for_each_other(
    one: str, other: str
) -> None:
    assert names.looks(names.nick(one)) & names.looks(names.nick(other))
    assert not look_alike(one, other)


@pytest.mark.parametrize(("one", "other"), [("ハハ", "パパ"), ("กิต", "กุต"), ("한", "핝")])
def test_marks_that_make_another_word_count(one: str, other: str) -> None:
    assert not names.looks(names.nick(one)) & names.looks(names.nick(other))
