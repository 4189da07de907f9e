"""What other systems are told of the stages of runs: log lines, traces and metrics, and lineage; nothing unless asked.

    TRIBUTE_LOG=json                   a JSON object a line on standard error
    TRIBUTE_TELEMETRY=http://HOST:4318 traces and metrics by OpenTelemetry's protocol over HTTP
    OPENLINEAGE_URL=http://HOST:5000   an event per stage, by OpenLineage's own client and settings

Ids, names and numbers leave, never a text of a row. A stage never fails because one of them does.
"""

import json
import logging
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from math import ceil
from typing import Any
from uuid import UUID, uuid5

from tribute.artifacts import Artifact
from tribute.contributions.dataset import read_description
from tribute.errors import ConfigError
from tribute.rewards.period import PeriodFolder
from tribute.version import __version__

LOG, TELEMETRY, LINEAGE = "TRIBUTE_LOG", "TRIBUTE_TELEMETRY", "OPENLINEAGE"
NAMESPACE = UUID("6f1b8e0c-6a53-5d0e-8d0a-2b9f6f3c7a11")
"""Of the ids of OpenLineage's runs, which an artifact's id gives."""
PRODUCER = f"https://pypi.org/project/tribute/{__version__}"
LOGGER = logging.getLogger("tribute.stages")
_STANDARD = logging.makeLogRecord({}).__dict__.keys() | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time, level, logger, message, and whatever `extra` it has."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        extra = {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": at, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        if record.exc_info and record.exc_info[0] is not None:
            # The type alone: a message may quote a row.
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line | extra, ensure_ascii=False, default=str)


def wants_json() -> bool:
    """Whether log lines are to be JSON. Raises ConfigError for another form than json and text."""
    form = os.environ.get(LOG, "text")
    if form not in ("json", "text"):
        raise ConfigError(f"{LOG}: found {form!r}, expected json or text")
    return form == "json"


def is_on() -> bool:
    """Whether anybody wants to be told."""
    return wants_json() or bool(os.environ.get(TELEMETRY)) or _has_lineage()


def refuse_telemetry() -> None:
    """Raise ConfigError for a switch that cannot be followed, before a run."""
    wants_json()
    wanted = {"opentelemetry.exporter": bool(os.environ.get(TELEMETRY)), "openlineage": _has_lineage()}
    absent = [name for name, needed in wanted.items() if needed and find_spec(name) is None]
    if absent:
        raise ConfigError(
            f"{TELEMETRY} or {LINEAGE}_*: {', '.join(absent)} is not installed; run "
            "`pip install 'tribute[telemetry]'`, or unset the variable"
        )


def tell_stage(artifact: Artifact, cached: bool, run: Mapping[str, str]) -> None:
    """Tell that a stage of a run ended with an artifact; `run` names the run: `run`, `flow_run`, `dataset`."""
    try:
        _tell(artifact, cached, run)
    except Exception as error:
        # Whatever a collector's client raises: the artifact is made.
        LOGGER.warning("telemetry failed: %s", type(error).__name__)


def tell_failure(stage: str, error: str, run: Mapping[str, str]) -> None:
    """Tell that a task of a run failed, by the type of its error: a message may quote a row."""
    try:
        if wants_json():
            _logger().error("failed %s", stage, extra={"stage": stage, "error": error, **run})
        if os.environ.get(TELEMETRY):
            _instruments().failures.add(1, {"stage": stage, "error": error})
        if _has_lineage():
            _lineage().emit(_failure(stage, run))
    except Exception as trouble:
        LOGGER.warning("telemetry failed: %s", type(trouble).__name__)


def tell_queue(change: int) -> None:
    """Tell that so many more pieces of work, such as trainings, were handed out, or so many fewer are left."""
    if os.environ.get(TELEMETRY):
        _instruments().queue.add(change)


def tell_draft(draft: Artifact) -> None:
    """Tell which checks of a drafted period's gate passed, and what it accrues in minor units of each currency."""
    if not (wants_json() or os.environ.get(TELEMETRY)):
        return
    folder, accrued = PeriodFolder(draft.path), Counter[str]()
    for row in folder.allocation:
        accrued[row.currency] += row.amount_minor
    checks = {check.name: check.passed for check in folder.verdict.checks}
    if wants_json():
        about = {"period": folder.period, "checks": checks, "accrued_minor": dict(accrued)}
        _logger().info("drafted %s", folder.period, extra=about)
    if os.environ.get(TELEMETRY):
        for name, passed in checks.items():
            _instruments().checks.add(1, {"check": name, "passed": passed})
        for currency, amount in accrued.items():
            _instruments().accrued.set(amount, {"period": folder.period, "currency": currency})


def _tell(artifact: Artifact, cached: bool, run: Mapping[str, str]) -> None:
    seconds = 0.0 if cached else float(artifact.provenance.get("seconds", 0.0))
    about = {"kind": artifact.kind, "artifact": artifact.id, "cached": cached, "seconds": seconds, **run}
    about |= _speed(artifact, seconds)
    if wants_json():
        _logger().info("%s %s", "found" if cached else "made", artifact.kind, extra=about | _contributions(artifact))
    if os.environ.get(TELEMETRY):
        _measure(artifact.kind, seconds, about)
    if _has_lineage():
        _lineage().emit(_event(artifact, run))


