"""``actors``, ``gateway`` and ``contexts`` are names that anyone might use: they must be ours."""

import importlib
import importlib.metadata
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


def installed() -> set[Path]:
    """The files that the installed distribution brought, outside the repository."""
    files = importlib.metadata.files("butai") or []
    return {Path(str(file.locate())).resolve() for file in files}


@pytest.mark.parametrize("name", ["actors", "gateway", "contexts"])
def test_a_top_level_package_lies_in_the_repository_or_in_its_own_distribution(name: str) -> None:
    file = importlib.import_module(name).__file__
    assert file is not None
    path = Path(file).resolve()
    assert path == REPOSITORY / name / "__init__.py" or path in installed()


def test_the_command_is_the_distributions_own() -> None:
    (command,) = importlib.metadata.entry_points(group="console_scripts", name="butai")
    assert command.dist is not None
    assert command.dist.name == "butai"
    assert command.value == "gateway.command_line:main"
