"""The host key, files of authorized keys, and signatures of public keys."""

import hashlib
import os
import struct
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh.keys import Key

from chatd.transport.ssh.keys.authorized_keys import AuthorizedKeysError, read_authorized_keys
from chatd.transport.ssh.keys.host_key import HostKeyError, load_or_generate
from chatd.transport.ssh.keys.public_keys import fingerprint, proves, read_key
from chatd.wire.ssh import string
from tests.support.ssh.peer import USER_KEY


def openssh(key: Key) -> str:
    text: bytes = key.public().toString("openssh")
    return text.decode()


def test_the_host_key_is_generated_once_and_then_reused(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    first = load_or_generate(folder)
    assert load_or_generate(folder) == first
    assert first.sshType() == b"ssh-ed25519"
    assert [path.name for path in folder.iterdir()] == ["ssh_host_ed25519_key"]


def test_only_the_owner_can_read_the_host_key(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        load_or_generate(tmp_path / "keys")
    finally:
        os.umask(before)
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "keys" / "ssh_host_ed25519_key").stat().st_mode & 0o777 == 0o600


def test_a_host_key_from_ssh_keygen_is_used(tmp_path: Path) -> None:
    made = Key(Ed25519PrivateKey.generate())
    (tmp_path / "ssh_host_ed25519_key").write_bytes(made.toString("openssh", subtype="v1"))
    assert load_or_generate(tmp_path) == made


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage\n",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
        Key(ec.generate_private_key(ec.SECP256R1())).toString("openssh", subtype="v1"),
        USER_KEY.toString("openssh", subtype="v1", passphrase=b"secret"),
        USER_KEY.toString("openssh", subtype="v1")[:100],
    ],
)
def test_an_invalid_host_key_is_neither_used_nor_overwritten(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "ssh_host_ed25519_key"
    path.write_bytes(content)
    with pytest.raises(HostKeyError, match=r"ssh_host_ed25519_key.*\.$"):
        load_or_generate(tmp_path)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_host_key_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "ssh_host_ed25519_key").symlink_to("nowhere")
    with pytest.raises(HostKeyError, match="out of reach"):
        load_or_generate(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(HostKeyError, match="out of reach"):
        load_or_generate(tmp_path / "file")


def test_two_servers_that_start_at_once_share_one_host_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def late(draft: Path, path: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        late.other = load_or_generate(tmp_path)  # type: ignore[attr-defined]
        link(draft, path)

    monkeypatch.setattr(os, "link", late)
    assert load_or_generate(tmp_path) == late.other  # type: ignore[attr-defined]


def test_authorized_keys_are_read_with_their_comments_and_options(tmp_path: Path) -> None:
    keys = [Key(Ed25519PrivateKey.generate()) for _ in range(4)]
    path = tmp_path / "authorized_keys"
    path.write_text(
        "# operators\n"
        "\n"
        f"{openssh(keys[0])} ann at home\r\n"
        f'command="say \\"hi, there\\" # ssh-ed25519 x",no-pty\t{openssh(keys[1])}\tbob\n'
        f"   restrict {openssh(keys[2])}\n"
        f"  {openssh(keys[3])}   jürgen  \n"
        f"{openssh(keys[0])} again\n"
    )
    assert read_authorized_keys(path) == {
        keys[0].public().blob(): "ann at home",
        keys[1].public().blob(): "bob",
        keys[2].public().blob(): "",
        keys[3].public().blob(): "jürgen",
    }


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "ssh-ed25519",
        "ssh-ed25519 AAAA ann",
        "ssh-ed25519 !!!! ann",
        "ssh-rsa " + openssh(USER_KEY).split()[1],
        'command="never closed ' + openssh(USER_KEY),
        "cert-authority " + openssh(USER_KEY),
        'from="192.0.2.*",no-pty ' + openssh(USER_KEY),
        "ssh-dss AAAAB3NzaC1kc3MAAAAA",
        "bogus-option bogus-option " + openssh(USER_KEY),
    ],
    ids=str.split(
        "nonsense no-key no-blob no-base64 another-kind open-quote authority from dss options"
    ),
)
def test_an_invalid_line_is_reported_with_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "authorized_keys"
    path.write_text(f"# one\n{openssh(USER_KEY)} fine\n{line}\n")
    with pytest.raises(AuthorizedKeysError, match="line 3"):
        read_authorized_keys(path)


