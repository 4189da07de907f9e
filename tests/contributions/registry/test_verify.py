"""Whatever is changed behind the registry's back, `verify` names it."""

import json
from collections.abc import Callable

import pytest

from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.repository import Repository
from tribute.contributions.registry.verify import verify_registry
from tribute.errors import IntegrityError


def commit(repository: Repository) -> None:
    repository.commit("Behind the registry's back")


def edit_meta(repository: Repository) -> None:
    (meta,) = repository.root.glob("contributions/ada-*/meta.yaml")
    meta.write_text(meta.read_text().replace("MIT", "CC0-1.0"))


def edit_meta_and_commit(repository: Repository) -> None:
    edit_meta(repository)
    commit(repository)


def remove_pointer(repository: Repository) -> None:
    (pointer,) = repository.root.glob("contributions/ada-*/data.jsonl.dvc")
    pointer.unlink()
    commit(repository)


def add_pointer(repository: Repository) -> None:
    (pointer,) = repository.root.glob("contributions/ada-*/data.jsonl.dvc")
    repository.write("contributions/eve-00000000/data.jsonl.dvc", pointer.read_bytes())
    commit(repository)


def edit_ledger(repository: Repository) -> None:
    ledger = repository.root / "ledger.jsonl"
    lines = ledger.read_text().splitlines()
    entry = json.loads(lines[1])
    entry["details"]["rows"] = 1000
    ledger.write_text("\n".join([lines[0], json.dumps(entry), *lines[2:]]) + "\n")
    commit(repository)


def cut_ledger(repository: Repository) -> None:
    ledger = repository.root / "ledger.jsonl"
    ledger.write_bytes(b"".join(ledger.read_bytes().splitlines(keepends=True)[:-1]))
    commit(repository)


def damage_data(repository: Repository) -> None:
    for path in [*repository.root.glob(".dvc/cache/files/md5/*/*"), *repository.remote.glob("files/md5/*/*")]:
        path.chmod(0o644)
        path.write_bytes(b"damaged")


def remove_tag(repository: Repository) -> None:
    repository.git("tag", "--delete", "docs@v1.0.0")


def move_tag(repository: Repository) -> None:
    repository.git("tag", "--force", "--annotate", "docs@v1.0.0", "--message", "Moved", "HEAD~1")


def add_tag(repository: Repository) -> None:
    repository.tag("docs@v2.0.0", "Begin the registry")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (edit_meta, r"meta\.yaml: differs from the last commit"),
        (edit_meta_and_commit, r"contributions/ada-\w+/meta\.yaml: sha256 \w+, the log says"),
        (remove_pointer, r"contributions/ada-\w+/data\.jsonl\.dvc: missing; the log records it"),
        (add_pointer, r"contributions/eve-00000000/data\.jsonl\.dvc: the log does not mention it"),
        (edit_ledger, r"ledger\.jsonl:2: the entry was changed"),
        (cut_ledger, r"datasets/docs/exclusions\.parquet\.dvc: the log does not mention it"),
        (damage_data, r"the data with md5 \w+ is missing or damaged"),
        (remove_tag, r"tag docs@v1\.0\.0: missing; the log records it"),
        (move_tag, r"tag docs@v1\.0\.0: its commit does not end with the release"),
        (add_tag, r"tag docs@v2\.0\.0: the log does not mention it"),
    ],
)
def test_damage_is_named(released: Registry, damage: Callable[[Repository], None], message: str):
    """Each kind of damage has its message."""
    damage(released.repository)

    with pytest.raises(IntegrityError, match=message):
        verify_registry(released.repository)


def test_an_honest_registry_verifies(released: Registry):
    """Undamaged, everything was walked: five entries, four pointers, one tag."""
    found = verify_registry(released.repository)

    assert (found.entries, found.pointers, found.tags) == (5, 4, 1)
