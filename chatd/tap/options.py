"""Options of ``twistd chatd``: their definitions and parsers."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import AuthOptionMixin, InvalidAuthType, makeChecker
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

import chatd
import twisted
from chatd.chat.actions.moderation.room_settings import SHOUTING
from chatd.chat.events import Refused
from chatd.chat.limits import HISTORY_SHOWN_AT_MOST, Rate
from chatd.chat.ratelimit.line_budget import rate_of_address
from chatd.chat.text import names
from chatd.chat.text.sanitizing import decode, safe
from chatd.store.nats.client import creds, servers
from chatd.store.sqlite.files import data_folder
from chatd.tap.worker import FIRST_SOCKET, Worker, read_worker, working_folder
from chatd.transport.gate.admission import PerAddress
from chatd.transport.gate.allow_file import AllowFile
from chatd.transport.net import dual_stack
from chatd.transport.net.shared_ports import KINDS, Adopting, check_shared
from chatd.transport.ssh.keys.authorized_keys import AuthorizedKeysError, read_authorized_keys
from chatd.transport.ssh.keys.host_key import HostKeyError, load_or_generate
from chatd.transport.ways import AUTO, NAMES

_T = TypeVar("_T")

#: Connections that the kernel queues until they are accepted.  With Twisted's 50, clients need 1 to
#: 7 s of retries when many connect simultaneously.
BACKLOG = 4096
#: The most lines of a message of the day that are shown.
MOTD_LINES = 20
_PORTS = range(65536)


def _endpoint(text: str | None) -> str | None:
    """Parse an endpoint description; digits alone are a TCP port of IPv6 and IPv4."""
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        text = f"{dual_stack.KIND}:{text}"
    kind, _, rest = text.partition(":")
    port = rest.partition(":")[0].removeprefix("port=")
    if kind in KINDS and port.lstrip("-").isdigit() and int(port) not in _PORTS:
        raise ValueError(f"a port is a number from 0 to {_PORTS[-1]}, not {port}")
    if text.startswith(tuple(f"{kind}:" for kind in KINDS)) and "backlog=" not in text:
        text = f"{text}:backlog={BACKLOG}"
    return text


def _room(text: str) -> str:
    try:
        return names.room(text).shown
    except Refused as refused:
        raise ValueError(refused.sentence) from None


def _shouting(text: str) -> str:
    if text not in SHOUTING:
        raise ValueError(f"it is one of {', '.join(SHOUTING)}, not {text}")
    return text


def _at_least_one(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise ValueError(f"it is a number from 1 on, not {text}")
    return number


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ValueError(f"it is a number above 0, not {text}")
    return number


def _per_address(text: str) -> PerAddress | None:
    if text == "none":
        return None
    concurrent, slash, a_minute = text.partition("/")
    limit = _at_least_one(concurrent)
    return PerAddress(limit, _positive(a_minute)) if slash else PerAddress(limit)


def _flood(text: str) -> Rate | None:
    if text == "none":
        return None
    burst, slash, a_second = text.partition("/")
    if not slash:
        raise ValueError(f"it is BURST/A-SECOND, such as 10/2, or none, not {text}")
    return Rate(_at_least_one(burst), _positive(a_second))


def _checker(text: str) -> ICredentialsChecker:
    """Return the checker of ``twisted.cred`` for a description."""
    kind, _, words = text.partition(":")
    if kind == "file":
        with open(words, "rb"):  # Twisted would accept a file that is missing
            pass
    if kind == "unix" and find_spec("crypt") is None:
        raise ValueError("Twisted needs the module crypt for that, which Python has up to 3.12")
    try:
        checker: ICredentialsChecker = makeChecker(text)
    except InvalidAuthType:
        raise ValueError(f"there is no kind {kind}; --help-auth lists them") from None
    except Exception as why:  # a third-party plugin
        raise ValueError(" ".join(str(why).split())) from None
    if IUsernamePassword not in checker.credentialInterfaces:
        raise ValueError(f"{kind} does not check passwords")
    return checker


class Options(UsageOptions, AuthOptionMixin):
    """The options of ``twistd chatd``."""

    supportedInterfaces = (IUsernamePassword,)

    synopsis = "[options]"
    longdesc = (
        "One chat server that every client can walk into: ssh, telnet and netcat on one port. "
        "docs/operations.rst says more about each option."
    )
    optParameters: ClassVar[list[list[Any]]] = [
        ["port", "p", None, "port, or endpoint, that serves every way in [default: 1134]"],
        ["lobby", None, "lobby", "the room that everyone comes into"],
        ["motd", None, None, "file whose lines greet everyone"],
        ["shouting", None, "allow", "what becomes of lines in capitals: allow, warn or kick"],
        ["admin", None, None, "file of ssh keys (as authorized_keys) of operators"],
        ["allow", None, None, "file of ssh keys and accounts of those who alone may come in"],
        [
            "data",
            None,
            None,
            "folder that keeps the host key and what was said [default: $STATE_DIRECTORY, else "
            "chatd in $XDG_STATE_HOME or ~/.local/state]",
        ],
        [
            "history",
            None,
            "365",
            "days for which what was said is kept; memory: the last of it, until a restart; none",
        ],
        [
            "replay",
            None,
            "10",
            "messages of a room that are shown to who comes in, until they /set replay",
        ],
        [
            "durability",
            None,
            "process",
            "what is said survives the end of the process, or the end of power: process or power",
        ],
        ["max-connections", None, "10000", "connections in all"],
        [
            "per-address",
            None,
            "100/120",
            "connections of one address at once, and new ones a minute: "
            "CONCURRENT[/A-MINUTE], or none",
        ],
        [
            "flood",
            None,
            "10/2",
            "lines of one person at once, and then a second: BURST/A-SECOND, or none",
        ],
        [
            "flood-per-address",
            None,
            None,
            "lines of all guests of one address, and of all accounts: BURST/A-SECOND, or none "
            "[default: four times --flood]",
        ],
        ["cluster", None, None, "NATS servers that make this server one with others: URL[,URL...]"],
        ["cluster-name", None, None, "what this server is called there [default: the host's name]"],
        ["cluster-login", None, None, "file with USER:PASSWORD for the NATS servers"],
        ["cluster-creds", None, None, "file of credentials for the NATS servers"],
        ["cluster-ca", None, None, "certificates that those of the NATS servers are signed by"],
        ["cluster-cert", None, None, "certificate and key of this server, for the NATS servers"],
        [
            "processes",
            None,
            "1",
            "processes that share the ports and are one server, for the cores of this machine; "
            "needs --cluster",
        ],
        ["student-id", None, "0", "the StudentID that the tcd way in answers HELO with"],
    ]

    optFlags: ClassVar[list[list[Any]]] = [
        ["allow-kill", None, "let KILL_SERVICE of the tcd way in stop the server"],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []
        self["proxy-from"] = []
        self["auth"] = []
        self.authOutput = sys.stdout
        self.arguments: list[str] = []
        self.folder: str | None = None

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the command line; store it, and the working folder, for the workers."""
        self.arguments = list(sys.argv[1:] if options is None else options)
        self.folder = working_folder()
        super().parseOptions(options)

    def opt_listen(self, text: str) -> None:
        """WAY=ENDPOINT, such as ssh=tcp:22: auto, ssh, telnet, tcd, json or line (repeatable)"""
        way, equals, endpoint = text.partition("=")
        if not equals or way not in NAMES:
            raise UsageError(f"--listen takes WAY=ENDPOINT, WAY one of {', '.join(NAMES)}: {text}")
        try:
            self["listen"].append((way, _endpoint(endpoint)))
        except ValueError as why:
            raise UsageError(f"--listen {text}: {why}") from None

    def opt_proxy_from(self, text: str) -> None:
        """CIDR, such as 10.0.0.0/8: proxies whose PROXY headers are believed (repeatable)"""
        try:
            self["proxy-from"].append(ip_network(text))
        except ValueError as why:
            raise UsageError(f"--proxy-from: {why}") from None

    def opt_auth(self, text: str) -> None:
        """KIND[:WORDS], such as file:/etc/chat.users: whose passwords /login takes (repeatable)"""
        self["auth"].append(_checked("auth", partial(_checker, text)))

    def opt_help_auth(self) -> None:
        """Say which kinds --auth knows."""
        super().opt_help_auth()

    def opt_help_auth_type(self, kind: str) -> None:
        """KIND: say what words it takes after --auth KIND:"""
        super().opt_help_auth_type(kind)

    def opt_version(self) -> None:
        """Say which chatd this is, and on which Twisted."""
        print(f"chatd {chatd.__version__} on Twisted {twisted.__version__}")
        raise SystemExit(0)

    def postOptions(self) -> None:
        """Check options that depend on each other, and read the files that they name.

        :raises UsageError: with one sentence.
        """
        for option, read in _READ.items():
            self[option] = _checked(option, partial(read, self[option]))
        flood = self["flood-per-address"]
        self["flood-per-address"] = (
            rate_of_address(self["flood"])
            if flood is None
            else _checked("flood-per-address", partial(_flood, flood))
        )
        listen = [("listen", way, text) for way, text in self["listen"]]
        port = self["port"]
        if port is not None or not listen:
            listen.insert(0, ("port", AUTO, _endpoint("1134") if port is None else port))
        self["listen"] = [(way, text) for _, way, text in listen]
        worker: Worker = self["processes"]
        self["endpoints"] = [
            (way, _checked(option, partial(_endpoint_of, text, worker, number)))
            for number, (option, way, text) in enumerate(listen)
        ]
        if self["cluster"] and not isinstance(self["history"], float):
            raise UsageError("--history: a cluster keeps what was said, for a number of days")
        if not self["cluster"] and any(self[option] for option in _OF_CLUSTER):
            raise UsageError("--cluster-…: there is no --cluster that it could be for")
        if worker.count > 1 and not self["cluster"]:
            raise UsageError("--processes: only with a --cluster are several processes one server")
        if worker.is_worker:
            self["cluster-name"] = worker.server_name(self["cluster-name"] or socket.gethostname())
            self["max-connections"] = worker.share_of(self["max-connections"])
        proof = partial(servers.tls, self["cluster-ca"], self["cluster-cert"])
        self["cluster-tls"] = _checked("cluster-cert", proof)
        self["host-key"] = _checked("data", partial(load_or_generate, self["data"]))


