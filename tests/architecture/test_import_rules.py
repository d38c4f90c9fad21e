"""The import rules hold, and each of them still bites: a planted violation in a copy of the project must be seen."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PLANTED = {
    "Agencies never import each other": ("services/police/planted.py", "import services.health"),
    "shared never imports services": ("shared/casework/planted.py", "import services.police"),
    "The kit imports nothing of ours": ("shared/kit/planted.py", "import shared.contracts"),
    "The published language imports nothing of ours": ("shared/contracts/planted.py", "import shared.kit"),
    "The exchange carries envelopes and never looks into casework": (
        "shared/exchange/planted.py",
        "import shared.contracts.casework",
    ),
    "Programmes are data and rules, and know nobody who uses them": (
        "shared/programmes/planted.py",
        "import shared.casework",
    ),
    "The register of offenders knows no survivor's file": (
        "services/police/offenders/planted.py",
        "import shared.casework.cases.tables",
    ),
    "No survivor's file knows the register of offenders": (
        "services/police/complaints/planted.py",
        "import services.police.offenders",
    ),
    "Domain rules and the published language know no framework": (
        "shared/casework/planted/domain.py",
        "import sqlalchemy",
    ),
    "Commands and handlers know no transport": ("services/health/planted/handlers.py", "import fastapi"),
}


def lint(project: Path) -> subprocess.CompletedProcess[str]:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, '.'); {program}", "--no-cache", "--no-logo"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Only the packages' skeleton, so that a planted violation is the only possible one."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in ("services", "shared"):
        for init in (ROOT / package).rglob("__init__.py"):
            target = tmp_path / init.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text('"""Empty."""\n')
    for rule in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]:
        for module in rule.get("forbidden_modules", ()):  # one that a rule names must be there to be imported
            named = Path(*module.split("."))
            if (ROOT / named).with_suffix(".py").is_file():
                (tmp_path / named).with_suffix(".py").write_text('"""Empty."""\n')
    return tmp_path


def test_the_project_keeps_every_rule() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("rule", PLANTED)
def test_a_planted_violation_is_seen(copy: Path, rule: str) -> None:
    where, line = PLANTED[rule]
    planted = copy / where
    planted.parent.mkdir(parents=True, exist_ok=True)
    (planted.parent / "__init__.py").touch()
    planted.write_text(f"{line}\n")
    done = lint(copy)
    assert done.returncode == 1
    assert f"{rule} BROKEN" in done.stdout
