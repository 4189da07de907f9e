"""Attacks through the real registry: contribute, release and build, as the commands do."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from tribute.contributions.intake import Submission
from tribute.contributions.registry import Registry
from tribute.contributions.releases import Tokenizer, build_dataset, release_version
from tribute.errors import ContributionError
from tribute.incentives.screened import NAME, POLICY, schema_of
from tribute.incentives.world import Upload, World
from tribute.workspace import Workspace

TAG = f"{NAME}@v1.0.0"
LICENCE = "MIT"


def contribute_honest(folder: Path, world: World, tokenizer: Tokenizer | None) -> Workspace:
    """A workspace in an empty `folder` with everybody's honest files and the sealed evaluation, not released."""
    workspace = Workspace.create(folder / "workspace")
    registry = Registry.create(workspace)
    registry.declare(schema_of(world, tokenizer))
    registry.set_policy(NAME, POLICY, "steward", "the default checks")
    registry.seal_evaluation(NAME, _write(folder / "evaluation.jsonl", Upload("", world.evaluation)))
    registry.contribute(_submissions(folder, world.uploads))
    return workspace


def attacked_copy(workspace: Workspace, folder: Path, further: Sequence[Upload]) -> Workspace:
    """A copy of the workspace to which an attacker contributes further files; one without a good row is refused."""
    copy = Workspace.open(shutil.copytree(workspace.root, folder / "attacked"))
    registry = Registry.open(copy)
    registry.contribute([item for item in _submissions(folder, further) if _has_good_row(registry, item)])
    return copy


def released_rows(workspace: Workspace, tokenizer: Tokenizer | None) -> bytes:
    """Release the only version, and build it: the bytes of its `train.parquet`."""
    registry = Registry.open(workspace)
    release_version(registry, TAG, tokenizer)
    return build_dataset(registry, TAG, workspace.store).file("train.parquet").read_bytes()


def _has_good_row(registry: Registry, submission: Submission) -> bool:
    try:
        return bool(registry.check([submission]))
    except ContributionError as error:
        if "No row is good" not in str(error):
            raise
        return False


def _submissions(folder: Path, uploads: Sequence[Upload]) -> list[Submission]:
    return [
        Submission(
            _write(folder / f"{number}-{upload.contributor_id}.jsonl", upload),
            upload.contributor_id,
            NAME,
            LICENCE,
            skip_faulty=True,
        )
        for number, upload in enumerate(uploads)
    ]


def _write(file: Path, upload: Upload) -> Path:
    lines = [json.dumps({"text": text, "label": label}) for text, label in upload.rows]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file
