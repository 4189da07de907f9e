"""Commands about who contributes: keys, organisations and the vault."""

from collections.abc import Sequence
from pathlib import Path

from tribute.commands.output import Output
from tribute.contributions.registry import Registry, head_signature, identity
from tribute.contributions.rights import keys_and_members, vault
from tribute.errors import ConfigError
from tribute.keys import load_key, make_key, public_half
from tribute.workspace import Workspace

REGISTRY = "registry"


def key_new(workspace: Path, contributor: str, file: Path) -> Output:
    """`tribute key new`: the private half goes into a new file, the public half into the registry."""
    registry = Registry.open(Workspace.open(workspace))
    keys_and_members.refuse_key(registry, contributor)
    key = make_key(file)
    keys_and_members.register_key(registry, contributor, key)
    return _made(contributor, file, public_half(key))


def key_rotate(workspace: Path, owner: str, old: Path | None, file: Path | None) -> Output:
    """`tribute key rotate`: the old key signs the new one; for `registry` it is the registry's own."""
    home = Workspace.open(workspace)
    registry = Registry.open(home)
    if owner == REGISTRY:
        new = head_signature.rotate(registry.repository, home.keys)
        return _made(owner, home.keys / head_signature.FILE, public_half(new))
    if old is None or file is None:
        raise ConfigError("tribute key rotate: give the old key's file with --key and the new one's with --out")
    before, key = load_key(old), make_key(file)
    keys_and_members.rotate_key(registry, owner, before, key)
    return _made(owner, file, public_half(key))


def organisation(workspace: Path, name: str, members: Sequence[str], dry_run: bool) -> Output:
    """`tribute organisation`."""
    registry = Registry.open(Workspace.open(workspace))
    registry.repository.rehearsing = dry_run
    if members:
        keys_and_members.set_members(registry, name, members)
    found = identity.read_identity(registry.snapshot().tree, name).get("members", [])
    return Output({"organisation": name, "members": found}, [f"{name}: {', '.join(found) or 'no members'}"])


def vault_set(workspace: Path, contributor: str, details: Sequence[str]) -> Output:
    """`tribute vault set`."""
    home = Workspace.open(workspace)
    pairs = [one.partition("=") for one in details]
    if wrong := [one for one, pair in zip(details, pairs, strict=True) if not pair[1] or not pair[0]]:
        raise ConfigError(f"{wrong[0]!r}: expected NAME=VALUE, such as name='Ada Lovelace'")
    vault.write_person(home.vault, contributor, {name: value for name, _, value in pairs})
    return Output({"contributor": contributor}, [f"{contributor} is in {home.vault}"])


def vault_show(workspace: Path, contributor: str) -> Output:
    """`tribute vault show`."""
    about = vault.read_vault(Workspace.open(workspace).vault).get(contributor, {})
    lines = [f"{name}: {value}" for name, value in about.items()] or [f"nothing is known about {contributor}"]
    return Output({"contributor": contributor, **about}, lines)


def vault_forget(workspace: Path, contributor: str) -> Output:
    """`tribute vault forget`."""
    vault.forget_person(Workspace.open(workspace).vault, contributor)
    return Output({"contributor": contributor}, [f"{contributor} is not in the vault"])


def _made(owner: str, file: Path, public: str) -> Output:
    data = {"owner": owner, "file": str(file), "public": public}
    return Output(data, [f"the key of {owner} is in {file}, its public half is {public}"])
