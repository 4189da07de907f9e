"""What keeps the processes of `tribute up`: honcho's manager, which ends the worker before the server it reports to."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import Any

import psutil
from honcho import manager, printer, process

FIRST = "worker"
PATIENCE = 40.0
"""Seconds that the worker has to end its runs; it kills those that take longer than 30."""


class Manager(manager.Manager):
    """Ends the worker, whose runs save their trainings, and then the others, which honcho gives five seconds."""

    _terminating: bool

    def __init__(self) -> None:
        super().__init__(Printer(sys.stdout))
        self._process_ctor = Service

    def loop(self) -> None:
        """Keep them until SIGTERM, an interrupt, or the end of the terminal, which `nohup` makes a command outlive."""
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
        super().loop()

    def terminate(self) -> None:
        """Called at each signal, of which the second kills, and by honcho once the first of them has stopped."""
        if not self._terminating:
            self._terminating = True
            threading.Thread(target=self._end_in_order, daemon=True).start()
        elif not self._any_stopped():
            self.kill()

    def kill(self) -> None:
        """Kill those that still run."""
        for service in self._processes.values():
            if "pid" in service and "returncode" not in service:
                _kill(service["pid"])

    def _end_in_order(self) -> None:
        while not self._all_started():
            time.sleep(0.1)
        _end(self._processes[FIRST]["pid"])
        self._killall()


class Service(process.Process):
    """The process that starts a service and passes on what it prints; it ends the service where `up` is killed."""

    def run(self, events: Any = None, ignore_signals: bool = False) -> None:
        """Start the service, and return when it has ended."""
        threading.Thread(target=self._end_with_up, daemon=True).start()
        super().run(events, ignore_signals)

    def _end_with_up(self) -> None:
        parent = multiprocessing.parent_process()
        assert parent is not None
        # This ends with all that hold its pipe: `up`, and what was forked later. So the worker, begun last, goes first.
        parent.join()
        while self._child is None:
            time.sleep(0.1)
        _end(self._child.pid)
        _kill(self._child.pid)
        # Nobody reads the messages that the end of the process would wait for.
        os._exit(0)


class Printer(printer.Printer):
    """Prints while somebody reads: a terminal that is closed keeps nothing from ending."""

    def write(self, message: Any) -> None:
        """Print a line."""
        try:
            super().write(message)
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.dup2(nowhere, sys.stderr.fileno())
        except RuntimeError:
            pass  # a signal came in the middle of a line, and its own line is lost


def _end(group: int) -> None:
    """Send a process group SIGTERM, and wait until it has ended, or for PATIENCE."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)
    ends = time.monotonic() + PATIENCE
    while _is_alive(group) and time.monotonic() < ends:
        time.sleep(0.1)


def _kill(group: int) -> None:
    """Kill a process group and all that it started: the worker's runs are in groups of their own."""
    with suppress(psutil.NoSuchProcess):
        started = psutil.Process(group).children(recursive=True)
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        for each in started:
            with suppress(psutil.NoSuchProcess):
                each.kill()


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
