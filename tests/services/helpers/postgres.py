"""A PostgreSQL server of the tests' own, from Debian's packages, on a free port of the loopback."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Server:
    """A running server; `url(name)` is that of a database of this name, made where there is none."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder = programs, folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        self._run("pg_ctl", "-D", self.folder, "-l", self.folder / "log", "-w", "-t", "600", "-o", options, "start")

    def stop(self) -> None:
        """At once, as a crash would: what was committed is there after the next start."""
        self._run("pg_ctl", "-D", self.folder, "-m", "immediate", "-w", "-t", "600", "stop")

    def url(self, name: str) -> str:
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", name)
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def _run(self, program: str, *arguments: object) -> None:
        # The server refuses to run as root, and a locale of the person's may be absent.
        user = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
        # A file, since the server that pg_ctl leaves running would keep a pipe open.
        with tempfile.TemporaryFile("w+") as errors:
            command = [str(self.programs / program), *map(str, arguments)]
            done = subprocess.run(
                command, cwd="/", env={"LC_ALL": "C"}, stdout=subprocess.DEVNULL, stderr=errors, **user
            )
            errors.seek(0)
            assert done.returncode == 0, f"{program}: {errors.read()}"


@contextmanager
def server() -> Iterator[Server]:
    """A server with an empty cluster; skips where Debian's packages are absent."""
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    pytest.importorskip("pg8000")
    if not homes:
        pytest.skip("PostgreSQL is absent; apt-get install postgresql")
    folder = Path(subprocess.check_output(["mktemp", "-d", "/var/tmp/postgres-XXXXXX"], text=True).strip())
    if os.getuid() == 0:
        shutil.chown(folder, "nobody")
    running = Server(homes[-1].parent, folder)
    try:
        running._run("initdb", "-D", folder, "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N")
        running.start()
        yield running
        running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
