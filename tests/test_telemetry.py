"""Theorem: who watches runs from other systems is told of every stage, in ids and numbers; nobody who is not asked."""

import asyncio
import json
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

from tribute.artifacts import Artifact, read_artifact
from tribute.errors import ConfigError
from tribute.pipeline.runs import telemetry
from tribute.server.requests.request_log import RequestLog
from tribute.server.setup.metrics import Metrics
from tribute.workspace import Workspace

RUN = {"run": "tiny-1", "flow_run": "f-1", "dataset": "tiny@v1.0.0", "task": "fine-tune seed 0"}
SWITCHES = ("TRIBUTE_LOG", "TRIBUTE_TELEMETRY", "OPENLINEAGE_URL", "OPENLINEAGE__TRANSPORT__TYPE")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No switch is on, and no client is kept."""
    for name in SWITCHES:
        monkeypatch.delenv(name, raising=False)
    caches = (telemetry._instruments, telemetry._lineage, telemetry._logger)
    for cached in caches:
        cached.cache_clear()
    yield
    # What is sent when the process ends finds no collector, and must not write to a captured stream.
    for logger in (telemetry.LOGGER, logging.getLogger("opentelemetry")):
        logger.handlers.clear()
    for cached in caches:
        cached.cache_clear()


@pytest.fixture
def adapter(finished: Path) -> Artifact:
    """An adapter of the finished run."""
    return next(Workspace.open(finished).store.all("adapter"))


def test_nothing_is_said_unless_asked(adapter: Artifact, capsys: pytest.CaptureFixture[str]):
    """No line, and no client is made."""
    assert not telemetry.is_on()
    telemetry.tell_stage(adapter, True, RUN)

    assert capsys.readouterr() == ("", "")
    assert telemetry._instruments.cache_info().currsize == 0


def test_a_line_of_json_a_stage(adapter: Artifact, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """It has the ids by which one finds run, dataset and artifact again."""
    monkeypatch.setenv("TRIBUTE_LOG", "json")

    telemetry.tell_stage(adapter, True, RUN)

    [line] = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert {name: told[name] for name in RUN} == RUN
    assert (told["kind"], told["artifact"], told["cached"], told["message"]) == (
        "adapter",
        adapter.id,
        True,
        "found adapter",
    )


def test_a_dataset_names_its_contributions(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """By their ids one finds in the logs which runs learned from a contribution."""
    monkeypatch.setenv("TRIBUTE_LOG", "json")
    [dataset] = Workspace.open(finished).store.all("dataset")

    telemetry.tell_stage(dataset, False, RUN)

    assert json.loads(capsys.readouterr().err)["contributions"] == sorted(dataset.json("dataset.json")["contributions"])


def test_a_draft_tells_its_checks_and_money(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """What the period accrues is the pool, to the minor unit; each check of the gate says whether it passed."""
    monkeypatch.setenv("TRIBUTE_LOG", "json")

    telemetry.tell_draft(read_artifact(finished / "rewards" / "2026-11"))

    told = json.loads(capsys.readouterr().err)
    assert told["accrued_minor"] == {"EUR": 10000}
    assert set(map(type, told["checks"].values())) <= {bool}


def test_errors_are_logged_without_their_text():
    """A message may quote a row; the type says enough to look for it."""
    try:
        raise ValueError("somebody's row")
    except ValueError as error:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": (type(error), error, None)})

    line = telemetry.JsonLines().format(record)

    assert json.loads(line)["error"] == "ValueError"
    assert "somebody" not in line


def test_a_request_names_its_receipt(caplog: pytest.LogCaptureFixture):
    """The service's log line has the receipt's id, by which one finds the answer again."""

    async def app(_scope: object, _receive: object, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"tribute-receipt", b"r-1")]})
        await send({"type": "http.response.body", "body": b""})

    async def sent(_message: object) -> None:
        """Nobody listens."""

    log = logging.getLogger("tribute.server.test")
    scope = {"type": "http", "method": "POST", "route": SimpleNamespace(path="/classify")}
    with caplog.at_level(logging.INFO, log.name):
        asyncio.run(RequestLog(app, SimpleNamespace(metrics=Metrics(), log=log))(scope, None, sent))

    told = json.loads(telemetry.JsonLines().format(caplog.records[0]))
    assert (told["receipt"], told["status"], told["path"]) == ("r-1", 200, "/classify")


def test_traces_and_metrics(adapter: Artifact, monkeypatch: pytest.MonkeyPatch):
    """A span as long as the stage worked, a count of made and found ones, and a histogram of seconds."""
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans, reader, tracers = InMemorySpanExporter(), InMemoryMetricReader(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    measured = telemetry.instruments(tracers, MeterProvider([reader]))
    monkeypatch.setattr(telemetry, "_instruments", lambda: measured)
    monkeypatch.setenv("TRIBUTE_TELEMETRY", "http://collector:4318")
    slow = Artifact(adapter.path, adapter.id, adapter.identity, {"seconds": 2.5})

    for cached in (False, True):
        telemetry.tell_stage(slow, cached, RUN)
    for change in (1, 1, -1):
        telemetry.tell_queue(change)

    first, second = spans.get_finished_spans()
    assert (first.name, first.attributes["tribute.run"]) == ("adapter", "tiny-1")
    assert (first.end_time - first.start_time) / 1e9 == pytest.approx(2.5)
    assert second.end_time == second.start_time
    points = {
        metric.name: metric.data.data_points
        for scope in reader.get_metrics_data().resource_metrics[0].scope_metrics
        for metric in scope.metrics
    }
    assert {point.attributes["cached"]: point.value for point in points["tribute.stages"]} == {True: 1, False: 1}
    assert [point.sum for point in points["tribute.stage.seconds"]] == [2.5]
    assert [point.value for point in points["tribute.queue"]] == [1]
    trained = adapter.json("rows.json")["train"]
    for name in ("rows", "tokens"):
        # Four epochs, as the tiny config says.
        assert [point.value for point in points[f"tribute.training.{name}"]] == [pytest.approx(4 * trained[name] / 2.5)]


def test_traces_reach_a_collector(adapter: Artifact, monkeypatch: pytest.MonkeyPatch):
    """By OpenTelemetry's protocol over HTTP, at the addresses below the one that is set."""
    pytest.importorskip("opentelemetry.exporter")
    with _Collector() as collector:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("TRIBUTE_TELEMETRY", f"http://127.0.0.1:{collector.server_port}/")
        telemetry.tell_stage(adapter, True, RUN)
        telemetry._instruments().tracer.span_processor.force_flush()

        assert collector.heard == ["/v1/traces"]