def _speed(artifact: Artifact, seconds: float) -> dict[str, float]:
    """Rows and tokens a second of a training that was made just now, with loading, evaluations and writing."""
    if artifact.kind != "adapter" or not seconds:
        return {}
    trained, batch = artifact.json("rows.json")["train"], artifact.identity["config"]["batch_size"]
    epochs = len(artifact.json("curve.json")["training"]) / ceil(trained["rows"] / batch)
    return {f"{name}_per_second": epochs * trained[name] / seconds for name in ("rows", "tokens")}


def _contributions(artifact: Artifact) -> dict[str, list[str]]:
    """The contributions of a dataset version, by which one finds a row's line in the logs."""
    return {"contributions": sorted(read_description(artifact)["contributions"])} if artifact.kind == "dataset" else {}


def _measure(kind: str, seconds: float, about: Mapping[str, Any]) -> None:
    now = time.time_ns()
    span = _instruments().tracer.start_span(kind, start_time=now - int(seconds * 1e9))
    span.set_attributes({f"tribute.{name}": value for name, value in about.items()})
    span.end(now)
    _instruments().stages.add(1, {"kind": kind, "cached": bool(about["cached"])})
    if not about["cached"]:
        _instruments().seconds.record(seconds, {"kind": kind})
    for name, gauge in (("rows_per_second", _instruments().rows), ("tokens_per_second", _instruments().tokens)):
        if name in about:
            gauge.set(about[name], {"dataset": str(about.get("dataset", ""))})


def _event(artifact: Artifact, run: Mapping[str, str]) -> Any:
    from openlineage.client.event_v2 import InputDataset, OutputDataset, RunState

    inputs = [InputDataset("tribute", f"{name}/{digest}") for name, digest in sorted(artifact.inputs.items())]
    outputs = [OutputDataset("tribute", f"{artifact.kind}/{artifact.id}")]
    return _run_event(RunState.COMPLETE, artifact.kind, artifact.id, run, inputs, outputs)


def _failure(stage: str, run: Mapping[str, str]) -> Any:
    from openlineage.client.event_v2 import RunState

    return _run_event(RunState.FAIL, stage, run.get("task", ""), run)


def _run_event(
    state: Any, job: str, name: str, run: Mapping[str, str], inputs: Sequence[Any] = (), outputs: Sequence[Any] = ()
) -> Any:
    from openlineage.client.event_v2 import Job, Run, RunEvent

    return RunEvent(
        eventType=state,
        eventTime=datetime.now(UTC).isoformat(),
        run=Run(str(uuid5(NAMESPACE, f"{run.get('flow_run', '')}/{name}"))),
        job=Job("tribute", job),
        producer=PRODUCER,
        inputs=list(inputs),
        outputs=list(outputs),
    )


@dataclass(frozen=True)
class Instruments:
    """OpenTelemetry's, of one pair of providers."""

    tracer: Any
    stages: Any
    failures: Any
    queue: Any
    seconds: Any
    rows: Any
    tokens: Any
    checks: Any
    accrued: Any


def instruments(tracers: Any, meters: Any) -> Instruments:
    """What is measured, on providers of the caller's."""
    meter = meters.get_meter("tribute", __version__)
    return Instruments(
        tracers.get_tracer("tribute", __version__),
        meter.create_counter("tribute.stages", description="artifacts that stages made or found"),
        meter.create_counter("tribute.stage.failures", description="stages that failed, by the type of the error"),
        meter.create_up_down_counter("tribute.queue", description="pieces of work that are handed out and not done"),
        meter.create_histogram("tribute.stage.seconds", unit="s", description="how long it took to make one"),
        meter.create_gauge("tribute.training.rows", unit="1/s", description="rows a second of the last training"),
        meter.create_gauge("tribute.training.tokens", unit="1/s", description="tokens a second of the last training"),
        meter.create_counter("tribute.gate.checks", description="checks of attribution cards"),
        meter.create_gauge("tribute.accrued", description="minor units of a currency that a period accrues"),
    )


@cache
def _instruments() -> Instruments:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # A line of its own for what does not get through: at the end of a process Prefect's handlers are closed already.
    exporters = logging.getLogger("opentelemetry")
    exporters.propagate = False
    exporters.addHandler(logging.StreamHandler())
    address = os.environ[TELEMETRY].rstrip("/")
    about = Resource.create({"service.name": "tribute", "service.version": __version__})
    # Providers of our own: MLflow and Prefect may have set up others for the process. Both flush when it ends.
    tracers = TracerProvider(resource=about)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{address}/v1/traces")))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{address}/v1/metrics"))
    return instruments(tracers, MeterProvider([reader], resource=about))


@cache
def _lineage() -> Any:
    from openlineage.client import OpenLineageClient

    return OpenLineageClient()


def _has_lineage() -> bool:
    return any(name == "OPENLINEAGE_URL" or name.startswith("OPENLINEAGE__TRANSPORT") for name in os.environ)


@cache
def _logger() -> logging.Logger:
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    return LOGGER
