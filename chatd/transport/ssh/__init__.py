"""The way in over SSH: from bytes to a program in a channel.  It knows nothing of the chat."""

from chatd.transport.channel import Program, SshPeer, TerminalInfo
from chatd.transport.ssh.keys.authorized_keys import AuthorizedKeysError, read_authorized_keys
from chatd.transport.ssh.keys.host_key import HostKeyError, load_or_make
from chatd.transport.ssh.keys.public_keys import fingerprint
from chatd.transport.ssh.protocol.channel import SessionChannel
from chatd.transport.ssh.protocol.factory import SSHFactory
from chatd.transport.ssh.protocol.window import WindowedOutbox

__all__ = [
    "AuthorizedKeysError",
    "HostKeyError",
    "Program",
    "SSHFactory",
    "SessionChannel",
    "SshPeer",
    "TerminalInfo",
    "WindowedOutbox",
    "fingerprint",
    "load_or_make",
    "read_authorized_keys",
]
