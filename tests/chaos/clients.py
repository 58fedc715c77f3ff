"""Clients that book spaces over HTTP: keep-alive, retries with the same key until answered, all recorded."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import aiohttp
import msgspec

from contexts.booking import context
from contexts.vocabulary import ANONYMOUS, Command, CommandRoute
from gateway.idempotency import scoped
from tests.chaos.gateways import Gateways
from tests.chaos.history import Answer, History, Operation, Read

PATIENCE = 30.0
"""Seconds after which a client gives a command up; its fate is the checker's to find."""
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.2
RETRIED = frozenset({503, 504})

ROUTES: dict[type[Command], CommandRoute] = {
    route.command: route for route in context.routes if isinstance(route, CommandRoute)
}


class GaveUp(Exception):
    """No answer but refusals until the client's patience ended."""


class Call:
    """A command as a request: method, path, body, and the identity under which the journal stores it."""

    def __init__(self, space: str, command: Command, key: str) -> None:
        route = ROUTES[type(command)]
        self.space = space
        self.command = command
        self.key = key
        self.method = route.method
        name = getattr(command, "reservation", "")
        in_path = "{reservation}" in route.path
        template = f"/{context.name}{route.path}"
        self.path = template.format(space=space, reservation=name)
        fields = msgspec.to_builtins(command)
        if in_path:
            del fields["reservation"]
        self.body = msgspec.json.encode(fields) if fields else None
        parameters = (space, name) if in_path else (space,)
        self.command_id = scoped(key, ANONYMOUS.subject, route.method, template, parameters)
        created = f"/{context.name}{route.creates}" if route.creates is not None else None
        self.creates = created and created.format(space=space, reservation=name)

    def invoke(self, client: str, history: History, expected: int | None = None, gateway: str = "") -> int:
        """Record that it is about to be sent."""
        return history.invoke(
            client,
            self.space,
            self.command,
            self.path,
            command_id=self.command_id,
            expected=expected,
            creates=self.creates,
            gateway=gateway,
        )


class Client:
    """One client with one connection pool. What a gateway does not answer, it asks of another."""

    def __init__(
        self, name: str, history: History, gateways: Gateways, session: aiohttp.ClientSession
    ) -> None:
        self.name = name
        self.history = history
        self._gateways = gateways
        self._session = session
        self._keys = 0

    def new_key(self) -> str:
        """A key that no other command has."""
        self._keys += 1
        return f"{self.name}-{self._keys}"

    async def tell(
        self,
        space: str,
        command: Command,
        key: str,
        rng: random.Random,
        *,
        expected: int | None = None,
        patience: float = PATIENCE,
    ) -> Operation:
        """Send the command, again and again with the same key until it is answered. Raises GaveUp."""
        call = Call(space, command, key)
        headers = {"Idempotency-Key": key}
        if expected is not None:
            headers["If-Match"] = f'"{expected}"'

        async def once() -> Operation | None:
            url = self._gateways.choose(rng)
            number = call.invoke(self.name, self.history, expected, url)
            return await self._send(number, url, call.method, call.path, headers, call.body)

        return await self._until_answered(once, rng, patience)

    async def read(
        self, space: str, part: str | None, rng: random.Random, *, patience: float = PATIENCE
    ) -> Operation:
        """Ask for a space or one reservation of it until it is answered. Raises GaveUp."""
        path = f"/booking/spaces/{space}" + (f"/reservations/{part}" if part is not None else "")

        async def once() -> Operation | None:
            url = self._gateways.choose(rng)
            number = self.history.invoke(self.name, space, Read(part), path, gateway=url)
            return await self._send(number, url, "GET", path, {}, None)

        return await self._until_answered(once, rng, patience)

    async def _until_answered(
        self, once: Callable[[], Awaitable[Operation | None]], rng: random.Random, patience: float
    ) -> Operation:
        give_up, pause = self.history.now() + patience, FIRST_PAUSE
        while True:
            operation = await once()
            answer = None if operation is None else operation.answer
            if operation is not None and answer is not None and answer.status not in RETRIED:
                return operation
            if self.history.now() >= give_up:
                raise GaveUp(f"{self.name}: nothing but refusals for {patience:g} s")
            await asyncio.sleep(pause * rng.uniform(0.5, 1.5))
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _send(
        self, number: int, url: str, method: str, path: str, headers: dict[str, str], body: bytes | None
    ) -> Operation | None:
        """The answered operation, or None when no answer came."""
        if body is not None:
            headers = {**headers, "Content-Type": "application/json"}
        try:
            async with self._session.request(
                method, url + path, data=body, headers=headers, timeout=self._gateways.timeout
            ) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            self._gateways.unanswered(url)
            return None
        answer = Answer(
            response.status,
            content,
            response.headers.get("ETag"),
            response.headers.get("Location"),
            response.headers.get("Idempotency-Replayed") == "true",
        )
        return self.history.answer(number, answer)
