"""Check a run config, or print the JSON Schema of all its keys."""

from typing import Any, TypedDict

from tribute.cli._command import command
from tribute.cli._options import ConfigFile, Overrides
from tribute.cli._output import Output
from tribute.strict import parse_json


class Checked(TypedDict):
    run: str
    ok: bool


@command
def check(config: ConfigFile, set_: Overrides = None) -> Output[Checked]:
    """Report every fault of a run config at once."""
    from tribute.pipeline.launch.preflight import checked_config, refuse_base

    run = checked_config(config, set_ or [])
    refuse_base(run)
    return Output({"run": run.id, "ok": True}, [f"{config}: ok; the run's id is {run.id}"])


@command
def schema() -> Output[dict[str, Any]]:
    """Print the JSON Schema of a run config."""

    text = schema_text()
    return Output(parse_json(text), text.splitlines())


def schema_text() -> str:
    """JSON Schema of a run config."""
    import json

    from tribute.config import RunConfig

    return json.dumps(RunConfig.model_json_schema(), indent=2) + "\n"
