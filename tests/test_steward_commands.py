"""The steward's commands on a workspace in which models learned: decide, compare, take back, train again."""

import json
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.helpers.remains import Rows, remains
from tests.helpers.terminal import tree, tribute
from tribute.config import BaseConfig
from tribute.contributions.registry.registry import Registry
from tribute.digests import file_sha256
from tribute.finetuning.models.base_models import load_tokenizer
from tribute.finetuning.models.embeddings import sentence_encoder
from tribute.workspace import Workspace

WHO = ("--by", "grace", "--why", "asked for")


def said(*arguments: object) -> object:
    """What a command printed with --json."""
    ended = tribute(*arguments, "--json")
    assert ended.code == 0, ended.err
    return ended.data


def contribution_of(workspace: Path, contributor: str) -> str:
    entries = Registry.open(Workspace.open(workspace)).entries()
    return next(
        one.subject for one in entries if one.event == "contribute" and one.details["contributor_id"] == contributor
    )


def test_withdraw_and_train_again(spare: Path):
    """The adapters that learned from the rows are listed, wait, and are trained again on a version without them."""
    bob = contribution_of(spare, "bob")

    before = tree(spare)
    would = said("withdraw", bob, *WHO, "--dry-run", "-w", spare)
    would_erase = said("erase", bob, *WHO, "--dry-run", "-w", spare)
    untouched = tree(spare) == before
    gone = said("withdraw", bob, *WHO, "-w", spare)
    waits = said("retrain", "--dry-run", "-w", spare)
    refused = tribute("retrain", "-w", spare)
    said("release", "tiny@v2.0.0", "-w", spare)
    trained = said("retrain", "-w", spare)
    after = said("retrain", "--dry-run", "-w", spare)

    assert untouched
    assert would == gone
    assert would_erase == {"erasures": [gone], "cleaned": {}}
    assert gone["runs"] == [waits["waiting"][0]["run"]]
    assert (waits["waiting"][0]["removed"], waits["waiting"][0]["retrain_on"]) == ([bob], None)
    assert refused.code == 2
    assert "no version without it is released; `tribute release tiny@vX.Y.Z` first" in refused.err
    assert trained["trained"][0]["tag"] == "tiny@v2.0.0"
    assert set(trained["trained"][0]["adapters"]) == {"0", "1"}
    assert after["waiting"] == []
    assert tribute("verify", "registry", "-w", spare).code == 0


