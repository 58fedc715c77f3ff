"""One connection to the server that takes writes, wherever it is."""

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from actors.journal.port import JournalUnavailable
from actors.journal.postgres.failures import FAILURES, ConnectionLost
from actors.journal.postgres.statements import sql

ANSWER_SECONDS = 1.0
"""How much longer than the server's own limit is waited for its answer."""
QUIET_SECONDS = 1.0
"""A connection that was unused for longer is asked for a sign of life before it is used."""
_CLOSE_SECONDS = 1.0


class Session:
    """A connection and its prepared statements."""

    def __init__(self, connection: asyncpg.Connection, seconds: float, generation: int = 0) -> None:
        self.connection = connection
        self.generation = generation
        """Which of the pool's generations it belongs to."""
        self._timeout = seconds + ANSWER_SECONDS
        self._loop = asyncio.get_running_loop()
        self._used = self._loop.time()
        self._statements: dict[str, Any] = {}

    @property
    def usable(self) -> bool:
        """Open, and to a server that takes writes as far as that has told."""
        return not self.connection.is_closed() and self.writable

    @property
    def writable(self) -> bool:
        """False once the server said that it is a standby or read-only. It does so, from PostgreSQL 14 on,
        with the answer to whatever it is asked next."""
        settings = self.connection.get_settings()
        return "on" not in (
            getattr(settings, "in_hot_standby", "off"),
            getattr(settings, "default_transaction_read_only", "off"),
        )

    def rest(self) -> None:
        """It is not used from now on."""
        self._used = self._loop.time()

    async def lives(self) -> bool:
        """Whether it may be used. One that rested for long is asked something harmless: a firewall, or a
        server that closed it while this process slept, would leave the fate of an append in doubt that never
        left this host."""
        if self._loop.time() - self._used <= QUIET_SECONDS:
            # What the server told was looked at with its last answer; looking again costs a small append 5 %.
            return not self.connection.is_closed()
        try:
            await self.connection.execute("SELECT", timeout=ANSWER_SECONDS)
        except FAILURES:
            return False
        return self.usable

    async def prepare(self, name: str) -> None:
        """Make ``<name>.sql`` ready, so that ``fetch`` is one round trip."""
        if name not in self._statements:
            self._statements[name] = await self.connection.prepare(sql(name), timeout=self._timeout)

    async def fetch(self, name: str, *arguments: Any) -> list[Any]:
        """The records of ``<name>.sql``. Raises what asyncpg raises."""
        await self.prepare(name)
        records: list[Any] = await self._statements[name].fetch(*arguments, timeout=self._timeout)
        return records

    async def read(self, name: str, *arguments: Any) -> list[Any]:
        """Like ``fetch``, but never from a server that has been demoted: it may lag behind."""
        records = await self.fetch(name, *arguments)
        if not self.writable:
            raise ConnectionLost("the server has become read-only")
        return records

    def drop(self) -> None:
        """Cut the connection, whatever goes on there."""
        self.connection.terminate()

    async def close(self) -> None:
        """Say goodbye."""
        try:
            await self.connection.close(timeout=_CLOSE_SECONDS)
        except FAILURES:
            self.connection.terminate()


_NO_URL = (
    "the journal's URL makes no sense: it is postgresql://user@host/database, and what is special in a URL "
    "is %-encoded in a password"
)


def each_host(url: str) -> list[str]:
    """One URL per host of ``postgresql://user@host1:5432,host2:5432/database``."""
    parts = urlsplit(url)
    login, at, hosts = parts.netloc.rpartition("@")
    return [urlunsplit(parts._replace(netloc=f"{login}{at}{host}")) for host in hosts.split(",")]


def _settings(context: str, seconds: float) -> dict[str, str]:
    quoted = context.replace('"', '""')
    return {
        "application_name": f"butai {context}",
        "search_path": f'"{quoted}"',
        # What an acknowledgement means; the server may not be set to less.
        "synchronous_commit": "on",
        "default_transaction_isolation": "read committed",
        "statement_timeout": str(max(1, int(seconds * 1000))),
        # Everything is found by its key: a plan is made once and never depends on statistics, which are
        # missing just when a journal is new.
        "plan_cache_mode": "force_generic_plan",
        "enable_seqscan": "off",
        "jit": "off",
    }


_NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


async def connect(
    url: str, context: str, seconds: float, settings: Mapping[str, str] = _NO_SETTINGS
) -> Session:
    """Connect to the host that takes writes, within ``seconds``; ``settings`` replace those of a journal.

    All hosts are asked at once, so that one which is dead without a word does not eat up the time of the
    others. Raises ``JournalUnavailable``."""
    try:
        urls = each_host(url)
    except ValueError:
        # What it says may quote the password, and so may its cause.
        raise JournalUnavailable(_NO_URL) from None
    server_settings = {**_settings(context, seconds), **settings}
    tasks = [asyncio.ensure_future(_connect_to(one, server_settings, seconds)) for one in urls]
    chosen = None
    try:
        chosen = await _first(tasks)
    finally:
        for task in tasks:
            task.cancel()
        for made in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(made, Session) and made is not chosen:
                made.drop()
    return chosen


async def _connect_to(url: str, settings: dict[str, str], seconds: float) -> Session:
    connection = await asyncpg.connect(
        url,
        timeout=seconds,
        command_timeout=seconds + ANSWER_SECONDS,
        target_session_attrs="read-write",
        server_settings=settings,
    )
    return Session(connection, seconds)


async def _first(tasks: Sequence["asyncio.Task[Session]"]) -> Session:
    reasons = []
    for next_done in asyncio.as_completed(tasks):
        try:
            return await next_done
        except (*FAILURES, ValueError) as error:
            reasons.append(_reason(error))
    raise JournalUnavailable(f"no PostgreSQL server that takes writes can be reached: {'; '.join(reasons)}")


def _reason(error: Exception) -> str:
    """Without the password: what cannot be parsed as a port or an option may be a part of it."""
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, ValueError | asyncpg.ClientConfigurationError):
        return _NO_URL
    return str(error)
