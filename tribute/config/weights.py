"""What identifies the weights of a base that lies in a folder."""

from pathlib import Path

from tribute.digests import cached_sha256, canonical_digest
from tribute.errors import ConfigError
from tribute.strict import parse_json

WEIGHTS, SHARDS = "model.safetensors", "model.safetensors.index.json"


def weight_files(folder: Path) -> list[str]:
    """The names of a base's weights: one file, or an index and its shards. Raises ConfigError for a broken index."""
    if (folder / WEIGHTS).exists() or not (folder / SHARDS).exists():
        return [WEIGHTS]
    try:
        shards = parse_json((folder / SHARDS).read_text(encoding="utf-8"))["weight_map"].values()
        return [SHARDS, *sorted(set(shards))]
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise ConfigError(f"{folder / SHARDS}: no index of weights ({error}); copy the base again") from error


def weights_sha256(folder: Path) -> str | None:
    """What identifies a base's weights (see `BaseConfig.sha256`); None where a file of them is missing."""
    digests = {name: file_digest(folder / name) for name in weight_files(folder)}
    if None in digests.values():
        return None
    return digests[WEIGHTS] if WEIGHTS in digests else canonical_digest(digests)


def file_digest(path: Path) -> str | None:
    """sha256 of a file, 64 hex digits; None where there is none."""
    return cached_sha256(path) if path.is_file() else None
