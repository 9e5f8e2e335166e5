"""Telnet codec: typed data arrives unchanged, and no negotiation can loop."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.wire.telnet import frames, options
from chatd.wire.telnet.codec import (
    NAMES,
    PROBE,
    REPLY_BYTES,
    AreYouThere,
    CharacterMode,
    Data,
    EndOfFile,
    Interrupt,
    TelnetCodec,
    TerminalType,
    Value,
    WindowSize,
    is_telnet,
)

IAC, DONT, DO, WONT, WILL, SB, SE = (bytes([code]) for code in (255, 254, 253, 252, 251, 250, 240))
BINARY, ECHO, SGA, TIMING_MARK, TTYPE, NAWS, LINEMODE, GMCP = (
    bytes([option]) for option in (0, 1, 3, 6, 24, 31, 34, 201)
)
SEND_NAME = IAC + SB + TTYPE + b"\1" + IAC + SE


def negotiation(*words: bytes) -> bytes:
    """Return negotiations, each a verb and an option."""
    return b"".join(IAC + word for word in words)


def terminal_name(name: bytes) -> bytes:
    return IAC + SB + TTYPE + b"\0" + name + IAC + SE


def window_size(columns: int, rows: int) -> bytes:
    size = columns.to_bytes(2, "big") + rows.to_bytes(2, "big")
    return IAC + SB + NAWS + size.replace(IAC, IAC + IAC) + IAC + SE


def offered_codec() -> TelnetCodec:
    """Return a codec after its offer."""
    codec = TelnetCodec()
    codec.offer()
    codec.data_to_send()
    return codec


def merged(values: list[Value]) -> list[Value]:
    """Return values with adjacent data joined."""
    joined: list[Value] = []
    for value in values:
        if isinstance(value, Data) and joined and isinstance(joined[-1], Data):
            joined[-1] = Data(joined[-1].data + value.data)
        else:
            joined.append(value)
    return joined


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    bounds = [0, *sorted(index % (len(data) + 1) for index in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


TELNET_LIKE = st.lists(
    st.one_of(
        st.binary(max_size=6),
        st.sampled_from(
            [
                IAC,
                IAC + IAC,
                IAC + SB,
                IAC + SE,
                b"\r",
                b"\n",
                b"\0",
                window_size(80, 24),
                IAC + b"\xf4",
            ]
        ),
        st.sampled_from([b"\xe6", b"\xf0\x9f", IAC + b"\xf3", IAC + b"\xec", b"\x9c", b"\r\n"]),
        st.sampled_from(
            [terminal_name(b"xterm"), terminal_name(b"VT100"), terminal_name(b""), IAC + SB + NAWS]
        ),
        st.builds(
            lambda verb, option: IAC + verb + option,
            st.sampled_from([WILL, WONT, DO, DONT]),
            st.sampled_from([BINARY, ECHO, SGA, TIMING_MARK, TTYPE, NAWS, LINEMODE, GMCP]),
        ),
    ),
    max_size=30,
).map(b"".join)


@given(TELNET_LIKE, st.lists(st.integers(min_value=0), max_size=8), st.booleans())
def test_any_cutting_of_the_bytes_gives_the_same_values(
    data: bytes, cuts: list[int], offers: bool
) -> None:
    whole, pieces = TelnetCodec(), TelnetCodec()
    if offers:
        whole.offer()
        pieces.offer()
    expected = whole.receive_data(data)
    values = [value for piece in cut(data, cuts) for value in pieces.receive_data(piece)]
    assert merged(values) == merged(expected)
    assert pieces.data_to_send() == whole.data_to_send()


@pytest.mark.parametrize(
    "data",
    [
        terminal_name(b"xterm")
        + b"hi\r\n"
        + window_size(255, 24)
        + IAC
        + b"\xf4"
        + negotiation(DO + ECHO, DO + SGA),
        IAC + SB + b"x" * 5000 + IAC + SE + b"after",
        IAC + SB + b"x" * 70000 + b"after",
    ],
    ids=["a conversation", "a long subnegotiation", "one without an end"],
)
def test_single_bytes_give_the_same_values(data: bytes) -> None:
    slow = offered_codec()
    values = [value for byte in data for value in slow.receive_data(bytes([byte]))]
    assert merged(values) == merged(offered_codec().receive_data(data))


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_no_bytes_raise(pieces: list[bytes]) -> None:
    codec = TelnetCodec()
    for piece in pieces:
        codec.receive_data(piece)
        codec.data_to_send()


@given(st.binary())
def test_encoded_data_decodes_to_itself(data: bytes) -> None:
    data = data.replace(b"\r", b"")
    typed = TelnetCodec().receive_data(TelnetCodec().encode(data))
    assert merged(typed) == ([Data(data)] if data else [])


def test_data_without_telnet_commands_is_unchanged() -> None:
    assert TelnetCodec().receive_data("日本\n".encode()) == [Data("日本\n".encode())]
    assert TelnetCodec().receive_data(b"") == []


@pytest.mark.parametrize("enter", [b"\r\n", b"\r\0", b"\r"])
def test_enter_is_one_cr_in_every_encoding(enter: bytes) -> None:
    assert TelnetCodec().receive_data(b"a" + enter + b"b") == [Data(b"a\rb")]


def test_enter_is_returned_at_its_first_byte_and_its_second_is_dropped() -> None:
    codec = TelnetCodec()
    assert codec.receive_data(b"a\r") == [Data(b"a\r")]
    assert codec.receive_data(b"\n") == []
    assert codec.receive_data(b"\n") == [Data(b"\n")]


def test_two_enters_are_two_crs() -> None:
    assert TelnetCodec().receive_data(b"\r\0\r\n\r\n\0") == [Data(b"\r\r\r\0")]


def test_a_0xff_from_netcat_is_data_and_the_enter_after_it_is_kept() -> None:
    assert TelnetCodec().receive_data(b"\xff\nhello\n") == [Data(b"\xff\nhello\n")]
    assert TelnetCodec().receive_data(IAC + IAC + b"x") == [Data(b"\xffx")]


def test_netcat_is_never_taken_for_a_telnet_client() -> None:
    codec = TelnetCodec()
    codec.receive_data(b"hello\n\xff\xf1\xff\n")
    assert not codec.speaks
    codec.receive_data(negotiation(WONT + TTYPE))
    assert codec.speaks


def test_the_offer_asks_in_the_order_that_every_client_supports() -> None:
    codec = TelnetCodec()
    codec.offer()
    assert codec.data_to_send() == negotiation(
        DO + TTYPE, DO + NAWS, WILL + ECHO, WILL + SGA, DO + SGA, WILL + BINARY, DO + BINARY
    )
    assert codec.data_to_send() == b""


def test_an_offer_after_the_probe_does_not_ask_for_the_terminal_name_again() -> None:
    codec = TelnetCodec()
    codec.offer(probed=True)
    assert DO + TTYPE not in codec.data_to_send()
    assert codec.receive_data(negotiation(WILL + TTYPE)) == []
    assert codec.data_to_send() == SEND_NAME


def test_a_second_offer_sends_nothing_even_to_a_client_that_refused() -> None:
    codec = offered_codec()
    codec.receive_data(negotiation(DONT + ECHO, DONT + SGA, WONT + TTYPE))
    codec.offer()
    assert codec.data_to_send() == b""


def test_a_client_that_agrees_is_in_character_mode() -> None:
    codec = offered_codec()
    assert codec.receive_data(negotiation(DO + ECHO)) == []
    assert codec.receive_data(negotiation(DO + SGA)) == [CharacterMode(True)]
    assert codec.character_mode
    assert codec.data_to_send() == b""


def test_a_client_that_returns_to_line_mode_echoes_again() -> None:
    codec = offered_codec()
    codec.receive_data(negotiation(DO + ECHO, DO + SGA))
    assert codec.receive_data(negotiation(DONT + SGA)) == [CharacterMode(False)]
    assert codec.data_to_send() == negotiation(WONT + SGA, WONT + ECHO)
    assert codec.receive_data(negotiation(DONT + ECHO)) == []
    assert codec.data_to_send() == b""
    assert codec.receive_data(negotiation(DO + ECHO, DO + SGA)) == [CharacterMode(True)]
    assert codec.data_to_send() == negotiation(WILL + ECHO, WILL + SGA)


@pytest.mark.parametrize("answers", [(DO + ECHO, DONT + SGA), (DONT + SGA, DO + ECHO)])
def test_a_client_that_stays_in_line_mode_echoes_again(answers: tuple[bytes]) -> None:
    codec = offered_codec()
    assert codec.receive_data(negotiation(*answers)) == []
    assert codec.data_to_send() == negotiation(WONT + ECHO)


def test_a_client_that_does_not_answer_stays_in_line_mode() -> None:
    codec = offered_codec()
    assert codec.receive_data(b"hello\r\n") == [Data(b"hello\r")]
    assert not codec.character_mode


def test_a_client_that_negotiates_first_is_agreed_with() -> None:
    codec = TelnetCodec()
    hello = negotiation(WILL + NAWS, WILL + TTYPE, WILL + b"\x20", DO + ECHO, WILL + SGA, DO + SGA)
    assert codec.receive_data(hello) == [CharacterMode(True)]
    agreed = negotiation(DO + NAWS, DO + TTYPE) + SEND_NAME
    agreed += negotiation(DONT + b"\x20", WILL + ECHO, DO + SGA, WILL + SGA)
    assert codec.data_to_send() == agreed
    codec.offer()
    assert codec.data_to_send() == negotiation(WILL + BINARY, DO + BINARY)


def test_an_unsupported_option_is_refused_once() -> None:
    codec = offered_codec()
    for _ in range(3):
        codec.receive_data(negotiation(WILL + LINEMODE, DO + GMCP, WILL + ECHO))
    assert codec.data_to_send() == negotiation(DONT + LINEMODE, WONT + GMCP, DONT + ECHO)


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ((80, 24), (80, 24)),
        ((0, 0), (80, 24)),
        ((0, 50), (80, 50)),
        ((20, 5), (20, 5)),
        ((19, 4), (20, 5)),
        ((500, 300), (500, 300)),
        ((501, 301), (500, 300)),
        ((255, 255), (255, 255)),
        ((65535, 65535), (500, 300)),
    ],
)
def test_a_window_size_is_clamped_to_its_limits(
    sent: tuple[int, int], seen: tuple[int, int]
) -> None:
    assert offered_codec().receive_data(window_size(*sent)) == [WindowSize(*seen)]


@pytest.mark.parametrize("content", [b"", NAWS, NAWS + b"\0P\0", NAWS + b"\0P\0\x18\0", b"\xc9{}"])
def test_an_unknown_subnegotiation_is_ignored(content: bytes) -> None:
    assert offered_codec().receive_data(IAC + SB + content + IAC + SE + b"x") == [Data(b"x")]


def test_all_terminal_names_are_asked_for_and_reported() -> None:
    codec = offered_codec()
    codec.receive_data(negotiation(WILL + TTYPE))
    seen: list[Value] = []
    for name in (b"TINTIN++", b"xterm-256color", b"MTTS 2829", b"MTTS 2829", b"more"):
        assert (codec.data_to_send() == SEND_NAME) == (name != b"more")
        seen += codec.receive_data(terminal_name(name))
    assert seen == [TerminalType(n) for n in ("TINTIN++", "xterm-256color", "MTTS 2829")]


def test_a_client_with_a_new_terminal_name_each_time_is_asked_a_few_times() -> None:
    codec = offered_codec()
    for _ in range(3):
        codec.receive_data(negotiation(WILL + TTYPE, WONT + TTYPE))
    seen = [codec.receive_data(terminal_name(b"name%d" % number)) for number in range(100)]
    assert 0 < len([values for values in seen if values]) <= NAMES
    assert codec.data_to_send().count(SEND_NAME) <= NAMES


def test_an_unrequested_terminal_name_is_ignored() -> None:
    assert offered_codec().receive_data(terminal_name(b"xterm")) == []


def test_a_terminal_name_is_short_and_safe_to_display() -> None:
    codec = offered_codec()
    codec.receive_data(negotiation(WILL + TTYPE))
    assert codec.receive_data(terminal_name(b"x\x1b[31mt\r\ne\xc3\xa9" + b"m" * 99)) == [
        TerminalType("x31mte" + "m" * 34)
    ]


def test_ctrl_c_and_ctrl_d_sent_as_commands_have_their_own_values() -> None:
    typed = b"a" + IAC + b"\xf4" + IAC + b"\xf3b" + IAC + b"\xec"
    assert offered_codec().receive_data(typed) == [
        Data(b"a"),
        Interrupt(),
        Interrupt(),
        Data(b"b"),
        EndOfFile(),
    ]


def test_a_byte_that_a_7_bit_client_sends_as_a_command_is_restored() -> None:
    codec = TelnetCodec()
    values = codec.receive_data(b"\xe6\x97\xa5\xe6" + IAC + b"\xf3" + negotiation(DO + TIMING_MARK))
    values += codec.receive_data(b"\xac\r\n")
    assert merged(values) == [Data("日本\r".encode())]
    assert codec.data_to_send() == negotiation(WILL + TIMING_MARK)


@pytest.mark.parametrize("word", ["Ã", "Ä", "Ú", "Ü", "本", "𜜜", "愃", "m\u0303"])
@pytest.mark.parametrize("quit_command", [b"\xee", b"\xf3"])
def test_every_word_survives_a_7_bit_client(word: str, quit_command: bytes) -> None:
    mistaken = {0x83: b"\xf4", 0x84: b"\xec", 0x9A: b"\xed", 0x9C: quit_command}
    sent = b"".join(
        IAC + mistaken[byte] if byte in mistaken else bytes([byte]) for byte in word.encode()
    )
    assert merged(TelnetCodec().receive_data(b"a" + sent + b"b")) == [
        Data(f"a{word}b".encode()),
    ]


@pytest.mark.parametrize("before", [b"", b"a", "日".encode(), "é".encode(), "💩".encode(), b"\x80"])
def test_ctrl_c_after_a_complete_character_is_an_interrupt(before: bytes) -> None:
    assert Interrupt() in TelnetCodec().receive_data(before + IAC + b"\xf4")


def test_erase_commands_become_keys() -> None:
    typed = merged(offered_codec().receive_data(b"ab" + IAC + b"\xf7" + IAC + b"\xf8"))
    assert typed == [Data(b"ab\x7f\x15")]


@pytest.mark.parametrize("code", [0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF2, 0xF5, 0xF9])
def test_other_commands_are_ignored(code: int) -> None:
    codec = offered_codec()
    assert merged(codec.receive_data(b"a" + IAC + bytes([code]) + b"b")) == [Data(b"ab")]
    assert codec.data_to_send() == b""


def test_are_you_there_is_a_value_of_its_own() -> None:
    codec = offered_codec()
    assert codec.receive_data(IAC + b"\xf6") == [AreYouThere()]
    assert codec.data_to_send() == b""


def test_every_timing_mark_is_answered() -> None:
    codec = offered_codec()
    for _ in range(3):
        codec.receive_data(negotiation(DO + TIMING_MARK, DONT + TIMING_MARK))
        assert codec.data_to_send() == negotiation(WILL + TIMING_MARK)


def test_replies_to_a_flood_of_requests_are_bounded() -> None:
    codec = offered_codec()
    codec.receive_data(negotiation(DO + TIMING_MARK, b"\xf6") * 10000)
    assert REPLY_BYTES - 9 < len(codec.data_to_send()) <= REPLY_BYTES
    codec.receive_data(negotiation(DO + TIMING_MARK))
    assert codec.data_to_send() == negotiation(WILL + TIMING_MARK)


@pytest.mark.parametrize(("length", "replies"), [(4096, True), (4097, False)])
def test_a_subnegotiation_is_held_up_to_its_bound(length: int, replies: bool) -> None:
    codec = offered_codec()
    codec.receive_data(negotiation(WILL + TTYPE))
    name = b"xterm" + b"\0" * (length - len(TTYPE + b"\0xterm"))
    assert codec.receive_data(terminal_name(name) + b"x") == [TerminalType("xterm")] * replies + [
        Data(b"x")
    ]


def test_an_unfinished_subnegotiation_is_abandoned_and_data_follows() -> None:
    codec = offered_codec()
    assert codec.receive_data(IAC + SB + b"x" * (frames.UNFINISHED_BYTES - 1)) == []
    assert codec.receive_data(b"xhello") == [Data(b"hello")]


def test_a_command_ends_an_unfinished_subnegotiation() -> None:
    assert offered_codec().receive_data(IAC + SB + NAWS + b"\0" + IAC + b"\xf4x") == [
        Interrupt(),
        Data(b"x"),
    ]


def test_negotiation_ends_with_a_peer_that_gives_every_answer() -> None:
    codec = TelnetCodec()
    codec.offer()
    rounds = 0
    while replies := codec.data_to_send():
        rounds += 1
        assert rounds < 2000
        assert len(replies) <= 8000
        for position in range(0, len(replies) - 2):
            if replies[position] == IAC[0] and replies[position + 1] >= WILL[0]:
                option = replies[position + 2 : position + 3]
                codec.receive_data(negotiation(*(verb + option for verb in (WILL, WONT, DO, DONT))))


def test_a_peer_that_keeps_changing_its_mind_gets_a_bounded_number_of_replies() -> None:
    codec = TelnetCodec()
    changes = negotiation(WILL + BINARY, WONT + BINARY, DO + BINARY, DONT + BINARY)
    codec.receive_data(changes * options.AGREEMENTS)
    assert codec.data_to_send() == options.AGREEMENTS * negotiation(
        DO + BINARY, DONT + BINARY, WILL + BINARY, WONT + BINARY
    )
    codec.receive_data(changes)
    assert codec.data_to_send() == b""


def test_every_unsupported_option_is_refused_exactly_once() -> None:
    codec = TelnetCodec()
    everything = negotiation(
        *(verb + bytes([option]) for verb in (WILL, DO) for option in range(40, 256))
    )
    codec.receive_data(everything)
    assert len(codec.data_to_send()) // 3 == 2 * 216
    codec.receive_data(everything)
    assert codec.data_to_send() == b""


@given(TELNET_LIKE, TELNET_LIKE, st.booleans(), st.booleans())
def test_two_codecs_that_negotiate_with_each_other_settle(
    first: bytes, second: bytes, one_offers: bool, other_offers: bool
) -> None:
    one, other = TelnetCodec(), TelnetCodec()
    one.receive_data(first)
    other.receive_data(second)
    if one_offers:
        one.offer()
    if other_offers:
        other.offer()
    for _ in range(6 * options.AGREEMENTS):
        to_other, to_one = one.data_to_send(), other.data_to_send()
        one.receive_data(to_one)
        other.receive_data(to_other)
    assert not one.data_to_send() + other.data_to_send()


def test_a_telnet_client_is_recognised_by_its_first_byte() -> None:
    assert is_telnet(IAC)
    assert is_telnet(negotiation(WILL + TTYPE))
    assert not is_telnet(b"")
    assert not is_telnet(b"hello")
    assert not is_telnet(b"\xff\n")
    assert not is_telnet(IAC + IAC)


def test_the_probe_asks_for_a_terminal_name_and_erases_its_traces() -> None:
    assert negotiation(DO + TTYPE) + b"\r     \r" == PROBE
