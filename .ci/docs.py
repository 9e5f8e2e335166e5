"""Check pages of documentation: ``python .ci/docs.py README.rst docs/*.rst``.

Every page must parse without a warning, and every link to another file must have a target.
"""

import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from docutils import nodes
from docutils.core import publish_doctree
from docutils.utils import SystemMessage

SETTINGS = {
    "halt_level": 2,  # warnings are errors …
    "report_level": 2,
    "warning_stream": False,  # … and are printed once, by this program
    "syntax_highlight": "none",  # a conversation on the wire is not a language that Pygments knows
    "input_encoding": "utf-8",
    "_disable_config": True,
}


def parse(page: Path) -> nodes.document:
    """Parse a page; raise ``SystemMessage`` at its first warning."""
    text = page.read_text(encoding="utf-8")
    return publish_doctree(text, source_path=str(page), settings_overrides=SETTINGS)


def broken_links(page: Path, tree: nodes.document) -> list[str]:
    """Return a complaint for each link to a missing file, or to a missing target in a file."""
    complaints = []
    for link in tree.findall(nodes.reference):
        address = urlsplit(link.get("refuri", ""))
        if address.scheme or address.netloc or not address.path:
            continue
        target = page.parent / unquote(address.path)
        if not target.exists():
            complaints.append(f"{page}: no such file: {address.geturl()}")
        elif (
            address.fragment
            and target.suffix == ".rst"
            and address.fragment not in parse(target).ids
        ):
            complaints.append(f"{page}: no such place in the file: {address.geturl()}")
    return complaints


def main(pages: list[Path]) -> int:
    """Check the pages, print the errors and return the exit status."""
    complaints = []
    for page in pages:
        try:
            complaints += broken_links(page, parse(page))
        except SystemMessage as warning:
            complaints.append(str(warning))
    print(*complaints, f"{len(pages)} pages, {len(complaints)} complaints", sep="\n")
    return 1 if complaints or not pages else 0


if __name__ == "__main__":
    raise SystemExit(main([Path(name) for name in sys.argv[1:]]))
