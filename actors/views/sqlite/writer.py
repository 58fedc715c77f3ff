"""Folding and changing generations on one connection, on one thread, in turn with other processes."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import msgspec

from actors.journal.port import JournalError
from actors.journal.sqlite.checkpointer import Checkpointer, finish
from actors.journal.sqlite.thread import Job
from actors.journal.sqlite.turn import Turn
from actors.views.batch import Batch
from actors.views.port import Done, Generation, NoSuchView, Shape, ViewsError, ViewsUnavailable, Work
from actors.views.sqlite.catalog import Catalog, Catalogs
from actors.views.sqlite.connection import Transaction, open_writer, sql
from actors.views.sqlite.documents import Documents
from actors.views.sqlite.failures import failure
from actors.views.sqlite.generations import begin_generation, drop_generation, may_switch
from actors.views.sqlite.tables import drop_piece

_log = logging.getLogger(__name__)

_AGAIN_SECONDS = 60.0
_RESTART_PAGES = 16_000
"""At full load the log's beginning anew holds up the folding for some 40 ms: seldom, at some 64 MB."""


class ProjectJob(Job):
    """Works that the writer folds together with those of other calls."""

    __slots__ = ("works",)

    def __init__(self, works: Sequence[Work]) -> None:
        super().__init__(_done_together)
        self.works = works


def _done_together() -> None:
    raise AssertionError("works are folded by the writer")


