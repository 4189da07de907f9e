"""Who of the retrieved sources moved an answer: exact credit beside leave-one-out and random ablations.

    python benchmarks/retrieval.py [--questions 200] [--steps 2500]

No text model that reads its context is at hand, so one is trained here: a small Llama that answers from sources and
from nothing else. A source says which value a key has; a question asks two keys, the answer is two values. A source
that begins with `old` never counts, though it names the key. Writes docs/benchmarks/retrieval.md.
"""

import argparse
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import Lasso
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from throughput import processor
from tribute.services.retrieval import Hit, RowIndex, chunk_credits

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "retrieval.md"
KEYS, VALUES = [f"k{number:02}" for number in range(24)], [f"v{number:02}" for number in range(24)]
WORDS = ["pad", "source", "old", "ask", "answer", *KEYS, *VALUES]
IDS = {word: number for number, word in enumerate(WORDS)}
SOURCES, ABLATIONS = 5, 64
KEEP, ALPHA = 0.5, 0.01
"""ContextCite's rule: sources are kept with this probability, credit is the Lasso's coefficients."""


@dataclass(frozen=True)
class Case:
    """A question with its sources: those that decide, a copy of the first, one that is out of date, and others."""

    sources: Sequence[str]
    kinds: Sequence[str]
    keys: Sequence[str]
    answer: Sequence[str]


def draw(chance: random.Random, planted: bool) -> Case:
    """A case as it is measured (`planted`), or one to train on, where any source may be missing."""
    keys = chance.sample(KEYS, 4)
    values = [chance.choice(VALUES) for _ in keys]
    decisive = [("decisive", f"source {key} {value}") for key, value in zip(keys[:2], values, strict=False)]
    decoy = ("out of date", f"source old {keys[0]} {chance.choice(VALUES)}")
    other = ("irrelevant", f"source {keys[2]} {values[2]}")
    if planted:
        chosen = [*decisive, ("copy", decisive[0][1]), decoy, other]
    else:
        pool = [*decisive, decisive[0], decisive[1], decoy, other, ("irrelevant", f"source {keys[3]} {values[3]}")]
        chosen = [source for source in pool if chance.random() < 0.6][:SOURCES]
    chance.shuffle(chosen)
    return Case([text for _, text in chosen], [kind for kind, _ in chosen], keys[:2], values[:2])


def prompt(case: Case, chosen: Sequence[int]) -> list[int]:
    """The tokens up to the answer, with the chosen sources."""
    words = " ".join(case.sources[number] for number in chosen).split()
    return [IDS[word] for word in [*words, "ask", *case.keys, "answer"]]


