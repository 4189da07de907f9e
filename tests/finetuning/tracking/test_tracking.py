"""MLflow knows every training, its data and its adapter; the champion is the best one, and only if it is good."""

import json
import os
import shutil
import sqlite3
from contextlib import closing

import mlflow
import pytest
from mlflow import MlflowClient

from tribute.artifacts import Store, verify_artifact
from tribute.config import RunConfig
from tribute.errors import TrackingError
from tribute.finetuning.adapters.adapters import ADAPTER
from tribute.finetuning.recording.curve import CURVE, Point
from tribute.finetuning.tracking import Subject, Tracker, live
from tribute.pipeline.stages import training
from tribute.workspace import Workspace


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory):
    """A migrated database without runs: making one takes seconds, copying it none."""
    folder = tmp_path_factory.mktemp("mlflow-template") / "mlflow"
    with Tracker(folder).connection.client() as client:
        client.search_experiments()
    return folder


@pytest.fixture
def tracker(empty_mlflow, tmp_path):
    """A workspace's tracking without any run."""
    shutil.copytree(empty_mlflow, tmp_path / "mlflow")
    return Tracker(tmp_path / "mlflow")


@pytest.fixture
def client(tracker):
    """An eye on what was tracked."""
    uri = f"sqlite:///{tracker.connection.folder / 'mlflow.db'}"
    yield MlflowClient(tracking_uri=uri, registry_uri=uri)
    mlflow.set_tracking_uri(None)


@pytest.fixture
def challenge(tracker, dataset, config, tmp_path):
    """Track an adapter with this loss after and before its training; returns its artifact."""

    def make(loss, before=2.0, seed=0):
        def build(folder):
            (folder / "adapter_model.safetensors").write_bytes(f"{loss} {before}".encode())
            (folder / "adapter_config.json").write_text("{}")
            points = [{"step": step, "loss": 2.0 - step, "learning_rate": 0.1} for step in range(2)]
            (folder / "curve.json").write_text(json.dumps({"training": points}))
            measured = {"loss": loss, "accuracy": 0.5, "before": {"loss": before, "accuracy": 0.25}}
            (folder / "evaluation.json").write_text(json.dumps(measured))
            (folder / "base.json").write_text("{}")
            scored = {"rows": 4, "metrics": {"words:shared": {"before": 0.25, "after": 0.5}}}
            (folder / "metrics.json").write_text(json.dumps(scored))
            return tracker.finish(tracker.begin(Subject("demo", dataset, config), seed), folder)

        return Store(tmp_path).make(ADAPTER, {}, {"loss": loss, "before": before}, build)

    return make


def seed_run(client):
    """The one run of a seed."""
    (run,) = client.search_runs([client.get_experiment_by_name("tiny").experiment_id], "params.seed = '0'")
    return run


def test_a_run_names_the_dataset_by_dvcs_digest(challenge, client):
    """The input's digest is the version's, so that a run leads back to its rows."""
    adapter = challenge(1.5)

    run = client.get_run(adapter.provenance["mlflow_run_id"])

    (entry,) = run.inputs.dataset_inputs
    assert (entry.dataset.name, entry.dataset.digest) == ("tiny", "0123456789abcdef0123456789abcdef.dir")
    assert json.loads(entry.dataset.source)["tag"] == "tiny@v1.0.0"
    assert [(tag.key, tag.value) for tag in entry.tags] == [("mlflow.data.context", "training")]


def test_a_run_holds_parameters_and_metrics(challenge, client, config):
    """The config by dotted names, the curve by steps, the evaluation before and after."""
    adapter = challenge(1.5, seed=1)

    run = client.get_run(adapter.provenance["mlflow_run_id"])

    assert run.info.status == "FINISHED"
    assert run.info.run_name == "demo-seed1"
    assert run.data.params["seed"] == "1"
    assert run.data.params["lora.r"] == "4"
    assert (run.data.metrics["evaluation_loss"], run.data.metrics["evaluation_accuracy"]) == (1.5, 0.5)
    history = client.get_metric_history(run.info.run_id, "evaluation_loss")
    assert sorted((point.step, point.value) for point in history) == [(0, 2.0), (2, 1.5)]
    own = client.get_metric_history(run.info.run_id, "metric_words.shared")
    assert sorted((point.step, point.value) for point in own) == [(0, 0.25), (2, 0.5)]
    losses = client.get_metric_history(run.info.run_id, "training_loss")
    assert sorted((point.step, point.value) for point in losses) == [(0, 2.0), (1, 1.0)]


def test_the_adapter_is_a_logged_model(challenge, client, tracker):
    """Its two files lie below the workspace, without the trace."""
    adapter = challenge(1.5)

    model = client.get_logged_model(adapter.provenance["mlflow_model_id"])

    assert str(model.status) == "READY"
    assert model.source_run_id == adapter.provenance["mlflow_run_id"]
    assert model.params["lora.r"] == "4"
    assert {metric.key: metric.value for metric in model.metrics} == {
        "evaluation_loss": 1.5,
        "evaluation_accuracy": 0.5,
    }
    (output,) = client.get_run(adapter.provenance["mlflow_run_id"]).outputs.model_outputs
    assert output.model_id == model.model_id
    kept = sorted(path.name for path in tracker.connection.folder.rglob("adapter_*"))
    assert kept == ["adapter_config.json", "adapter_model.safetensors"]


