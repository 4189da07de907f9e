"""Every small input that failed once: here the trainings and licences among them, and which test has each case."""

import ast
import json
import shutil
from pathlib import Path

import pytest

from tests.helpers.terminal import Ended, tribute
from tests.helpers.tiny import POLICY, write_base
from tribute.contributions.licences import canonical_licence
from tribute.contributions.schema import load_schema
from tribute.finetuning.encoding.encoding import RowFormat, encode_causal, encode_classification
from tribute.finetuning.models.base_models import load_tokenizer

TESTS = Path(__file__).parent
CASES = TESTS / "cases"
INTAKE = "contributions/intake/test_files_of_people.py"
GUARDS = "finetuning/preparation/test_guards.py"
SURROUNDINGS = "contributions/registry/test_surroundings.py"
TRACKING = "finetuning/tracking/test_tracking.py"
ENVIRONMENT = "test_environment.py"
BANKS = "rewards/payments/test_bank_cases.py"
PAYEES = "contributions/rights/test_payees.py"
TABLE = {
    "01-chat-messages": (INTAKE, "test_cases_that_are_refused"),
    "02-parquet-nested": (INTAKE, "test_cases_that_are_taken"),
    "03-json-array": (INTAKE, "test_cases_that_are_taken"),
    "04-semicolon-csv": (INTAKE, "test_cases_that_are_taken"),
    "06-lfs-pointer": (INTAKE, "test_cases_that_are_refused"),
    "07-int-labels": (INTAKE, "test_numbers_as_labels"),
    "10-yaml-duplicate-key": ("test_strict.py", "test_the_cases"),
    "11-json-duplicate-key": (INTAKE, "test_cases_that_are_refused"),
    "12-invisible-copy": ("contributions/test_normal_form.py", "test_invisible_copies_are_duplicates"),
    "13-flag-emoji": (INTAKE, "test_cases_that_are_taken"),
    "14-parquet-types": (INTAKE, "test_cases_that_are_taken"),
    "20b-two-each": ("test_cases.py", "test_two_rows_a_label_are_trained"),
    "21-max-positions": ("test_cases.py", "test_a_training_that_cannot_work_is_one_line"),
    "22": (GUARDS, "test_a_base_that_cannot_learn_is_refused_in_one_line"),
    "23-vocab-overflow": ("test_cases.py", "test_a_training_that_cannot_work_is_one_line"),
    "24": (GUARDS, "test_conv1d_is_followed"),
    "25": (GUARDS, "test_a_base_that_cannot_learn_is_refused_in_one_line"),
    "26": (GUARDS, "test_dropout_is_off_under_whatever_name"),
    "27": (GUARDS, "test_a_beginning_of_text_stands_before_the_prompt"),
    "28": (ENVIRONMENT, "test_a_launchers_shell_trains_the_same_adapters"),
    "29": (ENVIRONMENT, "test_a_launchers_shell_trains_the_same_adapters"),
    "30": (GUARDS, "test_a_base_that_cannot_learn_is_refused_in_one_line"),
    "31": (GUARDS, "test_weights_in_shards_are_the_same_base"),
    "32-labels-same-tokens": ("test_cases.py", "test_a_training_that_cannot_work_is_one_line"),
    "34": (SURROUNDINGS, "test_nothing_of_a_person_decides_what_is_stored"),
    "35": (SURROUNDINGS, "test_nothing_of_a_person_decides_what_is_stored"),
    "38": (SURROUNDINGS, "test_nothing_of_a_person_decides_what_is_stored"),
    "41": (SURROUNDINGS, "test_variables_of_where_and_who_pass"),
    "42": (TRACKING, "test_an_mlflow_that_cannot_record_is_one_line_before_the_training"),
    "43": (TRACKING, "test_an_mlflow_that_cannot_record_is_one_line_before_the_training"),
    "44": (TRACKING, "test_a_locked_database_is_one_line_before_the_training"),
    "45": (ENVIRONMENT, "test_a_prefect_that_cannot_work_is_one_line_at_once"),
    "46": (ENVIRONMENT, "test_loopback_never_goes_through_a_proxy"),
    "49-pain002-group-only": (BANKS, "test_a_banks_file_means_what_it_says"),
    "50-pain002-part": (BANKS, "test_a_banks_file_means_what_it_says"),
    "51-camt054": (BANKS, "test_a_return_told_by_a_notification"),
    "53-camt-merged": (BANKS, "test_a_banks_file_means_what_it_says"),
    "56-envelope": (BANKS, "test_a_banks_file_means_what_it_says"),
    "57-foreign-currency": (BANKS, "test_a_banks_file_means_what_it_says"),
    "58": (PAYEES, "test_what_no_bank_takes_is_refused"),
    "59": ("test_iban.py", "test_what_is_wrong_is_said_and_no_digit_of_it"),
    "60-batch": (BANKS, "test_a_banks_file_means_what_it_says"),
    "63-croissant": ("test_cases.py", "test_a_licence_is_named_as_it_is"),
    "65": (BANKS, "test_a_rejection_after_the_booking"),
    "66-special-tokens": ("test_cases.py", "test_special_tokens_in_rows_are_text"),
}
"""Case → the test that has its right value; a case with files has them in `tests/cases`."""