def holding(folder: Path, needles: set[str]) -> set[Path]:
    """The files below a folder that hold one of some texts, plainly, packed by git, in Parquet or as JSON escapes."""
    import pandas as pd

    found = set()
    for path in (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        content = path.read_bytes()
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
            content = "\n".join(str(value) for name in frame for value in frame[name]).encode()
        if any(needle.encode() in content or json.dumps(needle)[1:-1].encode() in content for needle in needles):
            found.add(path)
    return found


def git_holds(repository: Path, needles: set[str]) -> bool:
    """Does any object that git has, reachable or not, hold one of the texts?"""
    objects = ["git", "-C", str(repository), "cat-file", "--batch-all-objects", "--batch"]
    content = subprocess.run(objects, capture_output=True, check=True).stdout
    return any(needle.encode() in content for needle in needles)


def rows_of(workspace: Path, base: Path, texts: set[str]) -> Rows:
    """What a workspace may hold of training rows with these texts: ids and embeddings by the base, the index's rows."""
    from safetensors.numpy import load_file

    table = pd.read_parquet(next((workspace / "artifacts" / "dataset").glob("[!.]*/train.parquet")))
    places = [place for place, text in enumerate(table["text"]) if text in texts]
    chosen = list(table["text"].iloc[places])
    ids = [ids for ids in load_tokenizer(base)(chosen)["input_ids"] if 1 not in ids]
    shard = load_file(next((workspace / "artifacts" / "index").rglob("000000.safetensors")))["coordinates"]
    stored = [shard[place].tobytes() for place in places if shard[place].any()]
    assert min(len(places), len(ids), len(stored)) > 0
    return Rows(chosen, ids, stored, np.asarray(sentence_encoder(BaseConfig(folder=base))(chosen)))


def quote_everywhere(workspace: Path, config: Path, run: str, texts: Sequence[str], harmless: str) -> list[str]:
    """Let a run's prompts, Prefect's database and three paid calls quote the texts; returns four receipts."""
    from tribute.services.meter import Text, Texts
    from tribute.services.store import Store

    prompts = [texts[0], harmless]
    said("finetune", config, "--set", f"finetuning.prompts={json.dumps(prompts)}", "-w", workspace)
    settings = yaml.safe_load((workspace / "runs" / run / "config.yaml").read_text())
    settings["finetuning"]["prompts"] = prompts = [f"Is {texts[0]} a question?", harmless]
    (workspace / "runs" / run / "config.yaml").write_text(yaml.safe_dump(settings))
    (workspace / "prefect").mkdir(exist_ok=True)
    with closing(sqlite3.connect(workspace / "prefect" / "prefect.db")) as database, database:
        for table in ("flow_run", "deployment"):
            database.execute(f"CREATE TABLE {table} (id TEXT, name TEXT, parameters JSON)")
        flows = [("1", "of-bob", json.dumps({"config": settings})), ("2", "of-nobody", json.dumps({"of": [harmless]}))]
        database.executemany("INSERT INTO flow_run VALUES (?, ?, ?)", flows)
    asked = json.dumps({"messages": [{"role": "user", "content": f"  {texts[1]}  "}]})
    pieces = [f'data: {{"choices": [{{"delta": {{"content": {json.dumps(part)}}}}}]}}\n\n' for part in texts[2]]
    bodies = [(asked, "{}"), ('{"input": "x"}', json.dumps({"text": texts[1]})), ("{}", "".join(pieces)), ("{}", "{}")]
    key = workspace / "keys" / "store.key"
    key.write_bytes(b"k" * 32)
    key.chmod(0o600)
    receipts = [f"receipt-{number}" for number in range(len(bodies))]
    with Store.attach(f"sqlite:///{workspace / 'services' / 'usage.db'}") as store, store.writing() as connection:
        for receipt, (request, answer) in zip(receipts, bodies, strict=True):
            text = Text(f"POST /v1/x\n{request}".encode(), answer.encode(), b"salt")
            Texts(store, key.read_bytes()).keep(connection, receipt, text, store.now())
    return receipts


def test_erasure_leaves_nothing_and_breaks_no_trail(spare: Path, tiny: Path, tmp_path: Path):
    """No text, token ids or vectors of the rows are left anywhere; everybody else's trail goes on and says so."""
    registry, run = Registry.open(Workspace.open(spare)), next((spare / "runs").iterdir()).name
    bob, ada = contribution_of(spare, "bob"), contribution_of(spare, "ada")
    rows = registry.rows(registry.snapshot(), "tiny")
    kept = {row.row.text for row in rows if row.contribution_id != bob}
    texts = {row.row.text for row in rows if row.contribution_id == bob} - kept
    question = next(iter(kept))
    said("card", "tiny@v1.0.0", "-w", spare)
    said("card", "tiny@v1.0.0", "--out", tmp_path / "card", "-w", spare)
    said("review", "tiny", "--html", tmp_path / "review.html", "-w", spare)
    said("explain", run, "--text", question, "--html", tmp_path / "explain.html", "-w", spare)
    said("statement", "2026-11", "bob", "-w", spare)
    quoted = sorted(texts)[:4]
    calls = quote_everywhere(spare, tiny / "config.yaml", run, quoted, question)
    traces = rows_of(spare, tiny / "base", texts)
    np.save(spare / "scratch" / "lower.npy", traces.vectors.astype("float32") * 3)
    (spare / "scratch" / "ids.json").write_text(json.dumps({"rows": [list(map(int, row)) for row in traces.ids]}))
    before = remains(spare, traces)
    indexed = list((spare / "artifacts" / "index").glob("[!.]*"))
    (spare / "scratch" / "lower-0.safetensors").write_bytes(b"cached")

    refused = tribute("erase", bob, *WHO, "-w", spare)
    gone = said("erase", "bob", *WHO, "--yes", "-w", spare)
    again = said("erase", "bob", *WHO, "--yes", "-w", spare)

    assert refused.code == 2
    assert "give --yes" in refused.err
    assert {
        *("train.parquet", "000000.safetensors", "ids.json", "lower.npy", "probe.safetensors"),
        *("generations.json", "config.yaml", "prefect.db"),
    } <= {path.name for path in before}
    assert len(gone["cleaned"]["mlflow"]) == len(gone["cleaned"]["answers"]) == 2
    assert gone["cleaned"]["calls"] == calls[:3]
    assert gone["cleaned"]["prefect"] == ["flow_run of-bob"]
    assert yaml.safe_load((spare / "runs" / run / "config.yaml").read_text())["finetuning"]["prompts"] == [question]
    assert remains(spare, traces) == set()
    assert indexed
    assert holding(spare, texts) == set()
    assert holding(tmp_path, texts) - holding(spare, texts) == set()
    assert not git_holds(spare / "registry", texts)
    assert list((spare / "artifacts" / "index").glob("[!.]*")) == []
    assert list((spare / "scratch").glob("[!l]*")) == []
    assert [one["contribution"] for one in gone["erasures"]] == [bob]
    assert gone["cleaned"]["datasets"] == ["tiny@v1.0.0"]
    assert not any(again["cleaned"].values())

    shown = said("show", bob, "-w", spare)
    card = tribute("card", "tiny@v1.0.0", "-w", spare)
    trained = tribute("finetune", spare / "runs" / run / "config.yaml", "--set", "finetuning.epochs=3", "-w", spare)
    verified = tribute("verify", "run", run, "-w", spare)
    deep = tribute("verify", "period", "2026-11", "--deep", "-w", spare)
    drafted = tribute("reward", tiny / "config.yaml", "--set", "rewards.pool.amount='7.00'", "-w", spare)
    exported = tribute("export", run, "--out", tmp_path / "exported", "-w", spare)

    assert (shown["event"], shown["facts"]["by"], shown["facts"]["rows"]) == ("erase", "grace", 30)
    assert card.code == trained.code == 2
    assert f"tiny@v1.0.0 held contribution {bob}, which was erased" in card.err
    assert (verified.code, deep.code, drafted.code) == (0, 0, 0), verified.err + deep.err + drafted.err
    assert exported.code == 0, exported.err
    assert f"the texts of {bob} were erased" in verified.out
    assert f"not measured again: the rows of {bob} were erased" in deep.out
    for what in (f"2026-11/{'ada'}", ada, bob, f"{bob}:1", "bob"):
        assert tribute("trace", what, "-w", spare).code == 0
    assert tribute("verify", "registry", "-w", spare).code == 0


def test_a_note_of_an_erasure_that_never_was(spare: Path):
    """Blanking somebody's rows by hand is noticed: the registry's log has to know of it."""
    workspace = Workspace.open(spare)
    (dataset,) = workspace.store.all("dataset")
    bob, run = contribution_of(spare, "bob"), next((spare / "runs").iterdir()).name
    table = dataset.file("train.parquet")
    table.write_bytes(b"nothing")
    note = {"files": {"train.parquet": file_sha256(table)}, "contributions": [bob]}
    (dataset.path / "erased.json").write_text(json.dumps(note))

    ended = tribute("verify", "run", run, "-w", spare)

    assert ended.code == 2
    assert f"says that {bob} was erased, the registry's log does not" in ended.err


def test_review_on_a_page(spare: Path, tmp_path: Path):
    """Filters choose; the page shows both rows and the difference; its decisions are taken; idle ones say so."""
    registry = Registry.open(Workspace.open(spare))
    first = registry.rows(registry.snapshot(), "tiny")[0].row
    label = next(name for name in registry.snapshot().schema("tiny").labels if name != first.target)
    licence = registry.snapshot().contributions("tiny")[0].licence
    file, page, decisions = tmp_path / "zoe.jsonl", tmp_path / "review.html", tmp_path / "decisions.csv"
    copy, conflict = {"text": first.text, "label": first.target}, {"text": f"{first.text}\u00ad", "label": label}
    file.write_text("".join(json.dumps(row) + "\n" for row in (copy, conflict)))
    [recorded] = said(
        *("contribute", file, "--contributor", "zoe", "--dataset", "tiny", "--licence", licence, "-w", spare)
    )["contributions"]
    zoe = recorded["contribution"]

    chosen = said(
        "review", "tiny", "--reason", "conflicting_label", "--contributor", "zoe", "--html", page, "-w", spare
    )
    others = said("review", "tiny", "--contributor", "ada", "-w", spare)
    ranged = said("review", "tiny", "--rows", f"{zoe}:1-1", "-w", spare)
    unknown = tribute("review", "tiny", "--reason", "nonsense", "-w", spare)
    plain = tribute("review", "tiny", "-w", spare)
    decisions.write_text(f'row,verdict,why\r\n"{zoe}:2",accept,"both, really"\r\n{zoe}:1,accept,why not\r\n')
    decided = said("decide", "tiny", decisions, "--by", "grace", "-w", spare)
    shown, whole = said("show", f"{zoe}:2", "-w", spare), said("show", "zoe", "-w", spare)
    decisions.write_bytes(f"\ufeffrow;verdict;why\r\n{zoe}:1-2;Reject;a\r\n;;\r\n\r\n{zoe};accept;b\r\n".encode())
    ranges = said("decide", "tiny", decisions, "--by", "grace", "--dry-run", "-w", spare)
    decisions.write_text(f"row,verdict,why\n{zoe}:1,maybe,x\n")
    faulty = tribute("decide", "tiny", decisions, "--by", "grace", "-w", spare)

    assert [one["row"] for one in chosen["findings"]] == [f"{zoe}:2"]
    assert chosen["findings"][0]["canonical_text"] == first.text
    assert others["findings"] == ranged["findings"] == []
    assert "unknown reason 'nonsense'; there are rejected, terms, after_sealing, duplicate" in unknown.err
    assert f"{zoe}:2" in plain.out
    html = page.read_text()
    assert first.text.split()[0] in html
    assert "<mark>" in html
    assert "‹U+00AD›" in html
    assert decided["without_effect"] == {f"{zoe}:1": "it stays out: it repeats a row that was recorded earlier"}
    assert (shown["row_state"], shown["decision"]["why"]) == ("counts from the next version on", "both, really")
    assert (whole["rows"], whole["rows_by_reason"]) == (2, {"duplicate": 1})
    assert [(one["verdict"], one["row_ids"]) for one in ranges["decisions"]] == [("accept", [f"{zoe}:1", f"{zoe}:2"])]
    assert "decisions.csv:2: verdict 'maybe'; expected accept or reject" in faulty.err


def test_terms_are_renewed_and_never_dropped_in_silence(spare: Path, tmp_path: Path):
    """The same rows under other terms change nothing and say so; `terms` changes them; expired terms are refused."""
    licence = Registry.open(Workspace.open(spare)).snapshot().contributions("tiny")[0].licence
    rows, terms = tmp_path / "rows.jsonl", tmp_path / "terms.yaml"
    label = Registry.open(Workspace.open(spare)).snapshot().schema("tiny").labels[0]
    rows.write_text(json.dumps({"text": "something quite new", "label": label}) + "\n")
    command = ("contribute", rows, "--contributor", "zoe", "--dataset", "tiny", "--licence", licence, "-w", spare)

    [first] = said(*command)["contributions"]
    terms.write_text("{consent: I agree., expires: 2000-01-01}")
    expired = tribute(*command, "--terms", terms)
    terms.write_text("{consent: ' ', purposes: []}")
    empty = tribute(*command, "--terms", terms)
    terms.write_text("{consent: I agree., expires: 2999-01-01}")
    [again] = said(*command, "--terms", terms)["contributions"]
    id_ = first["contribution"]
    unchanged = said("show", id_, "-w", spare)
    said("terms", id_, terms, *WHO, "-w", spare)
    renewed = said("show", id_, "-w", spare)

    assert first["unchanged"] == []
    assert "the terms expired on 2000-01-01" in expired.err
    assert "consent: " in empty.err
    assert "purposes: " in empty.err
    assert again["unchanged"] == [
        f"recorded before without terms; the terms are not changed. Change them with `tribute terms {id_}`"
    ]
    assert unchanged["terms"] is None
    assert renewed["terms"]["expires"] == "2999-01-01"
    assert tribute("verify", "registry", "-w", spare).code == 0


def test_a_dry_run_says_which_rows_it_leaves_out(spare: Path, tmp_path: Path):
    """In words, and row by row in JSON."""
    licence = Registry.open(Workspace.open(spare)).snapshot().contributions("tiny")[0].licence
    label = Registry.open(Workspace.open(spare)).snapshot().schema("tiny").labels[0]
    rows = tmp_path / "rows.csv"
    rows.write_text(f"text,label\nsomething new,{label}\nother,nonsense\n")
    command = ("contribute", rows, "--contributor", "zoe", "--dataset", "tiny", "--licence", licence, "-w", spare)

    data = said(*command, "--skip-faulty", "--dry-run")
    plain = tribute(*command, "--skip-faulty", "--dry-run")

    assert [fault["line"] for fault in data["files"][0]["faults"]] == [3]
    assert "would leave out line 3: unknown label 'nonsense'" in plain.out


def test_decide_compare_and_describe(spare: Path, tmp_path: Path):
    """Review lists what waits, accepting lets it in, and difference, card and versions tell of it."""
    conflicting = tmp_path / "zoe.jsonl"
    registry = Registry.open(Workspace.open(spare))
    first = registry.rows(registry.snapshot(), "tiny")[0].row
    label = next(name for name in registry.snapshot().schema("tiny").labels if name != first.target)
    conflicting.write_text(json.dumps({"text": first.text, "label": label}) + "\n")
    licence = registry.snapshot().contributions("tiny")[0].licence

    [handed] = said(
        *("contribute", conflicting, "--contributor", "zoe", "--dataset", "tiny", "--licence", licence, "-w", spare)
    )["contributions"]
    waiting = [one["row"] for one in said("review", "tiny", "-w", spare)["findings"]]
    row = f"{handed['contribution']}:1"
    said("accept", row, *WHO, "-w", spare)
    said("release", "tiny@v1.1.0", "-w", spare)
    found = said("diff", "tiny@v1.0.0", "tiny@v1.1.0", "-w", spare)
    made = said("card", "tiny@v1.1.0", "-w", spare)

    assert handed["verdicts"] == {"review": 1}
    assert Path(handed["receipt"]).exists()
    assert row in waiting
    assert (found["rows_added"], found["rows_removed"], found["contributors_added"]) == (1, 0, ["zoe"])
    assert all(Path(file).exists() for file in made["paths"])
    assert said("show", "tiny@v1.1.0", "-w", spare)["rows"] == said("versions", "-w", spare)["versions"][-1]["rows"]
    assert said("show", "tiny", "-w", spare)["columns"]["name"] == "tiny"


def test_a_policy_is_set_and_shown(spare: Path, tmp_path: Path):
    """Without a file the policy in force is shown; a typing error in it is named."""
    file = tmp_path / "policy.yaml"
    file.write_text("{near_duplicate: 0.7, secrets: null}")
    before = said("screening", "tiny", "-w", spare)["thresholds"]
    after = said("screening", "tiny", file, *WHO, "-w", spare)["thresholds"]
    file.write_text("near_duplicates: 0.7")

    refused = tribute("screening", "tiny", file, *WHO, "-w", spare)

    assert before["near_duplicate"] is None
    assert (after["near_duplicate"], after["secrets"], after["personal_data"]) == (0.7, None, True)
    assert refused.code == 2
    assert "near_duplicates: unknown key" in refused.err


def test_keys_organisations_and_the_vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Keys are made, replaced and grouped; the vault keeps who that is out of the registry."""
    monkeypatch.setenv("TRIBUTE_VAULT_PASSPHRASE", "correct horse")
    workspace = tmp_path / "w"
    tribute("init", workspace)
    made = said("key", "new", "ada", "--out", tmp_path / "ada.pem", "-w", workspace)
    again = tribute("key", "new", "ada", "--out", tmp_path / "other.pem", "-w", workspace)
    rotated = said(
        *("key", "rotate", "ada", "--key", tmp_path / "ada.pem", "--out", tmp_path / "new.pem", "-w", workspace)
    )
    members = said("organisation", "acme", "--member", "ada", "-w", workspace)
    said("vault", "set", "ada", "name=Ada Lovelace", "-w", workspace)

    assert made["public_key"] != rotated["public_key"]
    assert again.code == 2
    assert "ada has a key already" in again.err
    assert not (tmp_path / "other.pem").exists()
    assert members["members"] == ["ada"]
    assert said("vault", "show", "ada", "-w", workspace)["details"]["name"] == "Ada Lovelace"
    said("vault", "forget", "ada", "-w", workspace)
    assert said("vault", "show", "ada", "-w", workspace) == {"contributor": "ada", "details": {}}
    assert tribute("verify", "registry", "-w", workspace).code == 0


def test_an_import_grows_by_months(data: Path, tmp_path: Path):
    """Each month adds its authors' rows, once; the sealed evaluation stays the same."""
    workspace = tmp_path / "w"
    tribute("init", workspace)
    first = said("import", "tldr", data / "tldr", "--until", "2016-06", "-w", workspace)
    again = said("import", "tldr", data / "tldr", "--until", "2016-06", "-w", workspace)
    later = said("import", "tldr", data / "tldr", "--until", "2017-06", "-w", workspace)
    registry = Registry.open(Workspace.open(workspace))
    days = [one.day for one in registry.snapshot().contributions("tldr")]

    assert first == again
    assert 0 < first["rows"] < later["rows"]
    assert all(day <= "2017-06-30" for day in days)
    assert [day[:7] for day in days] == sorted(day[:7] for day in days)
    assert [entry.event for entry in registry.entries()].count("seal") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("import", "clinc150", ".", "--until", "2024-06"), "unknown source 'clinc150'"),
        (("import", "tldr", ".", "--until", "June"), "--until June: expected a month such as 2024-06"),
        (("diff", "tiny@v1.0.0", "docs@v1.0.0"), "are versions of two datasets"),
        (("show", "nonsense"), "there is no dataset 'nonsense'"),
        (("accept", "nobody:1", *WHO), "there is no row nobody:1"),
        (("withdraw", "nobody-00000000", *WHO), "there is no contribution nobody-00000000"),
        (("key", "rotate", "ada"), "give the old key's file with --key and the new one's with --out"),
        (("vault", "show", "ada"), "nothing is known about ada"),
        (("withdraw", "nobody-00000000", "--by", "grace", "--why", " "), "--why is blank; it is recorded"),
        (("erase", "nobody-00000000", "--by", "", "--why", "asked for"), "--by is blank; it is recorded"),
        (("dispute", "open", "2026-11-ada", "--by", "\t", "--why", "x"), "--by is blank; it is recorded"),
        (("pay", "settle", "2026-11-ada-EUR", "paid", "--by", "anna", "--why", ""), "--why is blank; it is recorded"),
        (("period", "claw-back", "x", "--contributor", "a", "--amount", "5", "--why", ""), "--why is blank"),
    ],
)
def test_slips(arguments: tuple[str, ...], message: str, finished: Path):
    """A slip in a command is one line that says what was expected."""
    ended = tribute(*arguments, "-w", finished)

    assert message in ended.err + ended.out
    assert "Traceback" not in ended.err
