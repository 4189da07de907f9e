"""A serving key in a process of its own: whoever reads the memory of the server or of a model does not find it.

The process signs what a `Signer` signs, so even a captured server can make it sign nothing but receipts. It ends when
the server does, however that ends.
"""

import signal
import threading
from collections.abc import Collection
from hashlib import sha256
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from tribute.errors import ServiceError, TributeError
from tribute.keys import load_key
from tribute.services.receipts.serving_key import Signer, read_certificate

STARTS, ANSWERS = 60, 10
"""Seconds after which a process that says nothing counts as dead."""


class SigningProcess:
    """A signer whose key is in another process. Close it, or use it as a context."""

    def __init__(self, key: Path, certificate: bytes, registry: Collection[str]) -> None:
        """`key` is the file of the serving key, `registry` has the public halves of the registry's keys.

        Raises IntegrityError for a certificate that does not hold, ServiceError 500 where the process does not start:
        the key's file cannot be read, or the certificate is of another key.
        """
        self.certificate = read_certificate(certificate, registry)
        self.content = certificate
        self.id = sha256(certificate).hexdigest()
        self._turn = threading.Lock()
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, key, certificate, list(registry)), daemon=True)
        self._process.start()
        theirs.close()
        try:
            self._receive(STARTS)
        except ServiceError as error:
            self.close()
            raise ServiceError(f"the signing process does not start: {error}", 500) from error

    def sign(self, kind: str, payload: bytes, time: str) -> str:
        """As `Signer.sign`. Raises ServiceError 503 also where the process has ended."""
        with self._turn:
            try:
                self._pipe.send((kind, payload, time))
            except OSError as error:
                raise ServiceError("the signing process has ended; start the server again", 503) from error
            return self._receive(ANSWERS)

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join()

    def __enter__(self) -> "SigningProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self, seconds: int) -> str:
        try:
            if not self._pipe.poll(seconds):
                raise ServiceError("the signing process does not answer; start the server again", 503)
            signature, fault, status = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise ServiceError("the signing process has ended; start the server again", 503) from error
        if fault:
            raise ServiceError(fault, status)
        return str(signature)


def _serve(pipe: Connection, key: Path, certificate: bytes, registry: list[str]) -> None:
    """Answer until the other end of the pipe is closed; the first answer says whether the key fits."""
    # An interrupt of the terminal reaches both processes; the server decides when it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        signer = Signer(load_key(key), certificate, registry)
    except TributeError as error:
        pipe.send(("", str(error), 500))
        return
    pipe.send(("", "", 0))
    while True:
        try:
            kind, payload, time = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            pipe.send((signer.sign(kind, payload, time), "", 0))
        except ServiceError as error:
            pipe.send(("", str(error), error.status))
