"""Theorem: with a copy of the folder, the standard library and `cryptography`, a stranger finds what Tribute finds."""

import ast
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rewards.helpers.forging import chained, edit, rehash
from tribute.artifacts import SEAL, Kind, read_artifact, write_manifest
from tribute.rewards.period import leaves

DRAFT = "tribute.rewards.period.draft"
TOOLS = Path(__file__).parents[3] / "tools"
ALLOWED = {*sys.stdlib_module_names, "cryptography"}


@pytest.fixture
def period(closed_house):
    """A closed period that a test may spoil."""
    folder = closed_house.workspace.rewards / "2026-12"
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder


def run(tool, *arguments):
    """In isolated mode, so that nothing of this checkout could be imported."""
    command = [sys.executable, "-I", TOOLS / tool, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def refused(folder, *said):
    ended = run("verify_rewards.py", folder)
    assert ended.returncode == 1, ended.stdout
    assert all(one in ended.stderr for one in said), ended.stderr
    assert "Traceback" not in ended.stderr


def test_it_is_short_and_needs_nothing():
    """Under 250 lines, so that it can be read before it is trusted."""
    for path in TOOLS.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        modules = {
            name.split(".")[0]
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in ([node.module] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
        }

        assert len(source.splitlines()) < 250
        assert modules <= ALLOWED | {"verify_weights"}


def test_a_good_period_passes(two_closed):
    """Check by check, with the names of who signed."""
    for period in ("2026-11", "2026-12"):
        ended = run("verify_rewards.py", two_closed.workspace.rewards / period)

        assert (ended.returncode, ended.stderr) == (0, "")
        assert "✓ closed and signed by anna and ben" in ended.stdout
        assert len(ended.stdout.splitlines()) == 9
        assert "! the manifest's provenance (code commit, times, MLflow runs) is not signed" in ended.stdout
        assert "! a simulation: its days are not real ones" in ended.stdout


def test_a_period_paid_by_tokens_and_several_currencies_pass(fallen, world, tmp_path):
    """Drafts too, which it says nobody has signed, with an exit code of their own."""
    several = world.pay(tmp_path / "w", fees=[("10", "ETH"), ("1000.00", "EUR"), ("7000", "JPY")])

    for artifact in (fallen, several):
        ended = run("verify_rewards.py", artifact.path)
        assert (ended.returncode, ended.stderr) == (3, "")
        assert "! a draft: nobody has signed it" in ended.stdout


def test_evidence_and_parquet_may_be_missing(period):
    """They are for auditors; a CSV may not."""
    for path in period.glob("*.parquet"):
        path.unlink()

    assert "8 are not here" in run("verify_rewards.py", period).stdout
    (period / "tokens.csv").unlink()
    refused(period, "✗ tokens.csv: missing")


def test_what_users_paid_may_be_missing(folder):
    """Like the evidence it is for auditors; the copy that is handed on goes without."""
    (folder / "usage.csv").write_text("query,user,amount\nq1,u1,1\n", encoding="utf-8")
    rehash(folder)
    (folder / "usage.csv").unlink()

    assert run("verify_rewards.py", folder).returncode == 3


def test_one_flipped_bit_names_its_file(period):
    """In every file, manifest and signatures included."""
    chance = random.Random(3)
    for path in sorted(period.iterdir()):
        good = path.read_bytes()
        bad = bytearray(good)
        bad[chance.randrange(len(good))] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(bad))
        refused(period, f"✗ {path.name}: ")
        path.write_bytes(good)

    assert run("verify_rewards.py", period).returncode == 0


def test_every_bit_of_manifest_and_signatures_counts(period):
    """A stranger trusts nothing else, so these two are looked at closely."""
    chance = random.Random(4)
    for name in ("manifest.json", SEAL):
        path = period / name
        good = path.read_bytes()
        for _ in range(12):
            bad = bytearray(good)
            bad[chance.randrange(len(good))] ^= 1 << chance.randrange(8)
            path.write_bytes(bytes(bad))
            refused(period)
        path.write_bytes(good)


def test_a_known_key_that_is_not_the_signers_is_found(two_closed, period):
    """Whoever knows the closers' keys gives them; another one in the manifest is refused."""
    keys = read_artifact(period).identity["config"]["closers"]

    good = run("verify_rewards.py", period, "--key", f"anna={keys['anna']}", "--key", f"ben={keys['ben']}")
    bad = run("verify_rewards.py", period, "--key", f"anna={keys['ben']}")

    assert good.returncode == 0
    assert (bad.returncode, "manifest.dsse.json: not a signature by a known key of anna" in bad.stderr) == (1, True)


def test_a_signer_whose_key_is_not_given_is_refused(two_closed, period):
    """With --key nobody else counts, so that a manifest that strangers made and signed convinces nobody."""
    keys = read_artifact(period).identity["config"]["closers"]

    ended = run("verify_rewards.py", period, "--key", f"anna={keys['anna']}")

    assert (ended.returncode, "not a signature by a known key of ben" in ended.stderr) == (1, True)


def test_a_seal_that_is_missing_is_found_by_who_knows_the_keys(two_closed, period):
    """Without it nobody signed, whatever the manifest says."""
    keys = read_artifact(period).identity["config"]["closers"]
    (period / SEAL).unlink()

    ended = run("verify_rewards.py", period, "--key", f"anna={keys['anna']}", "--key", f"ben={keys['ben']}")

    assert (ended.returncode, "✗ manifest.dsse.json: " in ended.stderr) == (1, True)


def shift(rows):
    rows[5]["amount_minor"] = str(int(rows[5]["amount_minor"]) + 1)
    rows[6]["amount_minor"] = str(int(rows[6]["amount_minor"]) - 1)


def heavier(rows):
    rows[5]["weight_num"] = str(int(rows[5]["weight_num"]) + 1)


def redirected(rows):
    for row in rows:
        row["account"] = row["account"].replace("numpy", "scrambler")
    return chained(rows)


def richer(rows):
    rows[3]["closing"] = str(int(rows[3]["closing"]) + 1)


def other_leaf(rows):
    rows[2]["leaf_sha256"] = "0" * 64


def without_last(rows):
    """The last entry, a holdback, is dropped; what is left is a good chain that balances."""
    del rows[-2:]


def moved_days(rows):
    for row in rows:
        row["posted_at"] = "2026-11-02"
    return chained(rows)


def one_day_back(rows):
    rows[-1]["posted_at"] = rows[-2]["posted_at"] = "2026-11-29"
    return chained(rows)


def swapped_statements(rows):
    rows[1]["statement_id"], rows[2]["statement_id"] = rows[2]["statement_id"], rows[1]["statement_id"]


def more_held(rows):
    rows[3]["held"] = str(int(rows[3]["held"]) + 1)


def one_less(rows):
    del rows[-1]


@pytest.mark.parametrize(
    ("table", "change", "said"),
    [
        ("journal", without_last, "balances.csv: "),
        ("journal", moved_days, "journal.csv: line 1 is posted on 2026-11-02, before the line before it or not on"),
        ("journal", one_day_back, "is posted on 2026-11-29, before the line before it or not on 2026-11-30"),
        ("balances", more_held, "balances.csv: "),
        ("leaves", swapped_statements, "leaves.csv: expected one leaf per contributor, with the id of their statement"),
        ("exclusions", one_less, "exclusions.csv: 14 rows, the manifest says 15"),
        ("allocation", shift, "allocation.csv: numpy: amount or quota do not follow"),
        ("allocation", heavier, "allocation.csv: numpy: not its weight"),
        ("journal", redirected, "balances.csv: numpy: does not add up, or move as journal.csv says"),
        ("balances", richer, "balances.csv: "),
        ("leaves", other_leaf, "leaves.csv: not the leaves of the statements' figures"),
    ],
)
def test_a_lie_with_fresh_hashes_is_found(folder, table, change, said):
    """In a draft nobody signed; what is recomputed cannot be hidden by a new manifest."""
    edit(folder, table, change)

    refused(folder, said)


def test_fresh_hashes_do_not_pass_under_old_signatures(period):
    """A closed period's manifest is signed, so that even a consistent lie shows."""
    edit(period, "exclusions", lambda rows: rows[:-1])

    refused(period, "manifest.dsse.json: not the statement about this manifest")


def test_control_totals_are_recomputed(folder):
    """A manifest that says other sums than its tables have is refused."""
    content = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    content["identity"]["config"]["control"]["EUR"]["debit_minor"] = "1"
    (folder / "manifest.json").unlink()
    identity = content["identity"]
    write_manifest(folder, Kind("rewards", DRAFT), identity["inputs"], identity["config"], {})

    refused(folder, "manifest.json: its control totals are not those of the tables")


@pytest.mark.parametrize("tool", ["verify_rewards.py", "verify_statement.py"])
def test_how_to_use_it_is_told(tool, tmp_path):
    """`--help`, no argument and a missing file answer with a usage line, never with a traceback."""
    helped, bare, missing = run(tool, "--help"), run(tool), run(tool, tmp_path / "a", tmp_path / "b")

    assert (helped.returncode, helped.stderr) == (0, "")
    assert helped.stdout.startswith("usage: ")
    for ended in (bare, missing):
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr.startswith("usage: ")
        assert "Traceback" not in ended.stderr


def test_a_folder_without_manifest_and_a_key_without_name_are_told(folder, tmp_path):
    """Both are slips of the hand, and say what belongs there."""
    empty, bare = run("verify_rewards.py", tmp_path), run("verify_rewards.py", folder, "--key", "AAAA")

    assert (empty.returncode, "has no manifest.json; give a copy of rewards/<period>/" in empty.stderr) == (2, True)
    assert (bare.returncode, "--key AAAA: expected ID=BASE64" in bare.stderr) == (2, True)


def test_a_draft_given_keys_is_not_signed(folder):
    """Whoever gives keys asks for a signed period, and is told in words that this one is not."""
    ended = run("verify_rewards.py", folder, "--key", "anna=AAAA")

    assert ended.returncode == 1
    assert "manifest.dsse.json: missing, so nobody has signed this period" in ended.stderr


def test_what_is_no_statement_is_one_line(stated, tmp_path):
    """Another JSON file, or none, in the statement's place."""
    _, manifest = stated
    for content in ("{}", "[1]", "not json"):
        (tmp_path / "s.json").write_text(content)
        ended = run("verify_statement.py", tmp_path / "s.json", manifest)
        assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)


