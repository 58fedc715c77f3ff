"""A server that lets in who holds a credentials file, and nobody else."""

import asyncio
import base64
import hashlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nkeys
import pytest

from actors.fabric.connection import Access, Msg, Unreachable, connect
from actors.fabric.server import binary
from tests.chaos.cluster.process import Process, eventually
from tests.ports import free_port


def key(kind: int) -> Any:
    """A fresh key pair, of an operator, an account or a user."""
    return nkeys.from_seed(nkeys.encode_seed(os.urandom(32), kind))


def public(pair: Any) -> str:
    return str(pair.public_key.decode())


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(subject: Any, issuer: Any, kind: str, **claims: object) -> str:
    """A JWT as NATS' own tools write it (version 2): the issuer's word on the subject."""
    body: dict[str, object] = {
        "sub": public(subject),
        "iss": public(issuer),
        "iat": 1_700_000_000,
        "name": kind,
        "nats": {"type": kind, "version": 2, **claims},
    }
    body["jti"] = base64.b32encode(hashlib.sha256(json.dumps(body).encode()).digest()).decode().rstrip("=")
    head = encoded(json.dumps({"typ": "JWT", "alg": "ed25519-nkey"}).encode())
    signed = f"{head}.{encoded(json.dumps(body).encode())}"
    return f"{signed}.{encoded(issuer.sign(signed.encode()))}"


def credentials(user: Any, word: str) -> str:
    """The file's text."""
    seed = user.seed.decode()
    return (
        f"-----BEGIN NATS USER JWT-----\n{word}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )


class Guarded:
    """Where the server is, and the files of a user it knows and of one it does not."""

    def __init__(self, url: str, known: Path, unknown: Path) -> None:
        self.url = url
        self.known = known
        self.unknown = unknown


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Guarded]:
    operator, stranger = key(nkeys.PREFIX_BYTE_OPERATOR), key(nkeys.PREFIX_BYTE_ACCOUNT)
    account = key(nkeys.PREFIX_BYTE_ACCOUNT)
    unlimited = {"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "conn": -1, "leaf": -1}
    for name, signer in (("known", account), ("unknown", stranger)):
        user = key(nkeys.PREFIX_BYTE_USER)
        word = token(user, signer, "user", pub={}, sub={}, subs=-1, data=-1, payload=-1)
        (tmp_path / name).write_text(credentials(user, word))
    port = free_port()
    word = token(account, operator, "account", limits=unlimited)
    lines = [
        f'listen: "127.0.0.1:{port}"',
        f'operator: "{token(operator, operator, "operator")}"',
        "resolver: MEMORY",
        f'resolver_preload: {{ {public(account)}: "{word}" }}',
    ]
    (tmp_path / "nats.conf").write_text("\n".join(lines) + "\n")
    server = Process([str(binary()), "--config", str(tmp_path / "nats.conf")], tmp_path / "out", tmp_path)
    try:
        assert await eventually(lambda: "Server is ready" in server.log.read_text(), 20.0), server.log
        yield Guarded(f"nats://127.0.0.1:{port}", tmp_path / "known", tmp_path / "unknown")
    finally:
        server.kill()


async def test_who_holds_credentials_is_let_in(guarded: Guarded) -> None:
    connection = await connect(Access(urls=(guarded.url,), credentials=str(guarded.known)), "ada")
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def hear(message: Msg) -> None:
        heard.put_nowait(message.data)

    try:
        await connection.subscribe("rooms", hear)
        connection.publish("rooms", b"open")
        assert await asyncio.wait_for(heard.get(), 10) == b"open"
    finally:
        await connection.close()


async def test_who_holds_none_or_others_is_refused_in_a_line_that_tells_no_secret(guarded: Guarded) -> None:
    for file in (None, str(guarded.unknown)):
        with pytest.raises(Unreachable) as refused:
            await connect(Access(urls=(guarded.url,), credentials=file), "eve", deadline=1.0)
        assert "\n" not in str(refused.value)
        assert "SU" + guarded.unknown.read_text().partition("\nSU")[2][:20] not in str(refused.value)
