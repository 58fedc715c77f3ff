"""A folder of SQL: statements by name, and numbered migrations."""

from functools import cache
from importlib.resources import files

from actors.journal.port import Corrupted


class SqlFiles:
    """The files of the folder ``sql`` in ``package``. A migration's name begins with its four digits."""

    def __init__(self, package: str) -> None:
        self._folder = files(package) / "sql"
        self.text = cache(self._read)
        """The text of ``<name>.sql``."""

    def _read(self, name: str) -> str:
        return (self._folder / f"{name}.sql").read_text(encoding="utf-8")

    def migrations_after(self, version: int) -> list[tuple[int, str, str]]:
        """(number, file name, SQL) of every migration above ``version``, in order. Raises ``Corrupted`` when
        the version is of a later program."""
        found = [file for file in self._folder.iterdir() if file.name[:4].isdigit()]
        known = sorted((int(file.name[:4]), file.name, file.read_text(encoding="utf-8")) for file in found)
        if version > known[-1][0]:
            raise Corrupted(
                f"what is stored has schema version {version}, this program knows up to {known[-1][0]}: "
                "use a newer program"
            )
        return [migration for migration in known if migration[0] > version]
