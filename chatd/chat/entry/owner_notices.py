"""Owner notices: what users are told when they come in about their account or their key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from chatd.chat.events import Listing, Notice
from chatd.chat.limits import CLAIMS_SHOWN
from chatd.chat.model.entities import Session
from chatd.chat.records.accounts import Accounts, Change
from chatd.chat.records.logins import Login


def moment(session: Session, time: float) -> str:
    """Return a date and time in the time zone of a session's user."""
    zone = ZoneInfo(session.preferences.timezone)
    return datetime.fromtimestamp(time, zone).strftime("%Y-%m-%d %H:%M")


def described_origin(fingerprint: str | None, address: str) -> str:
    """Say by which key (None or empty: by the password) and from which address somebody came."""
    by = f"by the key {fingerprint}" if fingerprint else "by the password"
    return f"{by}, from {address or 'this machine'}"


def show_last_login(session: Session, last: Login | None, changes: Sequence[Change]) -> None:
    """Tell an owner of their last login, and of the changes since they last came from here.

    Programs are not told: nobody reads it.
    """
    if not _is_read(session):
        return
    if last is not None:
        origin = described_origin(last.proof, last.address)
        session.deliver(Notice(f"Your last login: {moment(session, last.time)}, {origin}."))
    if changes:
        rows = [f"{moment(session, change.time)} {change.text}" for change in changes]
        heading = "Changes of your account; if one was not yours, /sessions and /keys help:"
        session.deliver(Listing(heading, tuple(rows)))


def _is_read(session: Session) -> bool:
    """Whether a person reads what a session is shown, and it has not ended meanwhile."""
    return session.client.resumable and session in session.person.sessions


def show_claims(accounts: Accounts, session: Session) -> None:
    """Tell the holder of a key who says that it is theirs, until they accept or decline."""
    claims = accounts.claiming(session.fingerprint)
    if not claims or not _is_read(session):
        return
    names = [str(account.name) for account in claims[-CLAIMS_SHOWN:]]
    more = f" and {len(claims) - len(names)} more" if len(claims) > len(names) else ""
    says, nick = "says" if len(claims) == 1 else "say", names[-1]
    session.deliver(
        Notice(
            f"{', '.join(names)}{more} {says} that your key is theirs: /keys accept {nick} if you "
            f"are {nick}, or else /keys decline {nick}."
        )
    )
