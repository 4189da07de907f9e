"""Policies in the registry: `policies/<id>/<version>.yaml`, word for word, with the signature of who published it.

A version is published once and never changes, and versions only rise; periods close by published policies only.
The first version of a policy anybody with a registered key publishes, each later one a closer of the one before it.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import rfc8785

from tribute.contributions.registry import LedgerRecord, Registry, public_keys
from tribute.errors import IntegrityError, RegistryError, RewardError
from tribute.files import json_bytes
from tribute.keys import Key, check_signature, public_half, sign
from tribute.rewards.policy.policy import Policy, load_policy, recorded_policy
from tribute.strict import parse_json, parse_yaml
from tribute.workspace import Workspace


def policy_path(policy: Policy) -> str:
    """Where a policy lies in the registry; its signature lies beside it, `.sig.json`."""
    return f"policies/{policy.id}/{policy.version}.yaml"


def publish(workspace: Workspace, file: Path, by: str, key: Key, rehearse: bool = False) -> Policy:
    """Record a policy file in the registry, signed; again changes nothing. Raises RewardError or RegistryError.

    With `rehearse` all is checked and nothing recorded.
    """
    policy, content = load_policy(file), file.read_bytes()
    if policy.effective_from is None:
        raise RewardError(f"{file}: effective_from is missing; a published policy says from which day it holds")
    registry, path = Registry.open(workspace, dry_run=rehearse), policy_path(policy)
    digest = hashlib.sha256(content).hexdigest()

    def body() -> None:
        tree = registry.snapshot().tree
        if public_keys(tree, by)[-1:] != [public_half(key)]:
            raise RegistryError(f"the key given is not the latest of {by}; register it with `tribute key new {by}`")
        if path in tree:
            if tree[path] != content:
                raise RewardError(
                    f"{policy.id} {policy.version} is published with other content; raise the version of {file}"
                )
            return
        if any(_number(version) > _number(policy.version) for version in _versions(tree, policy)):
            raise RewardError(
                f"a higher version of {policy.id} than {policy.version} is published; raise the version of {file}"
            )
        _check_closer(tree, policy, by)
        signature = {"by": by, "key": public_half(key), "signature": sign(key, _signed(policy, digest))}
        registry.repository.write(path, content)
        registry.repository.write(_beside(path), json_bytes(signature, indent=1))
        details = {"by": by, "sha256": digest}
        registry.record(LedgerRecord("publish", "", f"{policy.id}/{policy.version}", [path, _beside(path)], details))

    registry.repository.transact(f"Publish policy {policy.id} {policy.version}", body)
    return policy


def refuse_unpublished(workspace: Workspace, policy: Policy, sha256: str) -> None:
    """Raise RewardError unless exactly this policy is published, IntegrityError where its signature is none."""
    path, tree = policy_path(policy), _tree(workspace)
    if path not in tree:
        raise RewardError(
            f"policy {policy.id} {policy.version} is not published; `tribute policy publish FILE --key FILE --as ID`"
        )
    if hashlib.sha256(tree[path]).hexdigest() != sha256:
        raise RewardError(
            f"the period was made by another policy than the published {policy.id} {policy.version}; "
            "make it again with the published file"
        )
    # `user_cap` is not dumped, and a manifest of before 0.2.0 names it where the published file left it out.
    if _parsed(tree[path]).model_dump() != policy.model_dump():
        raise IntegrityError(
            f"the period's manifest names the published {policy.id} {policy.version} and holds other settings; "
            "make the period again with the published file"
        )
    signature = _signature(tree, path)
    if signature["key"] not in public_keys(tree, signature["by"]):
        raise IntegrityError(f"{_beside(path)}: signed with a key that {signature['by']} never had")
    check_signature(signature["key"], signature["signature"], _signed(policy, sha256), _beside(path))
    _check_closer(tree, policy, signature["by"])


def _check_closer(tree: Mapping[str, bytes], policy: Policy, by: str) -> None:
    """Who closes by a policy names who closes by its next version, so that nobody else can name themselves."""
    earlier = [version for version in _versions(tree, policy) if _number(version) < _number(policy.version)]
    if not earlier:
        return
    before = _parsed(tree[f"policies/{policy.id}/{max(earlier, key=_number)}.yaml"])
    if by not in before.closers:
        raise RewardError(
            f"{policy.id} {policy.version} is published by {by}, expected a closer of {before.version} "
            f"({', '.join(before.closers) or 'it names none; take another id'})"
        )


def _versions(tree: Mapping[str, bytes], policy: Policy) -> list[str]:
    paths = [PurePosixPath(path) for path in tree if path.startswith(f"policies/{policy.id}/")]
    return [path.stem for path in paths if path.suffix == ".yaml"]


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.removeprefix("v").split(".")))


def _parsed(content: bytes) -> Policy:
    return recorded_policy(parse_yaml(content))


def _tree(workspace: Workspace) -> Mapping[str, bytes]:
    return Registry.open(workspace).snapshot().tree


def _signature(tree: Mapping[str, bytes], path: str) -> dict[str, str]:
    try:
        content = parse_json(tree[_beside(path)])
        return {name: str(content[name]) for name in ("by", "key", "signature")}
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{_beside(path)}: missing or damaged in the registry; restore it") from error


def _beside(path: str) -> str:
    return path.removesuffix(".yaml") + ".sig.json"


def _signed(policy: Policy, sha256: str) -> bytes:
    return bytes(rfc8785.dumps({"policy": policy.id, "version": policy.version, "sha256": sha256}))
