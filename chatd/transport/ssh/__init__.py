"""The way in over SSH: from bytes to a program in a channel.  It knows nothing of the chat."""

from chatd.transport.ssh.authorized import AuthorizedKeysError, read_authorized_keys
from chatd.transport.ssh.channel import SessionChannel
from chatd.transport.ssh.factory import SSHFactory
from chatd.transport.ssh.hostkey import HostKeyError, load_or_make
from chatd.transport.ssh.publickeys import fingerprint
from chatd.transport.ssh.visitor import Program, Terminal, Visitor
from chatd.transport.ssh.window import ChannelOutbox

__all__ = [
    "AuthorizedKeysError",
    "ChannelOutbox",
    "HostKeyError",
    "Program",
    "SSHFactory",
    "SessionChannel",
    "Terminal",
    "Visitor",
    "fingerprint",
    "load_or_make",
    "read_authorized_keys",
]
