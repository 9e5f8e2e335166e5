"""Commands for accounts: registering, logging in, passwords, ssh keys and connections."""

from __future__ import annotations

from chatd.chat.commands.accounts import keys, login, sessions
from chatd.chat.commands.accounts.login import WITH_PASSWORD, may_hold_secret

__all__ = ["COMMANDS", "WITH_PASSWORD", "may_hold_secret"]

COMMANDS = (*login.COMMANDS, *keys.COMMANDS, *sessions.COMMANDS)
