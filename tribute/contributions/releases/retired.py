"""The evaluations that a dataset's earlier versions were measured with."""

from collections.abc import Collection, Iterator

from tribute.contributions.normal_form import NORMAL_FORM
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.versions import Version, number
from tribute.contributions.rows import ContributedRow


def retired_evaluations(
    registry: Registry, dataset: str, before: str | None = None, skip: Collection[str] = (), form: int = NORMAL_FORM
) -> Iterator[tuple[Version, list[ContributedRow]]]:
    """Each evaluation with the first version that was measured with it, of versions below `before`, or of all.

    Without those in `skip`, by DVC's name for them, and those that were erased.
    """
    known = {*skip, *registry.snapshot().erased_md5s()}
    for version in sorted(registry.versions(dataset), key=lambda version: number(version.version)):
        if before is not None and number(version.version) >= number(before):
            return
        then = registry.snapshot(version.tag)
        md5 = then.evaluation_md5(dataset)
        if md5 is not None and md5 not in known:
            known.add(md5)
            yield version, registry.evaluation_rows(then, dataset, form)
