"""Two policies side by side: which settings differ, and what a period would have paid by another one. Posts nothing."""

from collections.abc import Iterator
from typing import Any

from tribute.rewards.policy.policy import Policy

ABSENT = "–"


def differences(before: Policy, after: Policy) -> list[tuple[str, str, str]]:
    """(Setting, before, after) of every setting that differs, such as `("kappa", "1", "1.96")`."""
    old, new = (dict(_flat(policy.model_dump(mode="json"))) for policy in (before, after))
    names = [*old, *(name for name in new if name not in old)]
    return [(name, old.get(name, ABSENT), new.get(name, ABSENT)) for name in names if old.get(name) != new.get(name)]


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        yield name, ", ".join(map(str, value)) or ABSENT
    else:
        yield name, ABSENT if value is None or value == {} else str(value)