def released(folder: Path, case: str) -> Path:
    """A workspace beside base, policy and config, in which a case's rows are version v1.0.0."""
    shutil.copytree(CASES / case, folder, dirs_exist_ok=True)
    write_base(folder / "base")
    (folder / "policy.yaml").write_text(POLICY)
    name = load_schema(folder / "schema.yaml").name
    terms = ("--contributor=ada", f"--dataset={name}", "--licence=MIT", "-w", folder / "w")
    for arguments in (
        ("init", folder / "w"),
        ("contribute", folder / "rows.jsonl", "--schema", folder / "schema.yaml", *terms),
        ("contribute", folder / "evaluation.jsonl", "--evaluation", *terms),
        ("release", f"{name}@v1.0.0", "-w", folder / "w"),
    ):
        ended = tribute(*arguments)
        assert ended.code == 0, ended.err
    return folder


def finetune(folder: Path, *more: str) -> Ended:
    return tribute("finetune", folder / "config.yaml", "-w", folder / "w", *more)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("21-max-positions", "finetuning.max_tokens: 64, the base has 32 positions; lower it to 32 or less"),
        ("23-vocab-overflow", "the tokenizer's pad_token has id"),
        ("32-labels-same-tokens", "the base cannot tell the labels '👍' and '👎' apart"),
    ],
)
def test_a_training_that_cannot_work_is_one_line(case: str, message: str, tmp_path: Path):
    """The dry run says it, and so does the training before it begins; nothing was trained."""
    world = released(tmp_path, case)
    if case.startswith("23"):
        tokenizer = load_tokenizer(world / "base")
        tokenizer.add_special_tokens({"pad_token": "<pad>"})
        tokenizer.save_pretrained(world / "base")

    for ended in (finetune(world, "--dry-run"), finetune(world)):
        assert ended.code != 0
        assert message in ended.err.replace("\n", " ")
        assert "Traceback" not in ended.err
    assert not list((world / "w" / "artifacts").glob("adapter/*"))


def test_two_rows_a_label_are_trained(tmp_path: Path):
    """The linear probe has two folds instead of three, and the training ends."""
    world = released(tmp_path, "20b-two-each")

    ended = finetune(world)

    assert ended.code == 0, ended.err
    [measured] = (world / "w" / "artifacts").glob("baselines/*/baselines.json")
    assert json.loads(measured.read_text())["linear_probe"]["folds"] == 2


def test_special_tokens_in_rows_are_text(tmp_path: Path):
    """The ids of control tokens stand where the tokenizer sets them, and nowhere inside a row of the case."""
    import pandas as pd

    tokenizer = load_tokenizer(write_base(tmp_path))
    tokenizer.eos_token = "[SEP]"
    rows = [json.loads((CASES / "66-special-tokens" / name).read_text()) for name in ("class.jsonl", "rows.jsonl")]
    about = {"row_id": ["a:1"], "slice": ["all"]}
    label = encode_classification(
        pd.DataFrame(about | {"text": [rows[0]["text"]], "target": ["plotting"]}), tokenizer, ["plotting"], 64
    )
    response = encode_causal(
        pd.DataFrame(about | {"text": [rows[1]["prompt"]], "target": [rows[1]["response"]]}), tokenizer, RowFormat(64)
    )

    control = {tokenizer.pad_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id}
    assert [position for position, id_ in enumerate(label.tokens[0]) if id_ in control] == [0, len(label.tokens[0]) - 1]
    assert control & set(response.tokens[0][1:-1]) == set()


def test_a_licence_is_named_as_it_is(tmp_path: Path):
    """A LicenseRef gets no page that does not exist; an old GNU name is the present one; the page stays valid JSON."""
    folder, name = CASES / "63-croissant", "gpl"
    terms = (f"--dataset={name}", "-w", tmp_path / "w")
    schema = tmp_path / "schema.yaml"
    shutil.copyfile(folder / "gpl.yaml", schema)
    schema.write_text(schema.read_text().replace("Apache-2.0]", "LicenseRef-Ours]"))
    sealed = CASES / "00-common" / "evaluation.jsonl"
    more = tmp_path / "more.jsonl"
    more.write_text('{"text": "another cycle here", "label": "graphs"}\n')
    for arguments in (
        ("init", tmp_path / "w"),
        ("contribute", folder / "rows.jsonl", "--contributor=ada", "--licence=GPL-2.0+", "--schema", schema, *terms),
        ("contribute", more, "--contributor=bob", "--licence=LicenseRef-Ours", *terms),
        ("contribute", sealed, "--evaluation", "--contributor=ada", "--licence=GPL-2.0-or-later", *terms),
        ("release", f"{name}@v1.0.0", "-w", tmp_path / "w"),
        ("card", f"{name}@v1.0.0", "--out", tmp_path / "card", "-w", tmp_path / "w"),
    ):
        ended = tribute(*arguments)
        assert ended.code == 0, ended.err

    [croissant] = (tmp_path / "card").rglob("croissant.json")
    licences = json.loads(croissant.read_text())["license"]
    assert canonical_licence("GPL-2.0+") == "GPL-2.0-or-later"
    assert sorted(licences) == ["LicenseRef-Ours", "https://spdx.org/licenses/GPL-2.0-or-later.html"]


def test_every_case_has_its_test():
    """The table names a test that exists, and every folder of cases; its test reads the folder's files."""
    folders = {path.name for path in CASES.iterdir() if path.is_dir()} - {"00-common"}

    assert folders == {case for case in TABLE if "-" in case}
    for case, (file, test) in TABLE.items():
        source = (TESTS / file).read_text(encoding="utf-8")
        assert test in {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
        assert case not in folders or case in source, f"{file} does not read the files of {case}"
