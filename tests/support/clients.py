"""The programs of Debian that the end-to-end tests use as clients.

It knows where they are and which package has them; conftest.py decides what a missing one means for
a test.  Run as a program it prints the packages to install, for .ci/run; so it uses nothing but the
standard library.
"""

import os
import shutil
from importlib.util import find_spec

#: For each client: what it may be called, Debian's own name first, and Debian's package.
CLIENTS = {
    "ssh": (("ssh",), "openssh-client"),
    "ssh-keygen": (("ssh-keygen",), "openssh-client"),
    "ssh-keyscan": (("ssh-keyscan",), "openssh-client"),
    "tmux": (("tmux",), "tmux"),
    "telnet": (("inetutils-telnet", "telnet"), "inetutils-telnet"),
    "telnet-ssl": (("telnet-ssl",), "telnet-ssl"),
    "plink": (("plink",), "putty-tools"),
    "puttygen": (("puttygen",), "putty-tools"),
    "dbclient": (("dbclient",), "dropbear-bin"),
    "dropbearkey": (("dropbearkey",), "dropbear-bin"),
    "tt++": (("tt++",), "tintin++"),
    "nc": (("nc.openbsd", "nc"), "netcat-openbsd"),
    "openssl": (("openssl",), "openssl"),
    "Xvfb": (("Xvfb",), "xvfb"),
    "xdotool": (("xdotool",), "xdotool"),
    "fail2ban-regex": (("fail2ban-regex",), "fail2ban"),
    "faketime": (("faketime",), "faketime"),
}

#: The same for modules of Python.
MODULES = {"tkinter": ("_tkinter", "python3-tk")}

#: Debian installs tt++ in the last of these, which is not in root's PATH.
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/games"])


def find(name: str) -> str | None:
    """Return the path of a client of the tables, or None where it is not installed."""
    if name in MODULES:
        module = find_spec(MODULES[name][0])
        return module.origin if module else None
    names, _package = CLIENTS[name]
    return next((path for path in (shutil.which(each, path=PATH) for each in names) if path), None)


def missing_packages() -> list[str]:
    """Return Debian's packages for the clients that are not here under Debian's own name."""
    programs = {
        package for names, package in CLIENTS.values() if shutil.which(names[0], path=PATH) is None
    }
    modules = {package for module, package in MODULES.values() if find_spec(module) is None}
    return sorted(programs | modules)


if __name__ == "__main__":
    print(*missing_packages())
