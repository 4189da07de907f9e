"""What `tribute plan` says of a stage, beside what the stage takes: CPU time, memory and disk.

Run after finished runs, whose workspaces are only read:

    python benchmarks/plan.py configs/docs.yaml demo [CONFIG WORKSPACE …] [--set A.B=C] [--title WORDS]

Every stage is done once for one seed, as a run does it: in a child process with one thread. Writes a section of
docs/benchmarks/plan.md for every config.
"""

import argparse
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "plan.md"


def main() -> None:
    """Measure and write the sections."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", metavar="CONFIG WORKSPACE")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--title", help="of the section; without it the config's name")
    given = parser.parse_args()
    # Children import this file, too, and are to measure the work's memory.
    from lib.pages import put_section
    from lib.planned_stages import stage_table

    for config, home in zip(given.pairs[::2], given.pairs[1::2], strict=True):
        text = "\n".join(stage_table(Path(config), Path(home), given.overrides))
        put_section(PAGE, given.title or Path(config).name, text)


if __name__ == "__main__":
    main()
