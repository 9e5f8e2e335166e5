"""Telnet as people meet it: what they type arrives, and no client can be led in circles."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.wire.telnet import frames
from chatd.wire.telnet import options as telnet_options
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


def said(*words: bytes) -> bytes:
    """Return negotiations: each word is a verb and an option."""
    return b"".join(IAC + word for word in words)


def named(name: bytes) -> bytes:
    return IAC + SB + TTYPE + b"\0" + name + IAC + SE


def window(columns: int, rows: int) -> bytes:
    size = columns.to_bytes(2, "big") + rows.to_bytes(2, "big")
    return IAC + SB + NAWS + size.replace(IAC, IAC + IAC) + IAC + SE


def met() -> TelnetCodec:
    """Return a codec that has made its offer."""
    codec = TelnetCodec()
    codec.offer()
    codec.data_to_send()
    return codec


def merged(values: list[Value]) -> list[Value]:
    """Return values with what was typed in a row joined."""
    joined: list[Value] = []
    for value in values:
        if isinstance(value, Data) and joined and isinstance(joined[-1], Data):
            joined[-1] = Data(joined[-1].data + value.data)
        else:
            joined.append(value)
    return joined


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


TELNETTISH = st.lists(
    st.one_of(
        st.binary(max_size=6),
        st.sampled_from(
            [IAC, IAC + IAC, IAC + SB, IAC + SE, b"\r", b"\n", b"\0", window(80, 24), IAC + b"\xf4"]
        ),
        st.sampled_from([b"\xe6", b"\xf0\x9f", IAC + b"\xf3", IAC + b"\xec", b"\x9c", b"\r\n"]),
        st.sampled_from([named(b"xterm"), named(b"VT100"), named(b""), IAC + SB + NAWS]),
        st.builds(
            lambda verb, option: IAC + verb + option,
            st.sampled_from([WILL, WONT, DO, DONT]),
            st.sampled_from([BINARY, ECHO, SGA, TIMING_MARK, TTYPE, NAWS, LINEMODE, GMCP]),
        ),
    ),
    max_size=30,
).map(b"".join)


@given(TELNETTISH, st.lists(st.integers(min_value=0), max_size=8), st.booleans())
def test_any_cutting_of_the_bytes_says_the_same(
    data: bytes, places: list[int], offers: bool
) -> None:
    whole, pieces = TelnetCodec(), TelnetCodec()
    if offers:
        whole.offer()
        pieces.offer()
    expected = whole.receive_data(data)
    values = [value for piece in cut(data, places) for value in pieces.receive_data(piece)]
    assert merged(values) == merged(expected)
    assert pieces.data_to_send() == whole.data_to_send()


@pytest.mark.parametrize(
    "data",
    [
        named(b"xterm") + b"hi\r\n" + window(255, 24) + IAC + b"\xf4" + said(DO + ECHO, DO + SGA),
        IAC + SB + b"x" * 5000 + IAC + SE + b"after",
        IAC + SB + b"x" * 70000 + b"after",
    ],
    ids=["a conversation", "a long subnegotiation", "one without an end"],
)
def test_byte_by_byte_is_as_good_as_at_once(data: bytes) -> None:
    slow = met()
    values = [value for byte in data for value in slow.receive_data(bytes([byte]))]
    assert merged(values) == merged(met().receive_data(data))


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_no_bytes_whatever_raise(pieces: list[bytes]) -> None:
    codec = TelnetCodec()
    for piece in pieces:
        codec.receive_data(piece)
        codec.data_to_send()


@given(st.binary())
def test_what_is_sent_arrives_as_it_was(data: bytes) -> None:
    data = data.replace(b"\r", b"")
    typed = TelnetCodec().receive_data(TelnetCodec().encode(data))
    assert merged(typed) == ([Data(data)] if data else [])


def test_what_is_typed_without_any_telnet_passes_as_it_is() -> None:
    assert TelnetCodec().receive_data("日本\n".encode()) == [Data("日本\n".encode())]
    assert TelnetCodec().receive_data(b"") == []


@pytest.mark.parametrize("enter", [b"\r\n", b"\r\0", b"\r"])
def test_enter_is_one_cr_however_a_client_sends_it(enter: bytes) -> None:
    assert TelnetCodec().receive_data(b"a" + enter + b"b") == [Data(b"a\rb")]


def test_enter_counts_at_once_and_its_second_byte_never() -> None:
    codec = TelnetCodec()
    assert codec.receive_data(b"a\r") == [Data(b"a\r")]
    assert codec.receive_data(b"\n") == []
    assert codec.receive_data(b"\n") == [Data(b"\n")]


def test_two_enters_are_two() -> None:
    assert TelnetCodec().receive_data(b"\r\0\r\n\r\n\0") == [Data(b"\r\r\r\0")]


def test_a_0xff_from_netcat_is_a_byte_and_does_not_eat_the_enter_behind_it() -> None:
    assert TelnetCodec().receive_data(b"\xff\nhello\n") == [Data(b"\xff\nhello\n")]
    assert TelnetCodec().receive_data(IAC + IAC + b"x") == [Data(b"\xffx")]


def test_netcat_never_counts_as_a_telnet() -> None:
    codec = TelnetCodec()
    codec.receive_data(b"hello\n\xff\xf1\xff\n")
    assert not codec.speaks
    codec.receive_data(said(WONT + TTYPE))
    assert codec.speaks


def test_the_offer_asks_in_the_order_that_all_clients_follow() -> None:
    codec = TelnetCodec()
    codec.offer()
    assert codec.data_to_send() == said(
        DO + TTYPE, DO + NAWS, WILL + ECHO, WILL + SGA, DO + SGA, WILL + BINARY, DO + BINARY
    )
    assert codec.data_to_send() == b""


def test_an_offer_after_the_probe_does_not_ask_for_the_name_again() -> None:
    codec = TelnetCodec()
    codec.offer(probed=True)
    assert DO + TTYPE not in codec.data_to_send()
    assert codec.receive_data(said(WILL + TTYPE)) == []
    assert codec.data_to_send() == SEND_NAME


def test_a_second_offer_says_nothing_even_to_a_client_that_refused() -> None:
    codec = met()
    codec.receive_data(said(DONT + ECHO, DONT + SGA, WONT + TTYPE))
    codec.offer()
    assert codec.data_to_send() == b""


def test_a_client_that_agrees_is_in_character_mode() -> None:
    codec = met()
    assert codec.receive_data(said(DO + ECHO)) == []
    assert codec.receive_data(said(DO + SGA)) == [CharacterMode(True)]
    assert codec.character_mode
    assert codec.data_to_send() == b""


def test_a_client_that_goes_back_to_lines_gets_its_echo_back() -> None:
    codec = met()
    codec.receive_data(said(DO + ECHO, DO + SGA))
    assert codec.receive_data(said(DONT + SGA)) == [CharacterMode(False)]
    assert codec.data_to_send() == said(WONT + SGA, WONT + ECHO)
    assert codec.receive_data(said(DONT + ECHO)) == []
    assert codec.data_to_send() == b""
    assert codec.receive_data(said(DO + ECHO, DO + SGA)) == [CharacterMode(True)]
    assert codec.data_to_send() == said(WILL + ECHO, WILL + SGA)


@pytest.mark.parametrize("answers", [(DO + ECHO, DONT + SGA), (DONT + SGA, DO + ECHO)])
def test_a_client_that_keeps_its_lines_is_not_left_typing_blind(answers: tuple[bytes]) -> None:
    codec = met()
    assert codec.receive_data(said(*answers)) == []
    assert codec.data_to_send() == said(WONT + ECHO)


def test_a_client_that_answers_nothing_keeps_its_lines() -> None:
    codec = met()
    assert codec.receive_data(b"hello\r\n") == [Data(b"hello\r")]
    assert not codec.character_mode


def test_a_client_that_speaks_first_is_agreed_with() -> None:
    codec = TelnetCodec()
    hello = said(WILL + NAWS, WILL + TTYPE, WILL + b"\x20", DO + ECHO, WILL + SGA, DO + SGA)
    assert codec.receive_data(hello) == [CharacterMode(True)]
    agreed = said(DO + NAWS, DO + TTYPE) + SEND_NAME
    agreed += said(DONT + b"\x20", WILL + ECHO, DO + SGA, WILL + SGA)
    assert codec.data_to_send() == agreed
    codec.offer()
    assert codec.data_to_send() == said(WILL + BINARY, DO + BINARY)


def test_what_we_do_not_speak_is_refused_once() -> None:
    codec = met()
    for _ in range(3):
        codec.receive_data(said(WILL + LINEMODE, DO + GMCP, WILL + ECHO))
    assert codec.data_to_send() == said(DONT + LINEMODE, WONT + GMCP, DONT + ECHO)


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
def test_a_window_has_a_size_one_can_draw_in(sent: tuple[int, int], seen: tuple[int, int]) -> None:
    assert met().receive_data(window(*sent)) == [WindowSize(*seen)]


@pytest.mark.parametrize("content", [b"", NAWS, NAWS + b"\0P\0", NAWS + b"\0P\0\x18\0", b"\xc9{}"])
def test_a_subnegotiation_that_is_none_says_nothing(content: bytes) -> None:
    assert met().receive_data(IAC + SB + content + IAC + SE + b"x") == [Data(b"x")]


def test_a_terminal_says_its_name_at_once_and_its_other_names_after() -> None:
    codec = met()
    codec.receive_data(said(WILL + TTYPE))
    seen: list[Value] = []
    for name in (b"TINTIN++", b"xterm-256color", b"MTTS 2829", b"MTTS 2829", b"more"):
        assert (codec.data_to_send() == SEND_NAME) == (name != b"more")
        seen += codec.receive_data(named(name))
    assert seen == [TerminalType(n) for n in ("TINTIN++", "xterm-256color", "MTTS 2829")]


def test_a_terminal_with_a_new_name_each_time_is_asked_a_few_times() -> None:
    codec = met()
    for _ in range(3):
        codec.receive_data(said(WILL + TTYPE, WONT + TTYPE))
    seen = [codec.receive_data(named(b"name%d" % number)) for number in range(100)]
    assert 0 < len([values for values in seen if values]) <= NAMES
    assert codec.data_to_send().count(SEND_NAME) <= NAMES


def test_a_name_that_nobody_asked_for_is_not_heard() -> None:
    assert met().receive_data(named(b"xterm")) == []


def test_a_terminals_name_is_short_and_safe_to_show() -> None:
    codec = met()
    codec.receive_data(said(WILL + TTYPE))
    assert codec.receive_data(named(b"x\x1b[31mt\r\ne\xc3\xa9" + b"m" * 99)) == [
        TerminalType("x31mte" + "m" * 34)
    ]


def test_ctrl_c_and_ctrl_d_arrive_as_what_they_mean() -> None:
    typed = b"a" + IAC + b"\xf4" + IAC + b"\xf3b" + IAC + b"\xec"
    assert met().receive_data(typed) == [
        Data(b"a"),
        Interrupt(),
        Interrupt(),
        Data(b"b"),
        EndOfFile(),
    ]


def test_what_a_7_bit_client_mistakes_for_a_key_is_the_letter_it_was() -> None:
    codec = TelnetCodec()
    values = codec.receive_data(b"\xe6\x97\xa5\xe6" + IAC + b"\xf3" + said(DO + TIMING_MARK))
    values += codec.receive_data(b"\xac\r\n")
    assert merged(values) == [Data("日本\r".encode())]
    assert codec.data_to_send() == said(WILL + TIMING_MARK)


@pytest.mark.parametrize("word", ["Ã", "Ä", "Ú", "Ü", "本", "𜜜", "愃", "m\u0303"])
@pytest.mark.parametrize("quit_command", [b"\xee", b"\xf3"])
def test_any_letter_survives_a_7_bit_client(word: str, quit_command: bytes) -> None:
    mistaken = {0x83: b"\xf4", 0x84: b"\xec", 0x9A: b"\xed", 0x9C: quit_command}
    sent = b"".join(
        IAC + mistaken[byte] if byte in mistaken else bytes([byte]) for byte in word.encode()
    )
    assert merged(TelnetCodec().receive_data(b"a" + sent + b"b")) == [
        Data(f"a{word}b".encode()),
    ]


@pytest.mark.parametrize("before", [b"", b"a", "日".encode(), "é".encode(), "💩".encode(), b"\x80"])
def test_ctrl_c_after_a_whole_letter_is_ctrl_c(before: bytes) -> None:
    assert Interrupt() in TelnetCodec().receive_data(before + IAC + b"\xf4")


def test_erase_keys_sent_as_commands_arrive_as_keys() -> None:
    typed = merged(met().receive_data(b"ab" + IAC + b"\xf7" + IAC + b"\xf8"))
    assert typed == [Data(b"ab\x7f\x15")]


@pytest.mark.parametrize("code", [0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF2, 0xF5, 0xF9])
def test_other_commands_say_nothing(code: int) -> None:
    codec = met()
    assert merged(codec.receive_data(b"a" + IAC + bytes([code]) + b"b")) == [Data(b"ab")]
    assert codec.data_to_send() == b""


def test_are_you_there_is_a_value_of_its_own() -> None:
    codec = met()
    assert codec.receive_data(IAC + b"\xf6") == [AreYouThere()]
    assert codec.data_to_send() == b""


def test_a_timing_mark_is_answered_each_time_for_a_client_waits_for_it() -> None:
    codec = met()
    for _ in range(3):
        codec.receive_data(said(DO + TIMING_MARK, DONT + TIMING_MARK))
        assert codec.data_to_send() == said(WILL + TIMING_MARK)


def test_a_flood_of_questions_is_answered_within_reason() -> None:
    codec = met()
    codec.receive_data(said(DO + TIMING_MARK, b"\xf6") * 10000)
    assert REPLY_BYTES - 9 < len(codec.data_to_send()) <= REPLY_BYTES
    codec.receive_data(said(DO + TIMING_MARK))
    assert codec.data_to_send() == said(WILL + TIMING_MARK)


@pytest.mark.parametrize(("length", "heard"), [(4096, True), (4097, False)])
def test_a_subnegotiation_is_kept_up_to_its_bound(length: int, heard: bool) -> None:
    codec = met()
    codec.receive_data(said(WILL + TTYPE))
    name = b"xterm" + b"\0" * (length - len(TTYPE + b"\0xterm"))
    assert codec.receive_data(named(name) + b"x") == [TerminalType("xterm")] * heard + [Data(b"x")]


def test_an_unfinished_subnegotiation_is_given_up_and_typing_goes_on() -> None:
    codec = met()
    assert codec.receive_data(IAC + SB + b"x" * (frames.UNFINISHED_BYTES - 1)) == []
    assert codec.receive_data(b"xhello") == [Data(b"hello")]


def test_a_command_ends_a_subnegotiation_that_forgot_its_end() -> None:
    assert met().receive_data(IAC + SB + NAWS + b"\0" + IAC + b"\xf4x") == [
        Interrupt(),
        Data(b"x"),
    ]


def test_a_peer_that_answers_everything_both_ways_comes_to_an_end() -> None:
    codec = TelnetCodec()
    codec.offer()
    rounds = 0
    while heard := codec.data_to_send():
        rounds += 1
        assert rounds < 2000
        assert len(heard) <= 8000
        for position in range(0, len(heard) - 2):
            if heard[position] == IAC[0] and heard[position + 1] >= WILL[0]:
                option = heard[position + 2 : position + 3]
                codec.receive_data(said(*(verb + option for verb in (WILL, WONT, DO, DONT))))


def test_a_peer_that_changes_its_mind_for_ever_is_answered_so_often_and_no_more() -> None:
    codec = TelnetCodec()
    changes = said(WILL + BINARY, WONT + BINARY, DO + BINARY, DONT + BINARY)
    codec.receive_data(changes * telnet_options.AGREEMENTS)
    assert codec.data_to_send() == telnet_options.AGREEMENTS * said(
        DO + BINARY, DONT + BINARY, WILL + BINARY, WONT + BINARY
    )
    codec.receive_data(changes)
    assert codec.data_to_send() == b""


def test_every_option_there_is_can_be_refused_but_only_once() -> None:
    codec = TelnetCodec()
    everything = said(*(verb + bytes([option]) for verb in (WILL, DO) for option in range(40, 256)))
    codec.receive_data(everything)
    assert len(codec.data_to_send()) // 3 == 2 * 216
    codec.receive_data(everything)
    assert codec.data_to_send() == b""


@given(TELNETTISH, TELNETTISH, st.booleans(), st.booleans())
def test_two_of_us_talking_to_each_other_settle(
    first: bytes, second: bytes, one_offers: bool, other_offers: bool
) -> None:
    one, other = TelnetCodec(), TelnetCodec()
    one.receive_data(first)
    other.receive_data(second)
    if one_offers:
        one.offer()
    if other_offers:
        other.offer()
    for _ in range(6 * telnet_options.AGREEMENTS):
        to_other, to_one = one.data_to_send(), other.data_to_send()
        one.receive_data(to_one)
        other.receive_data(to_other)
    assert not one.data_to_send() + other.data_to_send()


def test_a_telnet_shows_itself_with_its_first_byte() -> None:
    assert is_telnet(IAC)
    assert is_telnet(said(WILL + TTYPE))
    assert not is_telnet(b"")
    assert not is_telnet(b"hello")
    assert not is_telnet(b"\xff\n")
    assert not is_telnet(IAC + IAC)


def test_the_probe_asks_for_a_name_and_wipes_its_traces() -> None:
    assert said(DO + TTYPE) + b"\r     \r" == PROBE
