"""What every stage of a run takes, from shapes and counts alone: FLOP, time, memory of device and host, disk.

Counts come from the code that will do the work (schedule, states, jobs). What a stage takes beside them is written
here and held against measured runs by benchmarks/plan.py.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from tribute.attribution.credit.harm import TRAININGS
from tribute.attribution.credit.probe import STEPS
from tribute.attribution.own_work import effects_work
from tribute.attribution.workload import workload
from tribute.config import RunConfig
from tribute.finetuning.recording.trace import longest_gap, state_steps
from tribute.finetuning.training.schedule import learning_rates, schedule
from tribute.pipeline.planning.machines import Machine, machine
from tribute.pipeline.planning.rows import PlannedRows
from tribute.pipeline.planning.shape import Shape
from tribute.pipeline.planning.stand_ins import stand_in_work

IMPORTS = 0.48e9
"""Bytes of a process that has imported torch, transformers and peft and computed, on Linux and a CPU (torch 2.13)."""
START = 0.6
"""CPU time in which a job imports what it needs and reads rows and base."""
HEAP = 2.0
"""Bytes of the heap for a byte of activations on a CPU: freed between micro-batches of other lengths, it breaks up."""
LOOKS_HELD = 9
"""Evaluation gradients that a walk holds at once: of both ends of a piece, a half and the path, of the middle, what
a mean is made of, and what is carried back."""
CONTEXT = 0.6e9
"""Bytes that a process takes of a GPU before it does anything."""
WALK = 1.22
"""Trainings that walking a trace takes (docs/benchmarks/throughput.md)."""
LAYER_SECONDS = 1.9e-3
"""CPU time of a layer's forward and backward however few the tokens: a decoder's with four adapted modules."""
BYTES = {"float32": 4, "bfloat16": 2}


@dataclass(frozen=True)
class StageCost:
    """One stage; memory is of one process, FLOP, hours and disk of the whole stage."""

    stage: str
    what: str
    tokens: float
    """Trained or read, padding included."""
    flop: float
    hours: float
    """Of one process."""
    device: float
    """Bytes of the device's memory; of the host's where there is no GPU."""
    host: float
    """Bytes beside `device`."""
    disk: float
    """Bytes that stay."""


@dataclass(frozen=True)
class Plan:
    """What a run takes."""

    machine: Machine
    shape: Shape
    rows: PlannedRows
    steps: int
    """Of a training."""
    states: int
    """Of a trace."""
    stages: tuple[StageCost, ...]
    processes: int

    @property
    def hours(self) -> float:
        """With all processes at work; on one GPU they take turns."""
        total = sum(stage.hours for stage in self.stages)
        return total if self.machine.is_gpu else total / self.processes

    @property
    def fits(self) -> bool:
        """Whether every stage has room on the device."""
        return self.machine.memory is None or max(stage.device for stage in self.stages) <= self.machine.memory


def plan_run(config: RunConfig, rows: PlannedRows, shape: Shape, machine: Machine) -> Plan:
    """The plan of a run."""
    work = _Work(config, rows, shape, machine)
    return Plan(machine, shape, rows, work.steps, work.states, tuple(work.stages()), config.execution.processes)


class _Work:
    """The counts that several stages share."""

    def __init__(self, config: RunConfig, rows: PlannedRows, shape: Shape, machine: Machine) -> None:
        self.config, self.rows, self.shape, self.machine = config, rows, shape, machine
        tuning = config.finetuning
        steps = schedule(len(rows.train), tuning, tuning.seeds[0])
        self.steps = len(steps)
        rates = learning_rates(tuning, self.steps)
        longest = self.steps if tuning.trace_segments else longest_gap(tuning.optimizer.beta1)
        self.states = len(state_steps(rates, tuning.trace_states, longest))
        chunks = [chunk for step in steps for chunk in rows.train.chunks(step, tuning.tokens_at_once)]
        lengths = rows.train.lengths()
        self.trained = float(sum(len(chunk) * lengths[list(chunk)].max() for chunk in chunks))
        self.batches = len(chunks)
        self.length = float(lengths.mean())
        self.read = float(rows.evaluation.lengths().sum())
        self.read_batches = ceil(self.read / tuning.tokens_at_once)
        self.seeds, slices = len(tuning.seeds), Counter(rows.evaluation.slices)
        self.asked = workload(config.attribution, self.seeds, rows.contributors, slices, shape.trained)

    def stages(self) -> Iterator[StageCost]:
        """Every stage, in the order of a run."""
        if len(self.rows.unpaid):
            yield self._harm()
        yield self._finetuning()
        yield self._credit()
        yield self._stand_in()
        if self.asked.checked:
            yield self._controls(self.asked.checked)
            yield self._effects(self.asked.checked)
        if self.asked.retrained:
            yield self._retraining(self.asked.retrained)

    def _training(self) -> tuple[float, float]:
        """FLOP and seconds of a training's forward and backward."""
        flop = self.shape.training(self.trained, self.length)
        return flop, self._seconds(flop, self.batches)

    def _reading(self, backward: bool = False) -> tuple[float, float]:
        """FLOP and seconds of looking at all evaluation rows."""
        take = self.shape.training if backward else self.shape.forward
        flop = take(self.read, self.length)
        return flop, self._seconds(flop, self.read_batches)

    def _checking(self) -> tuple[float, float]:
        """FLOP and seconds of a training's looks at the validation rows, all of them where it may stop early."""
        rule = self.config.finetuning.validation
        if rule is None:
            return 0.0, 0.0
        read, looks = float(self.rows.validation.lengths().sum()), ceil(self.steps / rule.every)
        flop = self.shape.forward(read, self.length)
        return looks * flop, looks * self._seconds(flop, ceil(read / self.config.finetuning.tokens_at_once))

    def _seconds(self, flop: float, batches: float) -> float:
        apart = 0.0 if self.machine.is_gpu else LAYER_SECONDS * self.shape.computed * batches
        return flop / self.machine.flops + apart

    def _shared(self, seconds: float) -> float:
        """Of a training whose steps several processes share."""
        return seconds / self.config.finetuning.processes

    def _stage(
        self, stage: str, what: str, times: float, cost: tuple[float, float, float], **space: float
    ) -> StageCost:
        """`cost`: tokens, FLOP and seconds of each of `times`.

        `space`: bytes of `memory` beside the model's, of the `host` and on `disk`; and `layers` whose activations stay.
        """
        tokens, flop, seconds = cost[0] * times, cost[1] * times, (cost[2] + START) * times
        memory = self._model(space.get("layers", self.shape.computed)) + space.get("memory", 0.0)
        # Whatever a stage does, it reads what the cached layers say of all rows.
        host = IMPORTS + self._lower()[1] + space.get("host", 0.0) + (self._weights() if self.machine.is_gpu else 0.0)
        device = memory + (CONTEXT if self.machine.is_gpu else 0.0)
        return StageCost(stage, what, tokens, flop, seconds / 3600, device, host, space.get("disk", 0.0))

    def _weights(self) -> float:
        return self.shape.parameters * float(BYTES[self.config.finetuning.precision])

    def _held(self) -> float:
        """Bytes of the weights that lie on the device: of shared layers a part, and two that are whole for a while."""
        tuning, shape = self.config.finetuning, self.shape
        if not (tuning.shard and self.machine.is_gpu):
            return self._weights()
        layers = (shape.parameters - shape.embedding) * float(BYTES[tuning.precision])
        return self._weights() - layers * (1 - 1 / tuning.processes - 2 / shape.layers)

    def _model(self, layers: float) -> float:
        """Bytes of weights, adapters with gradients and moments, and a micro-batch's activations in `layers`."""
        at_once, shape = self.config.finetuning.tokens_at_once, self.shape
        # Korthikanti et al. 2022, equation 2, in elements, with the inner width apart.
        kept = 1 if self.config.finetuning.gradient_checkpointing else layers
        each = float(BYTES[self.config.finetuning.precision])
        activations = at_once * kept * (9 * shape.width + 4 * shape.inner) * each
        activations += 12.0 * at_once * shape.vocabulary
        return self._held() + 16.0 * shape.trained + activations * (1.0 if self.machine.is_gpu else HEAP)

    def _state_bytes(self) -> float:
        return self.shape.trained * float(4 + 2 * BYTES[self.config.finetuning.trace_precision])

    def _finetuning(self) -> StageCost:
        (flop, seconds), (read, reading) = self._training(), self._reading()
        tokens, lower = self._lower()
        # The adapter, its copy in MLflow, and the trace.
        disk = self.seeds * (8.0 * self.shape.trained + self.states * self._state_bytes()) + lower
        checks, checking = self._checking()
        # The layers below are computed once for all seeds.
        once = 2 * tokens * self.shape.below / self.seeds
        flop, seconds = flop + 2 * read + checks + once, self._shared(seconds) + 2 * reading + checking
        cost = (self.trained, flop, seconds + once / self.machine.flops)
        return self._stage("fine-tune", _count(self.seeds, "seed"), self.seeds, cost, disk=disk)

    def _lower(self) -> tuple[float, float]:
        """All tokens, and the bytes that the cached layers' output takes for them."""
        parts = (self.rows.train, self.rows.validation, self.rows.evaluation)
        tokens = float(sum(rows.lengths().sum() for rows in parts))
        return tokens, tokens * self.shape.width * 4.0 if self.shape.below else 0.0

    def _walked(self) -> tuple[float, float, float]:
        """Tokens, FLOP and seconds of one trace's credit."""
        (flop, seconds), (read, reading) = self._training(), self._reading(backward=True)
        # Segments are trained forward again before they are walked back.
        looks, walks = self.asked.looks, WALK + self.config.finetuning.trace_segments
        return self.trained, walks * flop + looks * read, walks * seconds + looks * reading

    def _walking(self) -> float:
        """Bytes of a walk: six vectors in float64, and looks' gradients by slice and fold."""
        return self.shape.trained * (48.0 + 4.0 * LOOKS_HELD * self.asked.columns)

    def _credit(self) -> StageCost:
        return self._stage("credit", _count(self.seeds, "seed"), self.seeds, self._walked(), memory=self._walking())

    def _controls(self, count: int) -> StageCost:
        tokens, flop, seconds = self._walked()
        trained, training = self._training()
        cost = (2 * tokens, flop + trained, seconds + self._shared(training))
        # Planted rows are others, so what the layers below say of them is kept beside.
        _, lower = self._lower()
        return self._stage("controls", _count(count, "seed"), count, cost, memory=self._walking(), disk=lower)

    def _stand_in(self) -> StageCost:
        read = float(self.rows.train.lengths().sum()) + self.read
        own = stand_in_work(self.rows, self.shape)
        flop = self.shape.forward(read, self.length) + own.flop
        cost = (read, flop, self._seconds(flop, read / self.config.finetuning.tokens_at_once))
        return self._stage("stand-in", "once", 1, cost, layers=1, host=own.memory, disk=own.disk)

    def _harm(self) -> StageCost:
        """On a processor, whatever trains: all rows are embedded, and the stand-in learns them again and again."""
        shape, rows, asked = self.shape, len(self.rows.train) + len(self.rows.validation), len(self.rows.unpaid)
        parts = (self.rows.train, self.rows.validation, self.rows.unpaid)
        read = float(sum(part.lengths().sum() for part in parts))
        products = STEPS * 4 * rows + 2 * asked
        flop = shape.forward(read, self.length) + 2 * read * shape.below
        flop += TRAININGS * products * shape.width * len(self.rows.task.labels)
        core = self.machine
        if core.is_gpu:
            core = machine("cpu", shape.width, shape.inner, self.config.finetuning.tokens_at_once)
        apart = LAYER_SECONDS * shape.layers * read / self.config.finetuning.tokens_at_once
        host = IMPORTS + 4.0 * shape.parameters
        return StageCost("look for harm", "once", read, flop, (flop / core.flops + apart) / 3600, 0.0, host, 0.0)

    def _effects(self, count: int) -> StageCost:
        draws, rows = self.asked.draws, len(self.rows.train)
        flop, seconds = self._training()
        (read, reading), looks = self._reading(), len(self.rows.contributors)
        part = (draws + 2 * rows) / (rows * self.config.finetuning.epochs)
        own = effects_work(looks, rows, self.shape.trained, draws, self.config.finetuning.tokens_at_once / self.length)
        passed, taken = part * flop + looks * read, part * seconds + looks * reading
        cost = (part * self.trained, passed + own.flop, taken + own.flop / self.machine.flops)
        return self._stage("predict effects", _count(count, "seed"), count, cost, memory=own.memory)

    def _retraining(self, trainings: float) -> StageCost:
        (flop, seconds), (read, reading) = self._training(), self._reading()
        cost = (self.trained, flop + 2 * read, self._shared(seconds) + 2 * reading)
        return self._stage("retrain", f"{trainings:.1f} × all rows", trainings, cost)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
