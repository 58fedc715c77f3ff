"""Answering on one connection, on one thread: all questions that wait, from one moment.

A query answers with a single row: what is beside the documents as JSON, and all documents in one. Questions
for one document, by far the most, are answered many by one query."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw
import msgspec

from actors.journal.sqlite.connection import select
from actors.journal.sqlite.thread import Job
from actors.views.asking import check
from actors.views.conditions import Condition
from actors.views.exact import encodable
from actors.views.port import (
    Found,
    Generation,
    NoSuchView,
    Page,
    Place,
    Reading,
    Standing,
    ViewsDamaged,
    Wanted,
)
from actors.views.sqlite import query
from actors.views.sqlite.catalog import Catalog, Catalogs
from actors.views.sqlite.connection import open_reader
from actors.views.sqlite.failures import failure

_single = msgspec.json.Decoder(list[tuple[int, int]])
_page = msgspec.json.Decoder(list[tuple[str, int | None, Any]])


class ReadJob(Job):
    """Pages that the reader finds in one moment with those of other calls."""

    __slots__ = ("pages", "wanted")

    def __init__(self, wanted: Sequence[Wanted]) -> None:
        super().__init__(_done_together)
        self.wanted = wanted
        self.pages: list[Page] = []


def _done_together() -> None:
    raise AssertionError("pages are found by the reader")


class Reader:
    """Made on any thread, then used on its own. Every method may raise ``ViewsError``."""

    def __init__(self, path: Path, lock_seconds: float) -> None:
        self._connection = open_reader(path, lock_seconds)
        self._catalogs = Catalogs(self._connection)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def work(self, jobs: list[Job]) -> None:
        """Answer these, all as of now."""
        try:
            self._connection.execute("BEGIN")
            try:
                catalog = self._catalogs.now()
                self._read(catalog, [job for job in jobs if isinstance(job, ReadJob)])
                for job in jobs:
                    if not isinstance(job, ReadJob):
                        job.do()
            finally:
                self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - every error belongs to those who wait for these jobs
            for job in jobs:
                job.error = job.error or _raised(error)

    # Other questions, each asked within ``work`` ---------------------------------------------------------

    def generations(self) -> list[Generation]:
        """See ``port.ViewStore.generations``."""
        return list(self._catalogs.now().generations.values())

    def places(self) -> dict[int, dict[int, Place]]:
        """See ``port.ViewStore.places``."""
        return {number: dict(places) for number, places in self._catalogs.now().places.items()}

    def standings(self, views: Sequence[str]) -> dict[str, Standing]:
        """See ``port.ViewStore.standings``."""
        catalog = self._catalogs.now()
        found = {view: catalog.standing(view) for view in views}
        return {view: standing for view, standing in found.items() if standing is not None}

    # Pages -----------------------------------------------------------------------------------------------

    def _read(self, catalog: Catalog, jobs: list[ReadJob]) -> None:
        """What is wrong with one question is no fault of its neighbours."""
        together: dict[tuple[int, Condition], list[tuple[ReadJob, str]]] = {}
        for job in jobs:
            try:
                self._ask(catalog, job, together)
            except Exception as error:  # noqa: BLE001 - every error belongs to the one who waits for this job
                job.error = _raised(error)
        for (number, where), asked in together.items():
            live = catalog.generations[number]
            try:
                self._singles(live, where, asked)
            except Exception as error:  # noqa: BLE001 - as above
                for job, _ in asked:
                    job.error = _raised(error)

    def _ask(
        self, catalog: Catalog, job: ReadJob, together: dict[tuple[int, Condition], list[tuple[ReadJob, str]]]
    ) -> None:
        """Find a job's pages, or leave its only one to be found with those of others."""
        standings: dict[str, Standing] = {}
        for wanted in job.wanted:
            live, standing = catalog.live.get(wanted.view), catalog.standing(wanted.view)
            if live is None or standing is None:
                raise NoSuchView(f"no generation of the view {wanted.view!r} answers")
            standings[wanted.view] = standing
            key = _single_key(wanted)
            if key is None or len(job.wanted) > 1:
                job.pages.append(self._page(live, wanted))
                continue
            check(live.shape, wanted)
            together.setdefault((live.number, wanted.where), []).append((job, key))
        job.result = Reading(job.pages, standings)

    def _singles(self, live: Generation, where: Condition, jobs: list[tuple[ReadJob, str]]) -> None:
        keys = [key for _, key in jobs]
        found: list[list[Found]] = [[] for _ in jobs]
        statement = query.singles(live.shape, live.number, where, keys)
        together = (
            "SELECT json_group_array(json_array(n, length(document))), "
            f"CAST(group_concat(document, '') AS BLOB) FROM ({statement.text})"
        )
        [(text, blob)] = select(self._connection, together, tuple(statement.parameters))
        begin = 0
        for n, size in _single.decode(text):
            found[n].append(Found(keys[n], blob[begin : begin + size], None))
            begin += size
        for (job, _), of_one in zip(jobs, found, strict=True):
            job.pages.append(Page(of_one))

    def _page(self, live: Generation, wanted: Wanted) -> Page:
        statement = query.page(live.shape, live.number, wanted)
        found = self._found(live, wanted, statement)
        total: int | None = None
        if wanted.total:
            count = query.total(live.shape, live.number, wanted)
            [(total,)] = select(self._connection, count.text, tuple(count.parameters))
        return Page(found[: wanted.limit], len(found) > wanted.limit, total)

    def _found(self, live: Generation, wanted: Wanted, statement: query.Statement) -> list[Found]:
        parameters = tuple(statement.parameters)
        kinds = {column.name: column.kind for column in live.shape.columns}
        if wanted.sort is not None and kinds[wanted.sort] == "real":
            # A real number may not come through JSON as it is, and the next page begins after it.
            return [Found(*row) for row in select(self._connection, statement.text, parameters)]
        together = (
            "SELECT json_group_array(json_array(key, length(document), value)), "
            f"CAST(group_concat(document, '') AS BLOB) FROM ({statement.text})"
        )
        try:
            [(text, blob)] = select(self._connection, together, parameters)
        except apsw.TooBigError:
            return [Found(*row) for row in select(self._connection, statement.text, parameters)]
        found: list[Found] = []
        begin = 0
        try:
            rows = _page.decode(text)
        except msgspec.MsgspecError as error:
            raise ViewsDamaged(f"stored columns make no sense: {error}") from error
        for key, size, value in rows:
            document = None if size is None else blob[begin : begin + size]
            found.append(Found(key, document, value))
            begin += size or 0
        return found


def _raised(error: Exception) -> Exception:
    return failure(error) if isinstance(error, apsw.Error) else error


def _single_key(wanted: Wanted) -> str | None:
    """The key of a question for one document that may be answered together with others."""
    keys = wanted.keys
    if keys is None or len(keys) != 1 or wanted.limit < 1:
        return None
    if wanted.search or wanted.sort or wanted.after or wanted.total or wanted.tombstones:
        return None
    # What cannot be encoded is nobody's key; in a query with others it would fail them too.
    return keys[0] if encodable(keys[0]) else None
