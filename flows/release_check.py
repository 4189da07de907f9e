"""Verifies the registry, and screens every dataset on its own."""

from prefect import flow

from tasks.release_check import compare_release, find_datasets, show_releases, verify_registry


@flow(name="checking", flow_run_name="verify and screen")
def checking(workspace: str) -> list[str]:
    """Returns the datasets to release."""
    checks = verify_registry(workspace)
    changes = [compare_release.submit(workspace, dataset) for dataset in find_datasets(workspace)]
    return show_releases([change.result() for change in changes], checks)
