import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest

from actors.fabric.connection import Connection
from actors.fabric.members import Member
from actors.fabric.membership import Membership, death_notice
from actors.fabric.server import EmbeddedServer
from actors.lease import Lease
from actors.placement import Candidate
from tests.actors.fabric.conftest import Connect
from tests.actors.fabric.test_members import WORKER
from tests.actors.fabric.waiting import until

SILENCE, PERIOD = 0.6, 0.1


class Peer:
    """A worker's membership, and what it was told."""

    def __init__(self, connection: Connection, member: Member) -> None:
        self.connection = connection
        self.lease = Lease(float("-inf"))
        self.clock = asyncio.get_running_loop().time
        self.checks = 0
        self.check_error: Exception | None = None
        self.gone: list[str] = []
        self.membership = Membership(
            connection, "venue", member, self.lease, self.check, self.clock, silence=SILENCE, period=PERIOD
        )
        self.membership.on_gone.append(self.gone.append)

    async def check(self) -> None:
        self.checks += 1
        if self.check_error is not None:
            raise self.check_error

    def sees(self, *ids: str) -> bool:
        return set(self.membership.members) == set(ids)

    def stall(self) -> None:
        """Send no more heartbeats, as a process that hangs."""
        assert self.membership.task is not None
        self.membership.task.cancel()


Join = Callable[[str], Awaitable[Peer]]


@pytest.fixture
async def join(connecting: Connect) -> AsyncIterator[Join]:
    peers: list[Peer] = []

    async def make(id: str) -> Peer:
        peer = Peer(await connecting(id), msgspec.structs.replace(WORKER, id=id))
        await peer.membership.open()
        peers.append(peer)
        return peer

    yield make
    for peer in peers:
        await peer.membership.close()


async def test_a_newcomer_knows_at_once_who_is_there_and_is_seen(join: Join) -> None:
    first = await join("w1")
    assert first.sees("w1")
    assert first.lease.holds(first.clock())
    second = await join("w2")
    assert second.sees("w1", "w2")
    await until(lambda: first.sees("w1", "w2"))
    assert first.membership.candidates("booking") == [Candidate("w1"), Candidate("w2")]
    assert first.membership.candidates("venue") == []


async def test_confirmed_heartbeats_extend_the_lease_and_need_no_check(join: Join) -> None:
    peer = await join("w1")
    until_then = peer.lease.until
    assert peer.membership.confirmed is not None
    assert until_then == pytest.approx(peer.membership.confirmed + SILENCE)
    await until(lambda: peer.lease.until > until_then)
    # The one check is that of the beginning: a new lease had not been held before.
    assert peer.checks == 1


async def test_only_active_workers_are_candidates(join: Join) -> None:
    first, second = await join("w1"), await join("w2")
    second.membership.become("leaving")
    await until(lambda: first.membership.candidates("booking") == [Candidate("w1")])
    assert first.sees("w1", "w2")
    second.membership.describe(
        msgspec.structs.replace(second.membership.me, state="active", roles=("gateway",))
    )
    await until(lambda: first.membership.members["w2"].roles == ("gateway",))
    assert first.membership.candidates("booking") == [Candidate("w1")]


async def test_who_leaves_is_gone_at_once(join: Join) -> None:
    first, second = await join("w1"), await join("w2")
    await until(lambda: first.sees("w1", "w2"))
    await second.membership.close()
    await until(lambda: first.gone == ["w2"], SILENCE / 2)
    assert first.membership.is_dead("w2")
    assert not second.lease.holds(second.clock())


async def test_a_node_tells_of_the_death_of_its_worker(join: Join) -> None:
    first, second = await join("w1"), await join("w2")
    await until(lambda: first.sees("w1", "w2"))
    second.stall()
    second.connection.publish(*death_notice("venue", ["w2", "unheard-of", "w1"]))
    await until(lambda: first.gone == ["w2"], SILENCE / 2)
    # It knows better about itself.
    assert first.sees("w1")


async def test_a_silent_member_is_gone_after_its_lease_and_not_said_to_be_dead(join: Join) -> None:
    first, second = await join("w1"), await join("w2")
    await until(lambda: first.sees("w1", "w2"))
    second.stall()
    await until(lambda: first.gone == ["w2"])
    heard = first.membership.last_heard("w2")
    assert heard is not None
    assert first.clock() >= heard + SILENCE
    assert not first.membership.is_dead("w2")
    assert not second.lease.holds(first.clock())


async def test_a_worker_whose_lease_ended_checks_its_epochs_before_it_decides_again(join: Join) -> None:
    peer = await join("w1")
    peer.check_error = RuntimeError("the journal is away")
    peer.lease.until = float("-inf")
    await until(lambda: peer.checks >= 3)
    assert not peer.lease.holds(peer.clock())
    assert "epochs could not be checked" in peer.membership.trouble
    peer.check_error = None
    await until(lambda: peer.lease.holds(peer.clock()))


async def test_a_server_that_comes_back_empty_makes_nobody_dead(join: Join, server: EmbeddedServer) -> None:
    first, second = await join("w1"), await join("w2")
    await until(lambda: first.sees("w1", "w2") and second.sees("w1", "w2"))
    restarts = server.restarts
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    await until(lambda: server.restarts > restarts)
    renewed = first.clock()
    await until(lambda: (first.membership.confirmed or 0.0) > renewed)
    await until(lambda: (second.membership.confirmed or 0.0) > renewed)
    for peer in (first, second):
        assert peer.sees("w1", "w2")
        assert peer.gone == []
    third = await join("w3")
    assert third.sees("w1", "w2", "w3")


async def test_a_bucket_that_is_deleted_is_made_anew(join: Join) -> None:
    peer = await join("w1")
    await peer.connection.client.jetstream().delete_stream("KV_butai-venue-members")
    await until(lambda: peer.membership.trouble)
    await until(lambda: not peer.membership.trouble)
    assert peer.sees("w1")


async def test_a_strangers_heartbeats_are_counted_and_change_nothing(join: Join) -> None:
    peer = await join("w1")
    for data in (b"", b"\xdd\xff\xff\xff\xff", b"\x91" * 60_000):
        peer.connection.publish("$KV.butai-venue-members.w9", data)
        peer.connection.publish("butai.venue.deaths", data)
    await until(lambda: peer.membership.unreadable == 6)
    assert peer.sees("w1")


async def test_without_a_server_nobody_becomes_a_member(connecting: Connect, server: EmbeddedServer) -> None:
    peer = Peer(await connecting("w1"), WORKER)
    await server.stop()
    with pytest.raises((OSError, TimeoutError)):
        await peer.membership.open(deadline=0.3)
    await peer.membership.close()
    assert not peer.lease.holds(peer.clock())