def test_the_champion_is_the_best_so_far(challenge, client, tracker, dataset, config):
    """A worse challenger gets a version but not the alias; a better one gets both."""
    first = tracker.register(dataset, challenge(1.5), config)
    worse = tracker.register(dataset, challenge(1.6), config)
    equal = tracker.register(dataset, challenge(1.5, before=3.0), config)
    better = tracker.register(dataset, challenge(1.4), config)

    found = [(entry.version, entry.champion) for entry in (first, worse, equal, better)]
    assert found == [("1", True), ("2", False), ("3", False), ("4", True)]
    assert client.get_model_version_by_alias("tribute-tiny", "champion").version == 4


def test_an_adapter_that_improved_nothing_is_no_champion(challenge, client, tracker, dataset, config):
    """Not even where there is none yet: the zero-shot start is better."""
    registered = tracker.register(dataset, challenge(2.5, before=2.0), config)

    assert not registered.champion
    assert client.get_registered_model("tribute-tiny").aliases == {}


def test_registering_an_adapter_twice_keeps_one_version(challenge, client, tracker, dataset, config):
    """A run from cache registers nothing new."""
    adapter = challenge(1.5)

    first, second = tracker.register(dataset, adapter, config), tracker.register(dataset, adapter, config)

    assert first == second
    assert len(client.search_model_versions("name = 'tribute-tiny'")) == 1


def test_a_champion_of_other_evaluation_rows_gives_way(challenge, tracker, dataset, tmp_path, config):
    """Losses over different rows cannot be compared."""
    from tests.finetuning.helpers import tiny

    tracker.register(dataset, challenge(1.0), config)
    other = tiny.make_dataset(tmp_path, evaluation=12)

    assert tracker.register(other, challenge(1.5), config).champion


def test_a_failed_tracking_is_marked_as_failed(challenge, client, monkeypatch):
    """The error comes through, and the run does not look alive for ever."""
    monkeypatch.setattr("tribute.finetuning.tracking.tracker.log_model", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        challenge(1.5)

    run = seed_run(client)
    assert run.info.status == "FAILED"


def damaged_schema(folder):
    """A database of another MLflow, whose migrations this one does not know."""
    with sqlite3.connect(folder / "mlflow.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '0123456789ab'")


def deleted_experiment(folder):
    """The dataset's experiment in the trash."""
    with Tracker(folder).connection.client() as client:
        client.delete_experiment(client.create_experiment("tiny"))


def no_database(folder):
    """Something else under the database's name."""
    (folder / "mlflow.db").write_bytes(b"this is no database, but long enough to be read as one" * 40)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damaged_schema, "mlflow.db"),
        (deleted_experiment, "MLflow's experiment 'tiny' was deleted; run `mlflow experiments restore -x"),
        (no_database, "mlflow.db"),
    ],
)
def test_an_mlflow_that_cannot_record_is_one_line_before_the_training(damage, message, tracker, dataset, config):
    """Found by a question that costs no training."""
    damage(tracker.connection.folder)

    with pytest.raises(TrackingError, match=message) as refused:
        tracker.begin(Subject("demo", dataset, config), 0)

    assert "\n" not in str(refused.value)


