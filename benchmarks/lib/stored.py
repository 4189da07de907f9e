"""Measurements that are kept in a folder, so that a benchmark that was stopped goes on where it was."""

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


class OutOfTimeError(Exception):
    """There is more to measure than the time allows."""


class Stored:
    """Arrays by what they were made from."""

    def __init__(self, folder: Path, seconds: float) -> None:
        """Begins nothing new after so many `seconds`."""
        self.folder, self.end = folder, time.monotonic() + seconds
        self.spent = Counter[str]()
        """CPU seconds that it took to make what was asked for, by what it is."""
        self.asked, self.missing = set[Path](), False
        folder.mkdir(parents=True, exist_ok=True)

    def arrays(
        self, world: str, what: str, number: Sequence[float], make: Callable[[], Mapping[str, Any]]
    ) -> dict[str, np.ndarray]:
        """What `make` gives for this world: `what` it is, and which."""
        key = json.dumps([world, what, *number])
        path = self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npz"
        if not path.exists():
            if time.monotonic() > self.end:
                self.missing = True
                raise OutOfTimeError
            started = time.process_time()
            made = dict(make())
            beside = path.with_name(f".{os.getpid()}-{path.name}")
            with beside.open("wb") as file:
                np.savez(file, **made, seconds=time.process_time() - started)
            beside.replace(path)
        with np.load(path) as stored:
            found = dict(stored)
        if path not in self.asked:
            self.asked.add(path)
            self.spent[what] += float(found["seconds"])
        return found
