"""When to propose another repetition of the rate design, and when precision or budget is reached."""

from collections.abc import Collection, Sequence

from tribute.attribution.retraining.jobs import FACTORS, Job, TrainedRows, repetition, repetition_cost
from tribute.config import AttributionConfig


def next_repetition(
    config: AttributionConfig, rows: TrainedRows, seeds: Sequence[int], done: Collection[Job], error: float
) -> list[Job]:
    """The jobs of the next repetition of the rate design, or none where precision or budget is reached.

    `error` is what is not known of the shares after those that are done, in standard deviations. The budget decides
    only how many repetitions there are, never what the next one is: so a larger budget goes on where a smaller one
    stopped. The first ones vary few groups of rows, later ones more, as soon as what was spent would have paid for two
    such repetitions.
    """
    if config.budget == 0 or error <= config.precision:
        return []
    repeated = {job.number: job.factors for job in done if job.design == "rates"}
    number, spent = len(repeated), sum(repetition_cost(rows, varied) for varied in repeated.values())
    affordable = (varied for varied in FACTORS if 2 * repetition_cost(rows, varied) <= spent)
    factors = next(affordable, min(FACTORS))
    if spent + repetition_cost(rows, factors) > config.budget:
        return []
    seed = seeds[number % len(seeds)]
    first = Job(design="rates", seed=seed, number=number, factors=factors)
    whole = [Job(design="all", seed=seed)] if config.proxy else []
    return whole + [first.model_copy(update={"run": run}) for run in range(len(repetition(first, rows)))]
