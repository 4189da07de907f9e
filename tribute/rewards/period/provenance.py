"""With which code and packages a period was made, as far as it can be known: for the manifest's provenance."""

import subprocess
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path


@cache
def origin() -> dict[str, str | None]:
    """`commit` of the code (None outside a git checkout) and `lock_sha256`, over the lines `name==version`, sorted."""
    lines = sorted(
        {
            f"{distribution.metadata['Name'].lower()}=={distribution.version}"
            for distribution in metadata.distributions()
        }
    )
    return {"commit": _commit(), "lock_sha256": sha256("\n".join(lines).encode()).hexdigest()}


def _commit() -> str | None:
    root = Path(__file__).parents[3]
    if not (root / ".git").exists():
        return None
    # Another user may own the checkout, such as root where a service runs.
    command = ["git", "-c", "safe.directory=*", "-C", str(root), "rev-parse", "HEAD"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    return told.stdout.strip() or None