def _checked(option: str, read: Callable[[], _T]) -> _T:
    """Parse an option; an error becomes a usage error that names the option."""
    try:
        return read()
    except OSError as why:
        raise UsageError(f"--{option}: {why.strerror or why}: {why.filename or ''}") from None
    except (ValueError, AuthorizedKeysError, HostKeyError) as why:
        raise UsageError(f"--{option}: {why}") from None


def _endpoint_of(description: str, worker: Worker, number: int) -> IStreamServerEndpoint:
    """Return the endpoint of a description; in a worker, one that adopts an inherited socket.

    :raises ValueError: for any error of Twisted's parsers, which raise many kinds.
    """
    from twisted.internet import reactor

    if worker.count > 1:
        check_shared(description)
    opens: Any = Adopting(reactor, FIRST_SOCKET + number) if worker.is_worker else reactor
    try:
        endpoint = dual_stack.server_endpoint(opens, description)
    except (IndexError, KeyError) as why:
        if description.startswith("systemd:"):
            raise ValueError(
                f"systemd passed no socket {_socket_of(description)}; is chatd.socket started?"
            ) from None
        raise ValueError(f"{description} is no endpoint: {why}") from None
    except Exception as why:
        raise ValueError(f"{description} is no endpoint: {why}") from None
    return endpoint


