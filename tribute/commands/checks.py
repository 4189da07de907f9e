"""Commands that only look: verify, inspect, config check and config schema."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tribute.artifacts import MANIFEST, read_artifact, verify_artifact
from tribute.commands.output import Output, Table
from tribute.commands.stages import checked_config
from tribute.config import RunConfig
from tribute.contributions.registry import Registry, verify_registry
from tribute.errors import ConfigError, IntegrityError
from tribute.months import is_period
from tribute.pipeline import data, measuring
from tribute.pipeline.remeasure import reattribute
from tribute.pipeline.runs import read_run
from tribute.rewards.ledger import ledger
from tribute.rewards.verification import verified, verify_deep, verify_in_workspace, verify_period
from tribute.workspace import MARKER, Workspace


def config_check(path: Path, overrides: Sequence[str]) -> Output:
    """`tribute config check`."""
    config = checked_config(path, overrides)
    return Output({"run": config.id, "ok": True}, [f"{path}: ok; the run's id is {config.id}"])


def config_schema() -> str:
    """`tribute config schema`: JSON Schema of a run config."""
    return json.dumps(RunConfig.model_json_schema(), indent=2) + "\n"


def verify(workspace: Path, what: str, which: str | None, deep: bool = False, every: bool = False) -> Output:
    """`tribute verify`."""
    if what in ("run", "period") and which is None:
        raise ConfigError(f"tribute verify {what}: which one? Give its name, such as `tribute verify {what} NAME`")
    if what == "registry":
        checks = _verify_registry(Workspace.open(workspace))
    elif what == "run":
        checks = _verify_run(Workspace.open(workspace), str(which))
    elif what == "period":
        checks = _verify_period(Workspace.open(workspace), str(which), deep, every)
    else:
        checks = _verify_folder(Path(what), deep, every)
    return Output({"ok": True, "checks": checks}, [f"✓ {check}" for check in checks])


def inspect(workspace: Path, path: Path, overrides: Sequence[str], rows: int) -> Output:
    """`tribute inspect`: tokens as the model sees them; those in [brackets] count in the loss."""
    from tribute.finetuning.base_models import base_folder, load_tokenizer
    from tribute.finetuning.encoding import IGNORED
    from tribute.finetuning.preparation import encode

    home, config = Workspace.open(workspace), checked_config(path, overrides)
    dataset = data.materialised(home, config.dataset.tag)
    frame, encoded = encode(dataset, config.finetuning, "train")
    tokenizer = load_tokenizer(base_folder(config.finetuning.base))
    shown: list[dict[str, Any]] = []
    for index in range(min(rows, len(encoded))):
        tokens = tokenizer.convert_ids_to_tokens(encoded.tokens[index])
        target = encoded.targets[index]
        counted = [] if isinstance(target, int) else [label != IGNORED for label in target]
        shown.append(
            {
                "row_id": encoded.row_ids[index],
                "tokens": tokens,
                "counted": counted,
                "target": frame["target"].iloc[index],
                "class": target if isinstance(target, int) else None,
            }
        )
    most = config.finetuning.max_tokens
    # With room for one token more, the rows that take it are those that do not fit.
    roomier = encode(dataset, config.finetuning.model_copy(update={"max_tokens": most + 1}), "train")[1]
    cut = int((roomier.lengths() > most).sum())
    average = encoded.lengths().mean()
    told = f"{cut} cut at {most}" if cut else "none cut"
    lines = [f"{len(encoded)} training rows, {average:.1f} tokens on average, {told}"]
    table = Table("What the model sees", ("row", "tokens", "target"), [_shown(row) for row in shown])
    return Output({"rows": shown, "training_rows": len(encoded), "cut": cut}, lines, [table])


def _shown(row: dict[str, Any]) -> tuple[str, str, str]:
    marks = row["counted"] or [False] * len(row["tokens"])
    tokens = [f"[{token}]" if mark else token for token, mark in zip(row["tokens"], marks, strict=True)]
    target = row["target"] if row["class"] is None else f"{row['target']} (class {row['class']})"
    return row["row_id"], " ".join(tokens), target


def _verify_registry(home: Workspace) -> list[str]:
    found = verify_registry(Registry.open(home).repository)
    return [
        f"{found.entries} ledger entries form one chain that ends in {found.head[:12]}",
        f"{found.pointers} pointers lead to data with the recorded digest",
        f"{found.tags} tags are the ledger's releases",
        f"{found.signed} of them are signed, by keys that end in {found.key}" if found.key else "nothing is signed yet",
    ]


def _verify_run(home: Workspace, run_id: str) -> list[str]:
    record = read_run(home, run_id)
    named = {kind: [record[kind]] for kind in ("dataset", "baselines", "attribution")}
    named["adapter"] = list(record["adapters"].values())
    artifacts = [home.store.get(kind, id_) for kind, ids in named.items() for id_ in ids]
    attribution = next(one for one in artifacts if one.kind == "attribution")
    artifacts += [home.store.get(kind, id_) for kind, ids in measuring.beside(attribution).items() for id_ in ids]
    checks = [f"{verify_artifact(one.path).kind} {one.id[:12]} is intact" for one in artifacts]
    paid = read_artifact(home.rewards / record["period"])
    if paid.id != record["rewards"]:
        return [*checks, f"period {record['period']} was paid again since, by another run"]
    return checks + _verify_period(home, record["period"], deep=False, every=False)


def _verify_period(home: Workspace, period: str, deep: bool, every: bool) -> list[str]:
    if not is_period(period):
        raise ConfigError(f"{period!r} is no period; expected YYYY-MM, such as 2026-11")
    with ledger.reading(home):
        _refuse_nothing(home.rewards / period)
        read, checks = verified(home.rewards / period)
        checks += verify_in_workspace(home, read, every)
    if deep:
        checks += verify_deep(home.rewards / period, home.store) + reattribute(home, period)
    return checks


def _verify_folder(folder: Path, deep: bool, every: bool) -> list[str]:
    _refuse_nothing(folder)
    if read_artifact(folder).kind == "rewards":
        home = folder.resolve().parents[1]
        if folder.resolve().parent.name == "rewards" and (home / MARKER).exists():
            return _verify_period(Workspace.open(home), folder.resolve().name, deep, every)
        if deep:
            raise ConfigError(f"{folder} is a copy; --deep needs the workspace that the period was made in")
        return verify_period(folder)
    artifact = verify_artifact(folder)
    return [f"{len(artifact.identity['files'])} files of {artifact.kind} {artifact.id[:12]} are intact"]


def _refuse_nothing(folder: Path) -> None:
    if not (folder / MANIFEST).exists():
        raise IntegrityError(
            f"{folder} is nothing to verify (no {MANIFEST}); give registry, run ID, period YYYY-MM or the path "
            "of an artifact"
        )
