"""What the commands of ``butai`` share: options, how they read the settings, how they fail."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from actors.settings import Settings

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", metavar="FILE", help="The cluster.yaml to use; else ./cluster.yaml, else defaults."
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="KEY=VALUE",
        help="Override one key, such as gateway.bind=127.0.0.1:9000; may be repeated. "
        "BUTAI_GATEWAY__BIND does the same from the environment.",
    ),
]
Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The data folder; else that of cluster.yaml.")
]


class Failed(Exception):
    """A command failed; each line is shown on stderr."""

    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)
        self.lines = lines


def read_settings(
    config: Path | None, sets: list[str] | None, data: Path | None = None, quiet: bool = False
) -> "Settings":
    """The settings of file, environment and options; raises Failed with a line per problem."""
    from actors.configuration import ConfigurationError, load

    if config is None:
        here = Path("cluster.yaml")
        config = here if here.exists() else None
        if config is None and not quiet:
            sys.stderr.write("butai: no cluster.yaml in this folder, the defaults are used\n")
    try:
        return load(config, os.environ, [*(sets or []), *([f"data={data}"] if data is not None else [])])
    except ConfigurationError as error:
        raise Failed(*error.problems) from error