def test_a_missing_file_of_keys_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AuthorizedKeysError, match="cannot be read"):
        read_authorized_keys(tmp_path / "nowhere")


def test_a_fingerprint_is_that_of_ssh_keygen() -> None:
    blob = USER_KEY.public().blob()
    assert fingerprint(blob).startswith("SHA256:")
    assert len(fingerprint(blob)) == len("SHA256:") + 43


KEYS = [
    (Key(Ed25519PrivateKey.generate()), b"ssh-ed25519"),
    (Key(ec.generate_private_key(ec.SECP256R1())), b"ecdsa-sha2-nistp256"),
    (Key(ec.generate_private_key(ec.SECP384R1())), b"ecdsa-sha2-nistp384"),
    (Key(ec.generate_private_key(ec.SECP521R1())), b"ecdsa-sha2-nistp521"),
    (Key(rsa.generate_private_key(65537, 2048)), b"rsa-sha2-256"),
    (Key(rsa.generate_private_key(65537, 2048)), b"rsa-sha2-512"),
]


@pytest.mark.parametrize(("key", "algorithm"), KEYS, ids=[name.decode() for _, name in KEYS])
def test_each_type_of_key_is_proven_by_its_own_signature_only(key: Key, algorithm: bytes) -> None:
    read = read_key(key.public().blob())
    assert read is not None
    signature = key.sign(b"message", algorithm)
    assert proves(read, algorithm, signature, b"message")
    assert not proves(read, algorithm, signature, b"another message")
    assert not proves(read, b"ssh-rsa", signature, b"message")
    for cut in range(len(signature)):
        assert not proves(read, algorithm, signature[:cut], b"message")
    assert not proves(read, algorithm, signature + b"x", b"message")


def test_an_rsa_signature_with_sha1_proves_nothing() -> None:
    private = rsa.generate_private_key(65537, 2048)
    signature = string(b"ssh-rsa") + string(
        private.sign(b"message", padding.PKCS1v15(), hashes.SHA1())
    )
    key = read_key(Key(private).public().blob())
    assert key is not None
    for algorithm in (b"rsa-sha2-256", b"rsa-sha2-512"):
        assert not proves(key, algorithm, signature, b"message")


def test_keys_that_are_weak_or_not_canonical_are_refused() -> None:
    blob = USER_KEY.public().blob()
    assert read_key(blob + b"x") is None
    assert read_key(blob[:-1]) is None
    assert read_key(b"") is None
    assert read_key(string(b"ssh-dss") + string(b"\1") * 4) is None
    weak = rsa.generate_private_key(65537, 1024)
    assert read_key(Key(weak).public().blob()) is None
    old = dsa.generate_private_key(1024)
    assert read_key(Key(old).public().blob()) is None


def security_key(private: object) -> tuple[bytes, bytes, bytes]:
    """Return the blob, the algorithm and the application of a security key."""
    if isinstance(private, Ed25519PrivateKey):
        kind = b"sk-ssh-ed25519@openssh.com"
        point = private.public_key().public_bytes_raw()
        return string(kind) + string(point) + string(b"ssh:"), kind, b"ssh:"
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    kind = b"sk-ecdsa-sha2-nistp256@openssh.com"
    point = private.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    blob = string(kind) + string(b"nistp256") + string(point) + string(b"ssh:")
    return blob, kind, b"ssh:"


@pytest.mark.parametrize(
    "private", [Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())]
)
def test_a_security_key_must_have_been_touched(private: object) -> None:
    blob, kind, application = security_key(private)
    key = read_key(blob)
    assert key is not None
    for flags, proven in ((1, True), (5, True), (0, False), (4, False)):
        touched = struct.pack(">BL", flags, 77)
        signed = hashlib.sha256(application).digest() + touched + hashlib.sha256(b"it").digest()
        inner = Key(private).sign(signed)
        inner_signature = inner[4 + struct.unpack_from(">L", inner)[0] :]
        assert proves(key, kind, string(kind) + inner_signature + touched, b"it") is proven
        assert not proves(key, kind, string(kind) + inner_signature, b"it")
        assert not proves(key, kind, string(kind) + inner_signature + touched[:4], b"it")
