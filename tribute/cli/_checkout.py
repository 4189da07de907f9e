"""Where the flows and the example configs lie: in the checkout, or in an installed wheel inside the package.

A wheel claims no top-level name but `tribute`. It carries `flows/`, `tasks/` and `configs/` in `tribute/_checkout/`, so
that `tribute run` and `tribute demo` work without a checkout. Deployments are made and served from a checkout.
"""

import os
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def checkout() -> Path:
    """The folder that holds `flows/`, `tasks/` and `configs/`."""
    inside = PACKAGE / "_checkout"
    return inside if inside.is_dir() else PACKAGE.parent


def find_flows() -> None:
    """Let `import flows` and `import tasks` find ours first, here and in the processes that Ray starts here."""
    folder = str(checkout())
    if folder not in sys.path:
        sys.path.insert(0, folder)
        known = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = f"{folder}{os.pathsep}{known}" if known else folder
