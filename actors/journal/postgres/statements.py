"""The SQL of ``actors/journal/postgres/sql``, by file name."""

from functools import cache
from importlib.resources import files

_FOLDER = files("actors.journal.postgres") / "sql"


@cache
def sql(name: str) -> str:
    """The text of ``<name>.sql``."""
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def migrations() -> list[tuple[int, str, str]]:
    """(number, file name, SQL) of every migration, in order."""
    found = [file for file in _FOLDER.iterdir() if file.name[:4].isdigit()]
    return sorted((int(file.name[:4]), file.name, file.read_text(encoding="utf-8")) for file in found)