def _socket_of(description: str) -> str:
    """Return the number or the name of the socket that a ``systemd:`` endpoint asks for."""
    _, _, words = description.partition(":")
    named = dict(word.partition("=")[::2] for word in words.split(":"))
    return named.get("index") or named.get("name", "")


def _data_folder(text: str | None) -> Path:
    return Path(text) if text else data_folder()


def _motd(path: str | None) -> tuple[str, ...]:
    if path is None:
        return ()
    return tuple(decode(line) for line in Path(path).read_bytes().splitlines()[:MOTD_LINES])


def _history(text: str) -> float | str:
    return text if text in ("none", "memory") else _positive(text)


def _replay(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text[:9]) > HISTORY_SHOWN_AT_MOST:
        raise ValueError(f"it is a number, 0 to {HISTORY_SHOWN_AT_MOST}, not {text}")
    return int(text)


def _durability(text: str) -> str:
    if text not in ("process", "power"):
        raise ValueError(f"it is process or power, not {text}")
    return text


def _operators(path: str | None) -> frozenset[bytes]:
    return frozenset(read_authorized_keys(Path(path))) if path else frozenset()


def _allow(path: str | None) -> AllowFile | None:
    return AllowFile(Path(path)) if path else None


#: The parser of each option.  Twisted's own coercion would not say which option is wrong, and does
#: not parse defaults.
_READ: dict[str, Callable[[Any], Any]] = {
    "port": _endpoint,
    "lobby": _room,
    "motd": _motd,
    "shouting": _shouting,
    "admin": _operators,
    "allow": _allow,
    "data": _data_folder,
    "history": _history,
    "replay": _replay,
    "durability": _durability,
    "max-connections": _at_least_one,
    "per-address": _per_address,
    "flood": _flood,
    "cluster": servers.read_servers,
    "cluster-login": servers.read_login,
    "cluster-creds": creds.read_creds,
    "cluster-ca": servers.readable,
    "cluster-cert": servers.readable,
    "processes": read_worker,
    "student-id": safe,
}
#: Options about the connection to the servers of ``--cluster``.
_OF_CLUSTER = ("cluster-name", "cluster-login", "cluster-creds", "cluster-ca", "cluster-cert")
