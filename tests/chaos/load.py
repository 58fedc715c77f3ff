"""Fifty clients that want the same rooms: conflicts on purpose, hot spaces, every kind of request."""

import asyncio
import random
from collections import deque
from datetime import UTC, datetime, timedelta

import msgspec

from contexts.booking.commands import Cancel, Confirm, Hold, Open, Reschedule, Reserve
from contexts.vocabulary import Command
from tests.chaos.clients import Client
from tests.chaos.gateways import Gateways
from tests.chaos.history import History, Operation

OPENING = Open(16, "Asia/Tokyo", "00:00", "24:00")
MONDAY = datetime(2027, 1, 18, tzinfo=UTC)
HOURS = 96
"""Hours of a space that are fought over; few enough that most reservations meet another."""
KEPT = 40
"""Reservations per space that clients still know of."""

REPEATED = 50
"""The latest commands of a client, any of which it may send again."""


class Plan(msgspec.Struct, frozen=True):
    """How much load there is. Each command counts once, however often it is sent."""

    seed: int
    commands: int
    clients: int = 50
    spaces: int = 60
    hot: int = 4
    """Spaces that get every second command."""
    pause: float = 0.0
    """Seconds between two commands of a client, on average."""


class Load:
    """Runs a plan against the gateways and records it; ``sent`` counts the commands that were begun."""

    def __init__(self, plan: Plan, history: History, gateways: Gateways) -> None:
        self.plan = plan
        self.history = history
        self.sent = 0
        self._gateways = gateways
        self._over = False
        self.spaces = [f"space-{plan.seed}-{number}" for number in range(plan.spaces)]
        self._known: dict[str, list[str]] = {space: [] for space in self.spaces}
        self._versions: dict[str, int] = {}

    async def open(self) -> None:
        """Open every space for booking."""
        rng, waiting = random.Random(self.plan.seed), iter(self.spaces)
        async with self._gateways.session() as session, asyncio.TaskGroup() as group:
            client = Client("opener", self.history, self._gateways, session)

            async def one_after_the_other() -> None:
                for space in waiting:
                    await client.tell(space, OPENING, client.new_key(), rng)

            for _ in range(self.plan.clients):
                group.create_task(one_after_the_other())

    def finish(self) -> None:
        """Begin no more commands."""
        self._over = True

    async def run(self) -> None:
        """Send the planned commands. Raises GaveUp."""
        async with self._gateways.session() as session, asyncio.TaskGroup() as group:
            for number in range(self.plan.clients):
                client = Client(f"client-{number}", self.history, self._gateways, session)
                group.create_task(self._client(client, random.Random(f"{self.plan.seed}/{number}")))

    async def _client(self, client: Client, rng: random.Random) -> None:
        sent: deque[tuple[str, Command, str, int | None]] = deque(maxlen=REPEATED)
        while self.sent < self.plan.commands and not self._over:
            self.sent += 1
            await asyncio.sleep(self.plan.pause * rng.uniform(0.0, 2.0))
            space = rng.choice(self.spaces[: self.plan.hot] if rng.random() < 0.5 else self.spaces)
            dice = rng.random()
            if dice < 0.2:
                await client.read(space, self._some(space, rng) if dice < 0.1 else None, rng)
            command, key = self._command(space, client, rng), client.new_key()
            expected = None
            if rng.random() < 0.1 and space in self._versions:
                expected = max(1, self._versions[space] - rng.choice((0, 0, 1)))
            self._learn(space, await client.tell(space, command, key, rng, expected=expected))
            sent.append((space, command, key, expected))
            if rng.random() < 0.15:
                # A client that lost its memory, or a proxy that sends twice; often with a kill in between.
                space, command, key, expected = rng.choice(sent)
                self._learn(space, await client.tell(space, command, key, rng, expected=expected))

    def _some(self, space: str, rng: random.Random) -> str:
        known = self._known[space]
        return rng.choice(known) if known and rng.random() < 0.95 else f"{space}-nobody"

    def _command(self, space: str, client: Client, rng: random.Random) -> Command:
        start = MONDAY + timedelta(hours=rng.randrange(HOURS))
        end = start + timedelta(hours=rng.choice((1, 1, 1, 2, 3)))
        name = f"{space}-{client.name}-{self.sent}"
        dice = rng.random()
        if dice < 0.42:
            return Reserve(name, name, rng.choice((2, 4, 40)) if dice < 0.03 else 4, start, end)
        if dice < 0.60:
            lasts = timedelta(seconds=rng.choice((-1, 0.3, 1.0, 2.0, 600, 600)))
            return Hold(name, name, 4, start, end, datetime.now(UTC) + lasts)
        if dice < 0.70:
            return Confirm(self._some(space, rng))
        if dice < 0.85:
            return Reschedule(self._some(space, rng), start, end)
        return Cancel(self._some(space, rng))

    def _learn(self, space: str, operation: Operation) -> None:
        answer = operation.answer
        if answer is None or answer.status not in (200, 201):
            return
        if answer.etag is not None:
            self._versions[space] = int(answer.etag.strip('"'))
        if isinstance(operation.request, Reserve | Hold):
            known = self._known[space]
            known.append(operation.request.reservation)
            del known[:-KEPT]
