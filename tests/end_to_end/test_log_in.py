"""The real twistd with users who register and log in by netcat, telnet and ssh."""

from pathlib import Path

from tests.end_to_end.test_walk_in import MANY
from tests.support.callers import Netcat, Ssh, Telnet
from tests.support.served import Served

SECRET = "correct horse"


def test_a_user_registered_by_telnet_logs_in_by_netcat_and_ssh(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("bob:from elsewhere\n")
    options = (*MANY, "--auth", f"file:{users}")
    with Served(tmp_path, options=options) as server, Telnet(server.port()) as ada:
        ada.greeted()
        ada.types("/nick ada"), ada.hears("now known as ada.")
        ada.types("/register"), ada.screen.shows("New password:")
        ada.types(SECRET), ada.screen.shows("The same again:")
        ada.types(SECRET), ada.hears("ada is yours now")
        assert SECRET.encode() not in ada.data
        with Netcat(server.port()) as ned:
            ned.greeted()
            ned.says("/login ada"), ned.hears("What you type will be seen")
            ned.says("wrong one"), ned.hears("-- That is not the password of ada.\r\n")
            ned.says(SECRET), ned.hears("-- You are logged in as ada.\r\n")
            ned.says("hello"), ada.screen.shows("ada: hello", "[lobby]")
    with (
        Served(tmp_path, options=options) as server,
        Ssh(server.port(), "ada", terminal=True) as sue,
        Netcat(server.port()) as bob,
    ):
        sue.hears("/login ada if it is yours."), sue.screen.shows("[lobby]")
        sue.types("/login ada"), sue.screen.shows("Password of ada:")
        sue.types(SECRET), sue.screen.shows("-- You are logged in as ada.", "[lobby]")
        assert SECRET.encode() not in sue.data
        bob.greeted()
        bob.says("/login bob from elsewhere"), bob.hears("-- You are logged in as bob.\r\n")
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert SECRET.encode() not in kept
    assert b"$argon2id$" in kept
