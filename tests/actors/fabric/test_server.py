import asyncio
import json
import os
import signal
import stat
import sys
from pathlib import Path

import pytest

from actors.fabric import server as module
from actors.fabric.connection import Access, Unreachable, connect
from actors.fabric.server import EmbeddedServer, ServerFailed
from tests.actors.fabric.waiting import until


def holding(secret: bytes, folder: Path) -> list[Path]:
    """The files that hold a secret."""
    return [file for file in folder.rglob("*") if file.is_file() and secret in file.read_bytes()]


def listening(pid: int) -> list[str]:
    """The addresses that a process listens on, as the kernel writes them."""
    sockets = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
    found = []
    for protocol in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{protocol}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                found.append(fields[1])
    return found


async def test_only_who_knows_the_token_gets_in(server: EmbeddedServer) -> None:
    for token in (None, "", "guess"):
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1"):
            await connect(Access(urls=server.urls, token=token), "stranger", deadline=0.3)
    connection = await connect(Access(urls=server.urls, token=server.token), "worker")
    assert connection.connected
    await connection.close()


async def test_the_token_is_in_one_file_of_the_owner_and_nowhere_else(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    connection = await connect(Access(urls=server.urls, token=server.token), "worker")
    await connection.close()
    holders = holding(server.token.encode(), tmp_path)
    assert [file.name for file in holders] == ["nats.conf"]
    assert stat.S_IMODE(holders[0].stat().st_mode) == 0o600
    assert server.pid is not None
    if sys.platform == "linux":
        process = Path(f"/proc/{server.pid}")
        assert server.token.encode() not in (process / "cmdline").read_bytes()
        assert server.token.encode() not in (process / "environ").read_bytes()


async def test_nothing_listens_but_the_one_port_on_loopback(server: EmbeddedServer) -> None:
    if sys.platform != "linux":
        pytest.skip("needs /proc")
    assert server.pid is not None
    assert listening(server.pid) == [f"0100007F:{server.port:04X}"]


async def test_a_server_that_dies_is_back_at_the_same_port_and_clients_find_it(
    server: EmbeddedServer,
) -> None:
    connection = await connect(Access(urls=server.urls, token=server.token), "worker")
    called: list[int] = []
    server.on_restart.append(lambda: called.append(server.port))
    heard: list[bytes] = []

    async def hear(message: object) -> None:
        heard.append(message.data)  # type: ignore[attr-defined]

    await connection.subscribe("greetings", hear)
    port, first = server.port, server.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: called == [port])
    await until(lambda: connection.connected)
    assert server.pid not in (None, first)
    connection.publish("greetings", b"hello again")
    await until(lambda: heard == [b"hello again"])
    await connection.close()


async def test_a_stopped_server_leaves_neither_process_nor_token(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "nats", "venue")
    await server.start()
    pid = server.pid
    assert pid is not None
    await server.stop()
    assert server.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not (tmp_path / "nats" / "nats.conf").exists()


async def test_the_server_dies_with_its_node_however_the_node_dies(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("needs the kernel's parent death signal")
    code = (
        "import asyncio, pathlib, sys\n"
        "from actors.fabric.server import EmbeddedServer\n"
        "async def main():\n"
        "    server = EmbeddedServer(pathlib.Path(sys.argv[1]), 'venue')\n"
        "    await server.start()\n"
        "    print(server.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    node = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, str(tmp_path / "nats")), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert node.stdout is not None
        pid = int(await node.stdout.readline())
        assert _runs(pid)
    finally:
        node.kill()
        await node.wait()
    await until(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    try:
        # A process that nobody has waited for yet is a zombie: it does not run.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_port_that_was_taken_meanwhile_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    free = module._free_port
    ports = [port]
    monkeypatch.setattr(module, "_free_port", lambda: ports.pop() if ports else free())
    server = EmbeddedServer(tmp_path / "nats", "venue")
    await server.start()
    try:
        assert server.port != port
    finally:
        await server.stop()
        taken.close()


async def test_a_folder_that_cannot_be_written_is_told_in_a_line(tmp_path: Path) -> None:
    blocker = tmp_path / "nats"
    blocker.mkdir()
    (blocker / "nats.conf").mkdir()
    with pytest.raises(ServerFailed, match="cannot write") as failed:
        await EmbeddedServer(blocker, "venue").start()
    assert "\n" not in str(failed.value)
    with pytest.raises(ServerFailed, match="cannot use"):
        await EmbeddedServer(Path("/dev/null/nats"), "venue").start()


async def test_odd_paths_are_quoted(tmp_path: Path) -> None:
    folder = tmp_path / 'a "folder" {with} $odd # names; ä'
    server = EmbeddedServer(folder, "venue")
    await server.start()
    await server.stop()
    assert (folder / "nats.log").exists()


async def test_the_greeting_tells_our_server_from_a_stranger(server: EmbeddedServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    info = json.loads((await reader.readline())[5:])
    writer.close()
    assert info["server_name"].startswith("venue-")
    assert info["auth_required"] is True
    assert info["max_payload"] == 8 * 1024 * 1024
