"""A base that two processes share out (FSDP2 over gloo) is trained and attributed as one process does it."""

import numpy as np
import pandas as pd
import pytest

from tests.attribution.helpers.runs import run_of
from tests.finetuning.helpers import tiny
from tests.finetuning.helpers.tiny import ignore
from tribute.artifacts import Store
from tribute.attribution.answers.damping import Damping
from tribute.attribution.answers.explain import Question, answer_job
from tribute.attribution.answers.index_artifact import index
from tribute.attribution.credit.inrun_artifact import CONTROLS, INRUN
from tribute.attribution.credit.stand_in_artifact import STAND_IN
from tribute.attribution.effects.predicted_artifact import EFFECTS
from tribute.attribution.measurement import measure
from tribute.config import AttributionConfig
from tribute.errors import TrainingError
from tribute.finetuning.adapters.adapters import adapter
from tribute.finetuning.children import run_child
from tribute.finetuning.models.sharding import shard
from tribute.finetuning.preparation.preparation import prepare
from tribute.finetuning.ranks import part
from tribute.finetuning.recording.trace import load_trace

pytestmark = pytest.mark.numeric

CHANGES = {"validation": {"fraction": 0.2, "every": 4}, "prompts": ["the matrix of a", "a line"]}
SHARED = {
    "as it is": {},
    "checkpointed": {"gradient_checkpointing": True, "optimizer": {"clip": 0.5}},
    "packed": {"packing": True},
    "segments": {"trace_segments": True, "trace_states": 4, "epochs": 12},
}


def made(dialogues, config, root):
    """The adapter of seed 0, as `tribute finetune` makes it."""
    return adapter(dialogues, config, 0).make(Store(root), root / "scratch", ignore)


def shares(run, measurement):
    """Each contributor's part of the credit that a measurement of seed 0 gives, and who they are."""
    measured = measure(run, measurement, None if measurement is STAND_IN else 0)
    table = pd.read_parquet(measured.file("credits.parquet" if measurement is STAND_IN else "scores.parquet"))
    names = table["row_id"].str.rpartition("-")[0]
    credit = table["credit"].groupby(names).sum()
    return credit / credit.sum()


@pytest.mark.parametrize("name", SHARED)
def test_two_processes_that_share_the_base_out_train_what_one_trains(dialogues, llama, tmp_path, name):
    """Weights, states, losses and answers are the same but for rounding, and so are shares from the walk."""
    config = tiny.llama_config(llama, **CHANGES, **SHARED[name])
    configs = [config, config.model_copy(update={"processes": 2, "shard": True})]

    alone, shared = (made(dialogues, config, tmp_path / str(place)) for place, config in enumerate(configs))

    one, two = load_trace(alone.path), load_trace(shared.path)
    assert [state.step for state in two.states] == [state.step for state in one.states]
    for before, after in zip(one.states, two.states, strict=True):
        assert np.allclose(before.theta, after.theta, atol=1e-5)
    assert shared.json("generations.json") == alone.json("generations.json")
    assert shared.json("adapter_config.json") == alone.json("adapter_config.json")
    losses = [pd.read_parquet(it.file("losses.parquet"))["loss"] for it in (alone, shared)]
    assert np.allclose(*losses, rtol=1e-4)
    found = [
        shares(run_of(tmp_path / str(place), dialogues, [it], config), INRUN)
        for place, (it, config) in enumerate(zip((alone, shared), configs, strict=True))
    ]
    assert np.abs(found[0] - found[1]).sum() < 1e-4


def test_everything_that_is_measured_of_a_run_passes_through_a_base_in_parts(dialogues, llama, tmp_path):
    """The stand-in, planted controls and predicted effects are those of one process."""
    config = tiny.llama_config(llama)
    attribution, found, effects = AttributionConfig(sample=12), [], []
    for place, changes in enumerate(({}, {"processes": 2, "shard": True})):
        own, root = config.model_copy(update=changes), tmp_path / str(place)
        run = run_of(root, dialogues, [made(dialogues, own, root)], own, attribution)
        found.append([shares(run, measurement) for measurement in (STAND_IN, CONTROLS)])
        effects.append(pd.read_parquet(measure(run, EFFECTS, 0).file("left_out.parquet"))["effect"])

    for one, two in zip(*found, strict=True):
        assert np.abs(one - two).sum() < 1e-4
    assert np.allclose(*effects, rtol=1e-3, atol=1e-6)


def test_an_answer_of_a_shared_base_is_explained(dialogues, llama, tmp_path):
    """One process with the whole base indexes the rows: who moved the answer is who moved that of one process."""
    config, question = tiny.llama_config(llama), Question("draw a line", "the matrix of a vector")
    damping, moved = Damping(damping=0.1, slope=1.0, lds=0.0, retrainings=8), []
    for place, changes in enumerate(({}, {"processes": 2, "shard": True})):
        own, root = config.model_copy(update=changes), tmp_path / str(place)
        trained = made(dialogues, own, root)
        indexed = index(dialogues, trained, own, damping).make(Store(root), root / "scratch", ignore)
        asked = (dialogues, [trained], [indexed], own, question)
        moved.append(run_child(answer_job, *asked, title="explain", timeout_seconds=100, progress=ignore))

    one, two = (answer.contributors[0] for answer in moved)
    assert np.abs(one).max() > 0
    assert np.allclose(one, two, atol=0.01 * np.abs(one).max())


def held(dialogues, config, scratch, progress):
    """How many frozen numbers of the layers and of the rest lie in this process."""
    ready = prepare(dialogues, config, scratch, 0)
    sizes = {"layers": 0, "rest": 0}
    for name, value in ready.model.named_parameters():
        if not value.requires_grad:
            local = value.to_local() if hasattr(value, "to_local") else value
            sizes["layers" if ".layers." in name else "rest"] += local.untyped_storage().nbytes() // 4
    part()
    return sizes


@pytest.mark.parametrize("count", [2, 3])
def test_a_process_holds_its_part_of_the_layers(dialogues, llama, tmp_path, count):
    """Embeddings and head are whole in each; of a layer no process holds more than its part, rounded up by row."""
    config = tiny.llama_config(llama)
    shared = config.model_copy(update={"processes": count, "shard": True})
    whole = run_child(held, dialogues, config, tmp_path, title="work", timeout_seconds=100, progress=ignore)

    parts = run_child(
        held, dialogues, shared, tmp_path, title="work", timeout_seconds=100, progress=ignore, processes=count
    )

    assert parts["rest"] == whole["rest"]
    assert whole["layers"] / count <= parts["layers"] < 1.1 * whole["layers"] / count


def test_a_base_whose_layers_are_not_known_is_refused(dialogues, llama, tmp_path):
    """With what to do."""
    model = prepare(dialogues, tiny.llama_config(llama), tmp_path).model
    model.network._no_split_modules = None

    with pytest.raises(TrainingError, match=r"does not say what the layers of llama are; set it to false"):
        shard(model, "cpu")