def train(steps: int) -> LlamaForCausalLM:
    """A model that looks values up; what its sources do not say, it cannot know."""
    torch.manual_seed(0)
    chance = random.Random(0)
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=64,
    )
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for step in range(steps):
        cases = [draw(chance, planted=False) for _ in range(96)]
        rows = [prompt(case, range(len(case.sources))) + [IDS[word] for word in case.answer] for case in cases]
        longest = max(map(len, rows))
        # Padded on the left, so that answers stand at the end.
        ids = torch.tensor([[0] * (longest - len(row)) + row for row in rows])
        logits = model(input_ids=ids, attention_mask=(ids != 0).long()).logits[:, -3:-1]
        loss = functional.cross_entropy(logits.flatten(0, 1), ids[:, -2:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 500 == 0:
            print(f"step {step}: {loss.item():.3f} nats", flush=True)
    return model.eval()


class Reader:
    """What a trained model thinks of a case's answer, and how often it was asked."""

    def __init__(self, model: LlamaForCausalLM, case: Case) -> None:
        self.model, self.case, self.passes = model, case, 0

    def worth(self, chosen: Sequence[int]) -> float:
        """The log-probability of the answer given the chosen sources, nats."""
        self.passes += 1
        ids = [*prompt(self.case, chosen), *(IDS[word] for word in self.case.answer)]
        with torch.inference_mode():
            logs = self.model(input_ids=torch.tensor([ids])).logits[0, -3:-1].double().log_softmax(-1)
        return float(logs.gather(1, torch.tensor(ids[-2:]).unsqueeze(1)).sum())

    def says(self, chosen: Sequence[int]) -> bool:
        """Whether the answer is the most probable one."""
        ids = [*prompt(self.case, chosen), *(IDS[word] for word in self.case.answer)]
        with torch.inference_mode():
            best = self.model(input_ids=torch.tensor([ids])).logits[0, -3:-1].argmax(-1)
        return best.tolist() == ids[-2:]


def exact(reader: Reader) -> np.ndarray:
    """What receipts say: all 32 subsets."""
    hits = [Hit(f"r:{n}", f"c{n}", "MIT", text, "", 0.0) for n, text in enumerate(reader.case.sources)]
    return np.array([credit.credit for credit in chunk_credits(hits, reader.worth)])


def leave_one_out(reader: Reader) -> np.ndarray:
    """What the answer loses without each source."""
    everything = list(range(SOURCES))
    whole = reader.worth(everything)
    return np.array([whole - reader.worth([other for other in everything if other != n]) for n in everything])


def ablated(reader: Reader, chance: np.random.Generator) -> np.ndarray:
    """Coefficients of a Lasso on random ablations."""
    kept = chance.random((ABLATIONS, SOURCES)) < KEEP
    worth = [reader.worth(np.flatnonzero(row).tolist()) for row in kept]
    return np.array(Lasso(alpha=ALPHA).fit(kept.astype(float), worth).coef_)


def relevance(case: Case) -> np.ndarray:
    """BM25's order of the sources for the question."""
    import pandas as pd

    columns = ("row_id", "contribution_id", "contributor_id")
    rows = pd.DataFrame({name: [str(n) for n in range(SOURCES)] for name in columns})
    rows["text"], rows["target"] = list(case.sources), ""
    index = RowIndex(rows, np.zeros((SOURCES, 1), dtype=np.float32), {str(n): "MIT" for n in range(SOURCES)})
    scores = np.zeros(SOURCES)
    for hit in index.search(" ".join(case.keys), np.zeros(1, dtype=np.float32), SOURCES):
        scores[int(hit.row)] = hit.score
    return scores


def by_orders(reader: Reader) -> np.ndarray:
    """The definition of the Shapley value: the mean over all 120 orders."""
    known = {}
    for number in range(1 << SOURCES):
        chosen = tuple(n for n in range(SOURCES) if number >> n & 1)
        known[chosen] = reader.worth(chosen)
    credits = np.zeros(SOURCES)
    for order in permutations(range(SOURCES)):
        for place, source in enumerate(order):
            before = tuple(sorted(order[:place]))
            credits[source] += known[tuple(sorted((*before, source)))] - known[before]
    return credits / 120


def shares(credits: np.ndarray) -> np.ndarray:
    """What is paid: positive credits, in proportion."""
    positive = np.clip(credits, 0, None)
    return positive / positive.sum() if positive.sum() else positive


def deletion(reader: Reader, credits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The answer's fall in nats, and whether it flipped, when the best 1, 2 … sources are gone, [removed]."""
    order = np.argsort(-credits, kind="stable").tolist()
    left = [sorted(order[count:]) for count in range(SOURCES + 1)]
    worth = np.array([reader.worth(chosen) for chosen in left])
    return worth[0] - worth[1:], np.array([not reader.says(chosen) for chosen in left[1:]])


METHODS: dict[str, Callable[[Reader, np.random.Generator], np.ndarray]] = {
    "exact (all 32 subsets)": lambda reader, _: exact(reader),
    f"{ABLATIONS} ablations, Lasso": ablated,
    "leave one out": lambda reader, _: leave_one_out(reader),
    "BM25 (relevance)": lambda reader, _: relevance(reader.case),
    "random": lambda reader, chance: chance.random(SOURCES),
}


def main() -> None:
    """Train, measure and write the page."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--questions", type=int, default=200)
    options.add_argument("--steps", type=int, default=2500)
    given = options.parse_args()
    torch.set_num_threads(1)
    model, chance = train(given.steps), np.random.default_rng(1)
    drawn = random.Random(1)
    cases = [draw(drawn, planted=True) for _ in range(given.questions)]
    answered = [case for case in cases if Reader(model, case).says(range(SOURCES))]
    PAGE.write_text(page(model, answered, len(cases), chance), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))


def page(model: LlamaForCausalLM, cases: Sequence[Case], asked: int, chance: np.random.Generator) -> str:
    """The page: planted sources, errors of shares, deletion curves and costs of all methods on the same cases."""
    credits = {name: np.zeros((len(cases), SOURCES)) for name in METHODS}
    seconds, passes = dict.fromkeys(METHODS, 0.0), dict.fromkeys(METHODS, 0)
    for number, case in enumerate(cases):
        for name, method in METHODS.items():
            reader, started = Reader(model, case), time.perf_counter()
            credits[name][number] = method(reader, chance)
            seconds[name] += time.perf_counter() - started
            passes[name] += reader.passes
    true = next(iter(credits.values()))
    readers = [Reader(model, case) for case in cases]
    changed = np.array([reader.worth(range(SOURCES)) - reader.worth([]) for reader in readers])
    defined = np.stack([by_orders(reader) for reader in readers[:50]])
    gap, apart = abs(true.sum(1) - changed).max(), abs(true[:50] - defined).max()
    lines = [
        *("# Credit of retrieved sources", "", f"Measured on {processor()}, one thread, torch {torch.__version__};"),
        f"{os.getloadavg()[0]:.0f} other processes were running. Passes compare, milliseconds hardly.",
        "",
        f"{asked} questions of two keys with {SOURCES} sources: the two that decide, a copy of the first, one that is",
        f"out of date and one about another key. {len(cases)} were answered right; these are measured.",
        "",
        f"- Sum of the exact credits less what all sources changed: at most {gap:.1e} nats.",
        f"- Exact credits less the mean over all 120 orders, 50 answers: at most {apart:.1e} nats.",
        "",
        "| mean share of the credit (%) | decides alone | decides, with a copy | its copy | out of date | irrelevant |",
        "|---|---|---|---|---|---|",
    ]
    for name, values in credits.items():
        lines.append(f"| {name} | " + " | ".join(f"{part:.1f}" for part in planted(cases, values)) + " |")
    lines += [
        *("", "| | Σ of share differences to exact | copies differ by (nats) | passes | ms per answer |"),
        "|---|---|---|---|---|",
    ]
    # A copy stands elsewhere in the prompt, so that the model does not read it quite as the original.
    for name, values in credits.items():
        error = np.mean([np.abs(shares(own) - shares(best)).sum() for own, best in zip(values, true, strict=True)])
        twins = np.mean(
            [abs(own[first] - own[second]) for own, (first, second) in zip(values, map(pair, cases), strict=True)]
        )
        differ = f"{twins:.3f}" if name not in list(METHODS)[3:] else ""
        cost = f"{passes[name] / len(cases):.0f} | {1000 * seconds[name] / len(cases):.1f}"
        lines.append(f"| {name} | {error:.2f} | {differ} | {cost} |")
    heads = " | ".join(f"{count} gone" for count in range(1, SOURCES))
    lines += [
        *(
            "",
            "Deletion: the fall of the answer's log-probability (nats), and answers that flipped (%), when the sources",
        ),
        "with the most credit are gone.",
        *("", f"| | {heads} |", "|---|" + "---|" * (SOURCES - 1)),
    ]
    for name, values in credits.items():
        curves = [deletion(reader, own) for reader, own in zip(readers, values, strict=True)]
        falls, flips = (np.mean([curve[part] for curve in curves], axis=0) for part in (0, 1))
        cells = [f"{fall:.2f}, {100 * flip:.0f} %" for fall, flip in zip(falls[:-1], flips[:-1], strict=True)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def pair(case: Case) -> tuple[int, int]:
    """The numbers of the source that has a copy, and of the copy."""
    copy = case.kinds.index("copy")
    return next(n for n, text in enumerate(case.sources) if text == case.sources[copy] and n != copy), copy


def planted(cases: Sequence[Case], credits: np.ndarray) -> np.ndarray:
    """Mean shares in per cent: decides alone, decides with a copy, the copy, out of date, irrelevant."""
    rows = []
    for case, own in zip(cases, credits, strict=True):
        first, copy = pair(case)
        alone = next(n for n, kind in enumerate(case.kinds) if kind == "decisive" and n != first)
        order = [alone, first, copy, case.kinds.index("out of date"), case.kinds.index("irrelevant")]
        rows.append(shares(own)[order])
    return 100 * np.mean(rows, axis=0)


if __name__ == "__main__":
    main()
