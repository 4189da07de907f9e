"""New terms for a contribution that is recorded already; the terms of released versions stay as they were."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tribute.contributions.intake.submissions import CheckedSubmission, meta_yaml
from tribute.contributions.registry.identity import refuse_stranger, signature_of
from tribute.contributions.registry.log import LedgerRecord
from tribute.contributions.registry.paths import meta_path
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.snapshot import Contribution
from tribute.contributions.terms import Terms, refuse_expired
from tribute.errors import RegistryError
from tribute.strict import parse_yaml


def changed_conditions(recorded: Contribution, submitted: CheckedSubmission) -> list[str]:
    """What stands in the registry and differs from what was submitted with the same rows; empty where nothing does."""
    differences = []
    if recorded.licence != submitted.licence:
        differences.append(f"recorded before under {recorded.licence}; the licence is not changed")
    terms = submitted.submission.terms
    if terms is not None and recorded.terms != terms.meta():
        standing = _in_words(recorded.terms)
        differences.append(
            f"recorded before {standing}; the terms are not changed. Change them with `tribute terms {recorded.id}`"
        )
    return differences


def renew_terms(
    registry: Registry, contribution: str, terms: Terms, by: str, why: str, key: Path | None = None
) -> Contribution:
    """Record other terms for a contribution; they apply from the next version on. The same terms change nothing.

    Raises RegistryError where there is no such contribution, or where it is signed and `key` is not the contributor's;
    ContributionError where the terms have expired.
    """
    if not by.strip() or not why.strip():
        raise RegistryError("say who renews the terms and why: --by NAME --why TEXT")
    refuse_expired(terms, datetime.now(UTC).date())

    def body() -> None:
        now = registry.snapshot()
        recorded = now.recorded(contribution)
        if recorded is None:
            raise RegistryError(f"there is no contribution {contribution}; `tribute show DATASET` lists them")
        refuse_stranger(now, recorded, key)
        if recorded.terms == terms.meta():
            return
        path = meta_path(contribution)
        meta: dict[str, Any] = {**parse_yaml(now.tree[path]), "terms": terms.meta()}
        if recorded.signature is not None and key is not None:
            meta["signature"] = signature_of(now.tree, meta, key)
        registry.repository.write(path, meta_yaml(meta))
        details = {"contributor_id": recorded.contributor_id, "by": by, "why": why}
        registry.record(LedgerRecord("terms", recorded.dataset, contribution, [path], details))

    registry.repository.transact(f"Renew the terms of {contribution}", body)
    renewed = registry.snapshot().recorded(contribution)
    if renewed is None:
        raise RegistryError(f"contribution {contribution} was withdrawn meanwhile; nothing was renewed")
    return renewed


def _in_words(terms: Any) -> str:
    if terms is None:
        return "without terms"
    until = f", until {terms['expires']}" if terms["expires"] else ""
    return f"with terms for {', '.join(terms['purposes']) or 'no purpose'}{until}"
