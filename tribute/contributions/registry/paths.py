"""Where everything lies in the registry's tree."""

import hashlib
import json
from collections.abc import Mapping


def contributor_path(id_: str) -> str:
    """Where a contributor's keys, or an organisation's members, lie."""
    return f"contributors/{id_}.yaml"


EVALUATION = "evaluation"
"""The contribution id of evaluation rows: `evaluation:17`. No contribution's id can be this one."""


def directory_md5(files: Mapping[str, str]) -> str:
    """DVC's name for a directory: relative path → md5 in, `<md5>.dir` (36 characters) out."""
    listing = [{"md5": files[path], "relpath": path} for path in sorted(files)]
    content = json.dumps(listing, sort_keys=True).encode()
    return hashlib.md5(content, usedforsecurity=False).hexdigest() + ".dir"


def schema_path(dataset: str) -> str:
    """Where a dataset's schema lies in the registry."""
    return f"datasets/{dataset}/schema.yaml"


def policy_path(dataset: str) -> str:
    """Where a dataset's screening policy lies."""
    return f"datasets/{dataset}/screening.yaml"


def exclusions_path(dataset: str) -> str:
    """Where a dataset's exclusions lie; in git only their pointer."""
    return f"datasets/{dataset}/exclusions.parquet"


def evaluation_path(dataset: str) -> str:
    """Where a dataset's evaluation rows lie; in git only their pointer."""
    return f"evaluation/{dataset}/data.jsonl"


def data_path(contribution_id: str) -> str:
    """Where a contribution's rows lie; in git only their pointer."""
    return f"contributions/{contribution_id}/data.jsonl"


def meta_path(contribution_id: str) -> str:
    """Where a contribution's meta lies."""
    return f"contributions/{contribution_id}/meta.yaml"