class Writer:
    """Made on any thread, then used on its own. Every method may raise ``ViewsError``."""

    def __init__(self, path: Path, lock_seconds: float) -> None:
        try:
            self._turn = Turn(path)
        except JournalError as error:
            raise ViewsUnavailable(f"cannot open the views {path}: {error}") from error
        try:
            self._connection = open_writer(path, lock_seconds, self._turn)
            try:
                self._checkpointer = Checkpointer(path, f"{path.stem} checkpointer", _RESTART_PAGES)
            except BaseException:
                self._connection.close()
                raise
        except BaseException as error:
            self._turn.close()
            if isinstance(error, JournalError):
                raise ViewsUnavailable(str(error)) from error
            raise
        self._catalogs = Catalogs(self._connection)
        self._leftovers = True
        """There may be dropped generations, this process's or a dead one's."""

    def close(self) -> None:
        """Let go of the file."""
        self._checkpointer.close()
        self._connection.close()
        self._turn.close()

    # On the thread ---------------------------------------------------------------------------------------

    def work(self, jobs: list[Job]) -> None:
        """Do these in their order; works that are neighbours are folded together."""
        together: list[ProjectJob] = []
        for job in jobs:
            if isinstance(job, ProjectJob):
                together.append(job)
                continue
            self._project(together)
            together = []
            if not job.withdrawn:
                job.do()
        self._project(together)

    def rest(self) -> float | None:
        """While nobody waits, let the log begin anew, and take away what was dropped, piece by piece."""
        try:
            if self._checkpointer.wanted:
                with self._turn:
                    finish(self._connection)
                self._checkpointer.wanted = False
            if not self._leftovers:
                return None
            with self._transaction() as catalog:
                self._leftovers = bool(catalog.dropping)
                if not catalog.dropping:
                    return None
                drop_piece(self._connection, catalog.dropping[0])
                self._catalogs.forget()
        except (ViewsError, JournalError) as error:
            _log.warning("a dropped view's documents cannot be taken away: %s", error)
            return _AGAIN_SECONDS
        return 0.0

    def _project(self, jobs: list[ProjectJob]) -> None:
        waiting = [job for job in jobs if not job.withdrawn]
        if not waiting:
            return
        begun: list[ProjectJob] = []

        def begin() -> list[Work]:
            for job in waiting:
                try:
                    job.begin()
                except JournalError as error:
                    job.error = error
                else:
                    begun.append(job)
            return [work for job in begun for work in job.works]

        try:
            done = iter(self.project(begin))
        except Exception as error:  # noqa: BLE001 - every error belongs to those who wait for these jobs
            for job in waiting:
                job.error = error
            return
        for job in begun:
            job.result = [next(done) for _ in job.works]

    @contextmanager
    def _transaction(self, begin: Callable[[], None] = lambda: None) -> Iterator[Catalog]:
        """An immediate transaction in this process's turn; ``begin`` is called when it has come."""
        try:
            with self._turn:
                begin()
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                with Transaction(self._connection):
                    yield self._catalogs.now()
            self._checkpointer.written()
        except BaseException as error:
            self._catalogs.forget()
            if isinstance(error, apsw.Error):
                raise failure(error) from error
            if isinstance(error, JournalError):
                raise ViewsUnavailable(str(error)) from error
            raise

    # Folding ---------------------------------------------------------------------------------------------

    def project(self, begin: Callable[[], list[Work]]) -> list[Done]:
        """See ``port.ViewStore.project``; ``begin`` says what there is to fold."""
        works: list[Work] = []
        with self._transaction(lambda: works.extend(begin())) as catalog:
            positions: dict[tuple[int, int], int] = {}
            for work in works:
                seq = catalog.seq(work.generation, work.shard)
                if seq is not None:
                    positions[work.generation, work.shard] = seq
            batch = Batch(works, positions)
            opened: dict[int, Documents] = {}
            stored: dict[int, dict[str, bytes]] = {}
            for number, keys in batch.wanted().items():
                opened[number] = Documents(self._connection, number, catalog.generations[number].shape)
                stored[number] = opened[number].load(keys)
            batch.fold(stored)
            for number, changes in batch.changes.items():
                if changes:
                    opened[number].save(changes.values())
            moves = [(m.generation, m.shard, m.after, int(m.complete)) for m in batch.moves]
            if moves:
                self._connection.execute(sql("move"), (msgspec.json.encode(moves).decode(),))
        for generation, shard, seq, complete in moves:
            catalog.moved(generation, shard, seq, complete == 1)
        return batch.done

    # Generations -----------------------------------------------------------------------------------------

    def prepare(self, shapes: Sequence[Shape]) -> None:
        """See ``port.ViewStore.prepare``."""
        with self._transaction() as catalog:
            known = [generation.shape for generation in catalog.generations.values()]
            for shape in shapes:
                if shape not in known:
                    begin_generation(self._connection, catalog, shape)
        self._changed()

    def rebuild(self, shape: Shape) -> Generation:
        """See ``port.ViewStore.rebuild``."""
        with self._transaction() as catalog:
            number = begin_generation(self._connection, catalog, shape)
            self._catalogs.forget()
            made = self._catalogs.now().generations[number]
        self._changed()
        return made

    def _changed(self) -> None:
        self._catalogs.forget()
        self._leftovers = True

    def switch(self, number: int, shards: int) -> bool:
        """See ``port.ViewStore.switch``."""
        with self._transaction() as catalog:
            following = catalog.generations.get(number)
            if following is None or following.live:
                return following is not None
            if not may_switch(catalog, following, shards):
                return False
            drop_generation(self._connection, catalog.live[following.view].number)
            self._connection.execute("UPDATE generations SET state = 'live' WHERE number = ?", (number,))
        self._changed()
        return True

    def pause(self, view: str, paused: bool) -> None:
        """See ``port.ViewStore.pause``."""
        with self._transaction() as catalog:
            if view not in catalog.live:
                raise NoSuchView(f"there is no view {view!r}")
            self._connection.execute(
                "INSERT INTO views (view, paused) VALUES (?1, ?2) "
                "ON CONFLICT (view) DO UPDATE SET paused = excluded.paused",
                (view, int(paused)),
            )
        self._catalogs.forget()

    def skip(self, number: int, shard: int, seq: int) -> bool:
        """See ``port.ViewStore.skip``."""
        with self._transaction() as catalog:
            place = catalog.seq(number, shard)
            if place is None or place + 1 != seq:
                return False
            moves: list[Any] = [(number, shard, seq, 0)]
            self._connection.execute(sql("move"), (msgspec.json.encode(moves).decode(),))
            self._connection.execute(
                "INSERT INTO skipped VALUES (?, ?, ?, datetime('now'))", (number, shard, seq)
            )
        self._catalogs.forget()
        return True
