"""An operator beside a demo: one line for the shell, with nothing secret in it; and the page that lists what a shell may say."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from services import locks
from services.demo.beside import write_env
from services.keeper import PASSPHRASE
from services.settings import TAKES, Settings
from shared.kit.errors import RefnetError

ROOT = Path(__file__).parents[2]


def test_the_line_that_the_demo_prints_makes_a_shell_speak_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "a folder" / "demo"
    monkeypatch.chdir(tmp_path)
    given = {
        "REFNET_HOME": str(home), "REFNET_NETWORK": str(home / "network.yaml"), "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "REFNET_KAFKA_PASSWORD": "hunter2", "PATH": "/nowhere",
    }  # fmt: skip
    line = write_env(home, given)
    assert "hunter2" not in line + (home / "env").read_text()
    shell = {"PATH": os.environ["PATH"], "REFNET_DATABASE_URL": "postgresql://another", "REFNET_KAFKA_PASSWORD": "hunter2"}
    done = subprocess.run(["sh", "-c", f"{line} && env"], env=shell, capture_output=True, text=True, check=True)
    said = dict(one.split("=", 1) for one in done.stdout.splitlines() if one.startswith(("REFNET_", "KAFKA_")))
    assert said == {name: given[name] for name in given if name != "PATH"}  # the operator's password as the shell had it


def test_who_has_no_network_file_beside_a_demo_is_told_of_it(tmp_path: Path) -> None:
    settings = Settings.model_validate({"REFNET_HOME": str(tmp_path)})
    with pytest.raises(RefnetError, match=r"name the network file\.$"):
        settings.network()
    write_env(tmp_path / "demo", {})
    with pytest.raises(RefnetError, match=rf"`\. {re.escape(str(tmp_path / 'demo' / 'env'))}`"):
        settings.network()


def test_the_operators_page_lists_every_variable_and_no_other() -> None:
    page = (ROOT / "docs" / "operating.md").read_text()
    table = page.partition("## Reaching an installation")[2].partition("\n## ")[0]
    listed = {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`([A-Z_]+)`", row)}
    fields = {str(field.validation_alias) for field in Settings.model_fields.values()}
    assert listed == fields | {PASSPHRASE, locks.PASSPHRASE}
    assert fields == TAKES.keys()
