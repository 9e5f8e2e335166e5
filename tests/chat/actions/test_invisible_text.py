"""Text of which readers would see nothing is refused, wherever it would be shown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.text.sanitizing import is_invisible, safe
from tests.support.people import Server
from tests.support.ssh.clients import SshClient, SshServer

INVISIBLE = [
    pytest.param("\u200b", id="zero width space"),
    pytest.param("\u200d\u2060\u00ad", id="joiners and the soft hyphen"),
    pytest.param("\u3164", id="Hangul filler"),
    pytest.param("\u115f\u1160\uffa0", id="other fillers of Hangul"),
    pytest.param("\u2800 \u2800", id="blank of Braille"),
    pytest.param("\ufe0f\ufe00\U000e0100", id="variation selectors"),
    pytest.param("\u0301", id="an accent on nothing"),
    pytest.param("\u0e34 \u093f\u20dd", id="marks on nothing"),
    pytest.param("\u034f\u17b4\u180b\u180e", id="joiners of scripts"),
    pytest.param("\U0001d173\U0001d159", id="musical formatting"),
    pytest.param("\u2065\ufff0\U000e0fff", id="reserved for being ignored"),
    pytest.param("\u200b\u00a0\u3000\u2003\u200b", id="blanks"),
]
REFUSAL = "-- Nobody could see that: it has only invisible characters."


@pytest.mark.parametrize("text", INVISIBLE)
def test_what_is_invisible_is_refused_everywhere(text: str) -> None:
    server = Server()
    ada, bob = server.enters("ada", operator=True), server.enters("bob")
    ada.types("hello"), ada.types("/join attic"), ada.types("/focus lobby"), ada.sees(), bob.sees()
    for template in (
        *("{}", "/me {}", "/edit {}", "/dm bob {}", "/bc {}", "/away {}"),
        *("/topic {}", "/room topic {}", "/leave attic {}", "/kick bob {}", "/ban bob {}"),
        *("/mute bob 1m {}", "/ban bob 1h {}", "/server kick bob {}", "/server ban bob 1h {}"),
        *("/server say {}", "/server close attic {}"),
    ):
        ada.types(template.format(text))
        assert ada.sees() == [REFUSAL], template
        assert bob.sees() == [], template
    assert ada.session.person.away is None
    assert len(ada.session.person.rooms) == 2
    assert server.chat.lobby.settings.topic == ""


def test_a_user_who_leaves_with_an_invisible_reason_leaves_without_one() -> None:
    server = Server()
    ada, bob = server.enters("ada"), server.enters("bob")
    bob.sees()
    ada.types("/quit \u200b")
    assert bob.sees() == ["-- ada left"]


def test_a_script_is_told_that_its_text_is_invisible() -> None:
    ann = SshClient(SshServer()).runs("say lobby \u3164".encode())
    ann.receives()
    assert (ann.status, ann.errors) == (1, f"chatd: {REFUSAL[3:]}\n".encode())


@pytest.mark.parametrize(
    "text",
    [
        "a",
        ".",
        "é",
        "日",
        "ㅋ",
        "👍",
        "❤\ufe0f",
        "e\u0301",
        "\u200ba",
        "⠁",
        "½",
        "ה",
        "\ufffd",
        "¯",
    ],
)
def test_a_text_with_anything_to_see_is_not_invisible(text: str) -> None:
    assert not is_invisible(text)


@given(st.text())
def test_what_remains_without_blanks_and_marks_decides(text: str) -> None:
    shown = safe(text)
    letters = [c for c in shown if unicodedata.category(c)[0] in "LNPS"]
    if not letters and not any(unicodedata.category(c) in ("Co", "Cn") for c in shown):
        assert is_invisible(shown)
    elif any(unicodedata.category(c) in ("Lu", "Ll", "Nd", "Po") for c in letters):
        assert not is_invisible(shown)
