"""What a crash left in `rewards/`: a close that was committed is finished, everything else half-made is removed.

    .closing-<period>   a close that was being prepared: removed
    .closed-<period>    a close that is committed: rolled forward, which may be repeated at any point
    .making-<period>    a draft that was being made: removed
    .replaced-<period>  the draft before it: brought back if no other took its place, else removed

The commit of a close is the one rename from the first name to the second. Knows nothing of what the files say.
"""

import shutil
from pathlib import Path

from tribute.artifacts import SEAL
from tribute.files import sync_one

FOLDER = "period"
"""In a committed close: what becomes `rewards/<period>/`; beside it the month's journal file."""
APPROVALS = ".approvals"


def closed_periods(rewards: Path) -> list[str]:
    """The closed periods, earliest first: only their folders have the closers' signatures."""
    month = "-".join(["[0-9]" * 4, "[0-9]" * 2])
    return sorted(path.parent.name for path in rewards.glob(f"{month}/{SEAL}"))


def recover(rewards: Path) -> None:
    """Undo or finish what a crash interrupted; the caller holds the lock, so nobody else is at work."""
    for closed in sorted(rewards.glob(".closed-*")):
        roll_forward(closed)
    for old in rewards.glob(".replaced-*"):
        final = rewards / old.name.removeprefix(".replaced-")
        if not final.exists():
            old.rename(final)
        shutil.rmtree(old, ignore_errors=True)
    for half in (*rewards.glob(".making-*"), *rewards.glob(".closing-*")):
        shutil.rmtree(half)


def roll_forward(closed: Path) -> None:
    """Bring a committed close into place: the journal first, then the folder that says the month is sealed."""
    rewards, period = closed.parent, closed.name.removeprefix(".closed-")
    month, folder = rewards / "journal" / f"{period}.csv", rewards / period
    month.parent.mkdir(exist_ok=True)
    if (closed / month.name).exists():
        (closed / month.name).replace(month)
    if (closed / FOLDER).exists():
        shutil.rmtree(folder, ignore_errors=True)
        (closed / FOLDER).rename(folder)
    for path in (month, *(path for path in folder.rglob("*") if path.is_file())):
        path.chmod(0o444)
    (rewards / APPROVALS / f"{period}.json").unlink(missing_ok=True)
    for changed in (month.parent, rewards):
        sync_one(changed)
    shutil.rmtree(closed)
