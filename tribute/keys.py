"""Ed25519 keys: in files that only their owner can read, and as text. Knows nothing of what is signed."""

import os
from base64 import b64decode, b64encode
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tribute.errors import IntegrityError, RegistryError

Key = Ed25519PrivateKey


def make_key(path: Path) -> Key:
    """A new private key in a new file (PEM, mode 0600). Raises RegistryError where the file is there already."""
    key = Ed25519PrivateKey.generate()
    content = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise RegistryError(f"{path} is there already, and a key is never overwritten; give another path") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return key


def load_key(path: Path) -> Key:
    """The private key in a file. Raises RegistryError where there is none, or others can read it."""
    try:
        content = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise RegistryError(f"{path}: the key cannot be read ({error.strerror}); give the path of its file") from error
    if mode & 0o077:
        raise RegistryError(f"{path}: others can read this private key; `chmod 600` it")
    return parse_key(content, str(path))


def parse_key(content: bytes, name: str) -> Key:
    """A private key from PEM. Raises RegistryError."""
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise RegistryError(f"{name}: not a private key in PEM form; make one with `tribute key new`") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise RegistryError(f"{name}: found another kind of key, expected Ed25519; make one with `tribute key new`")
    return key


def public_half(key: Key) -> str:
    """The public key, 32 bytes in base64."""
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return b64encode(raw).decode()


def sign(key: Key, content: bytes) -> str:
    """The signature, 64 bytes in base64."""
    return b64encode(key.sign(content)).decode()


def check_signature(public: str, signature: str, content: bytes, what: str) -> None:
    """Raise IntegrityError unless `signature` is that of `content` by the key with this public half."""
    try:
        Ed25519PublicKey.from_public_bytes(b64decode(public, validate=True)).verify(
            b64decode(signature, validate=True), content
        )
    except (InvalidSignature, ValueError) as error:
        raise IntegrityError(f"{what}: the signature is not that of the key {public[:12]}…; it was changed") from error
