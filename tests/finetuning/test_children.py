"""A child gives back its result or an error of ours, and never outlives the call."""

import os
import signal
import subprocess
import sys
import time
import warnings

import pytest
import torch

from tests.finetuning.helpers.tiny import ignore
from tribute.errors import BaseModelError, DeviceMemoryError, KilledError, StoppedError, TrainingError
from tribute.finetuning import children


def add(left, right, progress):
    return left + right


def count(total, progress):
    for done in range(1, total + 1):
        progress(done, total)
    return {"threads": os.environ["OMP_NUM_THREADS"], "pid": os.getpid()}


def refuse(progress):
    raise BaseModelError("weights: not the ones; use others")


def stumble(progress):
    raise ZeroDivisionError("by nought")


def fill_the_gpu(progress):
    """What torch says, word for word."""
    raise torch.OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.15 GiB of which 3.1 GiB is "
        "free. Including non-PyTorch memory, this process has 75.9 GiB memory in use."
    )


def sleep(stubborn, progress):
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    progress(os.getpid(), 0)
    time.sleep(120)


def die(progress):
    os.kill(os.getpid(), signal.SIGKILL)


def unpicklable(progress):
    return lambda: None


def run(work, *arguments, timeout_seconds=120.0, progress=ignore):
    return children.run_child(work, *arguments, title=work.__name__, timeout_seconds=timeout_seconds, progress=progress)


def warn_of(category, progress):
    """What a library may do in the middle of a training."""
    warnings.warn("a layer is tied", category, stacklevel=1)


@pytest.mark.parametrize("category", ["UserWarning", "FutureWarning", "RuntimeWarning"])
@pytest.mark.parametrize("asked", [False, True])
def test_other_packages_warnings_reach_who_asks_for_them(category, asked):
    """A user can do nothing about them; PYTHONWARNINGS shows them."""
    code = (
        "import tests.finetuning.test_children as own; from tribute.finetuning.children import run_child; "
        f"run_child(own.warn_of, {category}, title='warn', timeout_seconds=100, progress=own.ignore)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    environment |= {"PYTHONWARNINGS": "default"} if asked else {}

    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert ("a layer is tied" in done.stderr) is asked


def test_the_result_comes_back():
    """A child is a function call."""
    assert run(add, 2, 3) == 5


def test_progress_arrives_in_order():
    """Every step is reported before the result comes, from another process with one thread."""
    seen = []

    result = run(count, 3, progress=lambda done, total: seen.append((done, total)))

    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert result["threads"] == "1"
    assert result["pid"] != os.getpid()


def test_our_errors_come_back_as_what_they_are():
    """The command line can print them as one line."""
    with pytest.raises(BaseModelError, match=r"^weights: not the ones; use others$"):
        run(refuse)


def test_a_full_gpu_says_what_helps():
    """In one line, wherever in the child it happened: while a base is loaded, in a training, along a walk."""
    with pytest.raises(
        DeviceMemoryError,
        match=r"^the GPU's memory is full; lower finetuning\.tokens_at_once, .*precision: bfloat16 "
        r"\(CUDA out of memory\. Tried to allocate 20\.00 GiB\)$",
    ):
        run(fill_the_gpu)


def test_other_errors_bring_the_childs_traceback():
    """A fault of ours can be found where it happened."""
    with pytest.raises(RuntimeError, match=r"ZeroDivisionError: by nought\n(.|\n)*in stumble"):
        run(stumble)


def test_a_result_that_cannot_travel_is_an_error():
    """It does not look like a killed child."""
    with pytest.raises(RuntimeError, match="pickle"):
        run(unpicklable)


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_child_out_of_time_is_stopped(stubborn, monkeypatch):
    """Soon after the time-out the process is gone, also when it ignores the polite signal."""
    monkeypatch.setattr(children, "GRACE_SECONDS", 0.3)
    pids = []
    started = time.monotonic()

    with pytest.raises(TrainingError, match=r"sleep: out of time; raise finetuning\.timeout_minutes"):
        run(sleep, stubborn, timeout_seconds=3.0, progress=lambda pid, _: pids.append(pid))

    assert time.monotonic() - started < 30
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_killed_child_is_told_from_a_failed_one():
    """As the kernel does when memory runs out."""
    with pytest.raises(KilledError, match=r"^die: a process was killed .*run again"):
        run(die)


def test_a_child_that_was_asked_to_end_is_told_from_a_killed_one():
    """SIGTERM comes from who wants to go home: the work is not to be tried again at once."""
    with pytest.raises(StoppedError, match=r"^sleep: asked to end; run again to go on$"):
        run(sleep, False, progress=lambda pid, _: os.kill(pid, signal.SIGTERM))


def test_an_interruption_stops_the_child():
    """Ctrl-C, or any other error of the caller's, leaves no process behind."""
    pids = []

    def interrupt(pid, _):
        pids.append(pid)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(sleep, False, progress=interrupt)

    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_no_orphan_works_on():
    """kill -9 of who wanted the work, in a long step without progress: the child is gone within seconds."""
    code = (
        "import tests.finetuning.test_children as own; from tribute.finetuning.children import run_child; "
        "tell = lambda pid, _: print(pid, flush=True); "
        "run_child(own.sleep, True, title='sleep', timeout_seconds=100, progress=tell)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.kill()

    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the child works on")