def test_a_locked_database_is_one_line_before_the_training(tracker, dataset, monkeypatch, config):
    """Another program is writing, and does not end."""
    monkeypatch.setattr("tribute.finetuning.tracking.connection.PATIENCE", 0.2)
    with closing(sqlite3.connect(tracker.connection.folder / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TrackingError, match=r"cannot be written \(database is locked\); end the program"):
            tracker.begin(Subject("demo", dataset, config), 0)
        other.execute("ROLLBACK")

    tracker.begin(Subject("demo", dataset, config), 0)


def test_a_server_that_is_not_there_is_one_line(tmp_path, dataset, monkeypatch, config):
    """MLFLOW_TRACKING_URI says where MLflow is."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")

    with pytest.raises(TrackingError, match="MLflow \\(MLFLOW_TRACKING_URI\\)"):
        Tracker(tmp_path / "mlflow").begin(Subject("demo", dataset, config), 0)

    assert not list((tmp_path / "mlflow").iterdir())


def test_a_workspaces_mlflow_is_nobody_elses(tracker, dataset, config):
    """MLflow's habit to leave its address in the environment does not reach the next workspace or child."""
    tracker.begin(Subject("demo", dataset, config), 0)

    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_a_logged_model_that_is_gone_is_logged_again(challenge, client, tracker, dataset, config):
    """The adapter lies in the store: nothing is lost."""
    adapter = challenge(1.5)
    client.delete_logged_model(adapter.provenance["mlflow_model_id"])

    registered = tracker.register(dataset, adapter, config)

    version = client.get_model_version(registered.name, registered.version)
    assert registered.champion
    assert str(client.get_logged_model(version.source.removeprefix("models:/")).status) == "READY"
    assert version.run_id == adapter.provenance["mlflow_run_id"]


def test_a_trained_adapter_is_kept_whatever_the_tracker_says(tmp_path, root, dataset, config, monkeypatch):
    """MLflow fails once the training is done: the adapter stays, and is tracked when it is asked for again."""
    workspace = Workspace.create(tmp_path / "workspace")
    run = RunConfig.model_construct(run="kept", finetuning=config)
    monkeypatch.setattr(RunConfig, "id", "kept-1")
    finish = Tracker.finish

    def fail(*_):
        raise TrackingError("MLflow: the disk is full")

    monkeypatch.setattr(Tracker, "finish", fail)
    with pytest.raises(TrackingError, match="the disk is full"):
        training.train(workspace, run, dataset, 0)
    (kept,) = workspace.store.all("adapter")
    monkeypatch.setattr(Tracker, "finish", finish)

    again = training.train(workspace, run, dataset, 0)

    assert again.id == kept.id
    assert again.found
    assert again.provenance["mlflow_run_id"]
    assert verify_artifact(again.path).provenance == again.provenance


def test_a_seed_is_nested_in_the_run_of_tribute(challenge, client):
    """MLflow's page folds the seeds below the run; both say where they come from."""
    runs = [client.get_run(challenge(1.5 + seed, seed=seed).provenance["mlflow_run_id"]) for seed in (0, 1)]

    (parent,) = {run.data.tags["mlflow.parentRunId"] for run in runs}
    run = client.get_run(parent)
    assert (run.info.run_name, run.data.tags["tribute.kind"]) == ("demo", "run")
    for each in (run, *runs):
        tags = each.data.tags
        assert (tags["tribute.run_id"], tags["tribute.dataset"]) == ("demo", "tiny@v1.0.0")
        assert tags["tribute.ledger_head"]
        assert tags["mlflow.source.name"]
        assert tags["mlflow.user"]


def test_losses_are_there_while_the_model_trains(tracker, client, dataset, config, tmp_path, monkeypatch):
    """Each step once, with the time at which it was done, though a resumed training repeats one."""
    monkeypatch.setattr(live, "EVERY", 0.0)
    watched = tracker.begin(Subject("demo", dataset, config), 0)
    lines = [Point(step, 2.0 - step, 0.1, 1_700_000_000_000 + step) for step in (0, 1, 1, 2)]

    with watched.watching(tmp_path / CURVE):
        (tmp_path / CURVE).write_text("".join(json.dumps(line._asdict()) + "\n" for line in lines) + '{"half')
        watched.progress(3, 9)
        run = client.get_run(watched.id)

    assert run.info.status == "RUNNING"
    assert run.data.metrics["system/cpu_utilization_percentage"] >= 0
    points = client.get_metric_history(watched.id, "training_loss")
    assert [(point.step, point.value, point.timestamp) for point in points] == [
        (step, 2.0 - step, 1_700_000_000_000 + step) for step in range(3)
    ]


@pytest.mark.parametrize(("end", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_a_training_that_does_not_end_says_so(end, status, tracker, client, dataset, config, tmp_path):
    """Neither it nor the run of Tribute looks alive for ever."""
    watched = tracker.begin(Subject("demo", dataset, config), 0)

    with pytest.raises(end), watched.watching(tmp_path / CURVE):
        raise end

    run = client.get_run(watched.id)
    assert run.info.status == status
    assert client.get_run(run.data.tags["mlflow.parentRunId"]).info.status == status


def test_a_run_left_behind_is_closed_by_the_next_attempt(tracker, client, dataset, config):
    """A process that was killed could not say so itself."""
    left, other = (tracker.begin(Subject("demo", dataset, config), seed) for seed in (0, 1))

    again = tracker.begin(Subject("demo", dataset, config), 0)

    states = [client.get_run(each.id).info.status for each in (left, other, again)]
    assert states == ["KILLED", "RUNNING", "RUNNING"]


def test_a_tracker_that_breaks_does_not_end_the_training(tracker, dataset, config, tmp_path, monkeypatch):
    """What MLflow cannot take now is said when the adapter is safe."""
    monkeypatch.setattr(live, "EVERY", 0.0)
    watched = tracker.begin(Subject("demo", dataset, config), 0)
    (tracker.connection.folder / "mlflow.db").unlink()
    no_database(tracker.connection.folder)
    (tmp_path / CURVE).write_text(json.dumps(Point(0, 2.0, 0.1, 0)._asdict()) + "\n")

    with watched.watching(tmp_path / CURVE):
        watched.progress(1, 2)
        watched.progress(2, 2)


def test_mlflows_address_is_the_users(tmp_path, dataset, config, monkeypatch):
    """MLFLOW_TRACKING_URI replaces the workspace's database; nothing is written to that."""
    address = f"sqlite:///{tmp_path / 'company.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)

    tracker = Tracker(tmp_path / "elsewhere")
    watched = tracker.begin(Subject("demo", dataset, config), 0)

    assert MlflowClient(tracking_uri=address).get_run(watched.id).data.params["seed"] == "0"
    assert not list((tmp_path / "elsewhere").iterdir())
