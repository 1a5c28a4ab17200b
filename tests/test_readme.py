"""The README's Python runs as it stands, and its commands name what exists."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gan_modules.cli import presets

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_python_runs_as_it_stands(number: int, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(blocks("python")[number])
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_list_of_models_is_complete() -> None:
    named = set(re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE))
    assert named == {name for name in presets("gan_modules") if not name.endswith("_paper")}


def test_commands_name_models_data_and_scripts_that_exist() -> None:
    lines = "\n".join(blocks("bash")).replace("\\\n", " ").splitlines()
    commands = [shlex.split(line) for line in lines if "scripts/" in line]
    assert len(commands) >= 10
    for words in commands:
        assert (ROOT / next(word for word in words if word.startswith("scripts/"))).exists()
        for option, package in (("--model", "gan_modules"), ("--data", "datamodules")):
            name = words[words.index(option) + 1] if option in words else "."
            if not {".", "/"} & set(name):  # no class path and no folder
                assert name in presets(package)


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / link).exists(), link
