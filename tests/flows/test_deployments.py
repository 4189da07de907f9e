"""Every flow can be deployed as prefect.yaml says."""

from importlib import import_module
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))


def test_every_flow_has_a_deployment():
    """There is one deployment for each file in flows/ that defines a flow."""
    entrypoints = [one["entrypoint"] for one in PROJECT["deployments"]]
    flows = {path.stem for path in (ROOT / "flows").glob("*.py")} - {"__init__", "runner", "server"}

    assert sorted(entrypoints) == sorted(f"flows.{name}.{name}" for name in flows)


@pytest.mark.parametrize("deployment", PROJECT["deployments"], ids=lambda one: one["entrypoint"])
def test_deployments_load(deployment: dict):
    """A deployment's entrypoint is a flow, found the way Prefect finds it, and has a pool and a description."""
    from prefect import Flow
    from prefect.flows import load_flow_from_entrypoint

    flow = load_flow_from_entrypoint(deployment["entrypoint"])
    module, _, name = deployment["entrypoint"].rpartition(".")

    assert isinstance(flow, Flow)
    assert flow.name == getattr(import_module(module), name).name
    assert flow.parameters.required
    assert deployment["work_pool"]["name"] == "tribute"
    assert deployment["description"].endswith(".")
