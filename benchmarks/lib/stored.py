"""Measurements that are kept in a folder, so that a benchmark that was stopped goes on where it was."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
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
        folder.mkdir(parents=True, exist_ok=True)

    def arrays(self, key: Any, make: Callable[[], Mapping[str, Any]]) -> dict[str, np.ndarray]:
        """What `make` gives, and the CPU seconds that it took as `seconds`; `key` is anything that JSON can say."""
        path = self.folder / f"{hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]}.npz"
        if not path.exists():
            if time.monotonic() > self.end:
                raise OutOfTimeError
            started = time.process_time()
            made = dict(make())
            beside = path.with_name(f".{os.getpid()}-{path.name}")
            with beside.open("wb") as file:
                np.savez(file, **made, seconds=time.process_time() - started)
            beside.replace(path)
        with np.load(path) as stored:
            return dict(stored)