@pytest.fixture
def stated(two_closed):
    """What a statement says of itself, with its proof, and the manifest beside its period."""
    folder = two_closed.workspace.rewards / "2026-12"
    proof = leaves.Proofs.read(folder)("numpy")
    return {"contributor_id": "numpy", "period": "2026-12", "proof": proof}, folder / "manifest.json"


def checked(path, statement, manifest):
    path.write_text(json.dumps(statement), encoding="utf-8")
    return run("verify_statement.py", path, manifest)


def test_a_statements_proof_leads_to_the_manifest(stated, tmp_path):
    """A contributor checks with the statement and the manifest alone; other figures are refused."""
    statement, manifest = stated

    good = checked(tmp_path / "numpy.json", statement, manifest)
    statement["proof"]["figures"]["balances"][0]["closing"] += "0"
    bad = checked(tmp_path / "numpy.json", statement, manifest)

    assert (good.returncode, bad.returncode) == (0, 1)
    assert "✓ the figures of 2026-12-numpy are under the root" in good.stdout
    assert "! what else the statement says (standing, payments, credit, rows) is outside this proof" in good.stdout
    assert "its proof does not lead to the root" in bad.stderr


@pytest.mark.parametrize("change", [{"contributor_id": "scipy"}, {"period": "2026-11"}])
def test_somebody_elses_proof_proves_no_statement(stated, tmp_path, change):
    """A good proof on a page of another person or month is refused."""
    statement, manifest = stated

    ended = checked(tmp_path / "numpy.json", statement | change, manifest)

    assert ended.returncode == 1
    assert "its proof is of 2026-12-numpy and the manifest of 2026-12" in ended.stderr


def test_a_copy_elsewhere_verifies(two_closed, tmp_path):
    """Nothing but the folder is looked at."""
    copy = shutil.copytree(two_closed.workspace.rewards / "2026-11", tmp_path / "received")

    assert run("verify_rewards.py", copy).returncode == 0
    stranger = copy / "README.txt"
    stranger.write_text("hello", encoding="utf-8")
    refused(copy, "README.txt: not a file, or the bytes, of the manifest")


def test_a_link_or_a_folder_is_found(period, tmp_path):
    """Nothing but plain files is part of a period, whatever bytes a link leads to."""
    (period / "empty").mkdir()
    refused(period, "✗ empty: a link or a folder")
    (period / "empty").rmdir()
    (period / "journal.csv").rename(tmp_path / "journal.csv")
    (period / "journal.csv").symlink_to(tmp_path / "journal.csv")

    refused(period, "✗ journal.csv: a link or a folder")