def test_an_event_of_lineage_a_stage(adapter: Artifact, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """OpenLineage's client writes it: what went in by digests, and what came out by its id."""
    pytest.importorskip("openlineage.client")
    settings = {"TYPE": "file", "LOG_FILE_PATH": str(tmp_path / "events"), "APPEND": "true"}
    for name, value in settings.items():
        monkeypatch.setenv(f"OPENLINEAGE__TRANSPORT__{name}", value)

    telemetry.tell_stage(adapter, True, RUN)

    [line] = (tmp_path / "events").read_text().splitlines()
    event = json.loads(line)
    assert (event["eventType"], event["job"]["name"]) == ("COMPLETE", "adapter")
    assert [each["name"] for each in event["outputs"]] == [f"adapter/{adapter.id}"]
    assert f"dataset/{adapter.inputs['dataset']}" in [each["name"] for each in event["inputs"]]


def test_a_stage_that_fails_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """As a line with the error's type, and to OpenLineage as FAIL."""
    pytest.importorskip("openlineage.client")
    settings = {"TYPE": "file", "LOG_FILE_PATH": str(tmp_path / "events"), "APPEND": "true"}
    for name, value in settings.items():
        monkeypatch.setenv(f"OPENLINEAGE__TRANSPORT__{name}", value)
    monkeypatch.setenv("TRIBUTE_LOG", "json")

    telemetry.tell_failure("train", "TrainingError", RUN)

    event = json.loads((tmp_path / "events").read_text())
    assert (event["eventType"], event["job"]["name"]) == ("FAIL", "train")
    told = json.loads(capsys.readouterr().err)
    assert (told["level"], told["stage"], told["error"], told["run"]) == ("ERROR", "train", "TrainingError", "tiny-1")


def test_a_dead_collector_ends_no_stage(adapter: Artifact, monkeypatch: pytest.MonkeyPatch):
    """What a client raises is one line of the log, without its text."""
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(telemetry, "_lineage", lambda: SimpleNamespace())

    telemetry.tell_stage(adapter, True, RUN)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"TRIBUTE_LOG": "yaml"}, "found 'yaml', expected json or text"),
        ({"TRIBUTE_TELEMETRY": "http://collector:4318"}, r"opentelemetry\.exporter is not installed"),
    ],
)
def test_what_cannot_be_followed_is_one_line(settings: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch):
    """Before a run."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(telemetry, "find_spec", lambda _name: None)

    with pytest.raises(ConfigError, match=message):
        telemetry.refuse_telemetry()


class _Collector(ThreadingHTTPServer):
    """What takes OpenTelemetry's protocol, and the paths that were asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.heard: list[str] = []
        Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *ended: object) -> None:
        self.shutdown()
        super().__exit__(*ended)


class _Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""
