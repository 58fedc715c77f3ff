"""The operator's commands: they look at a running cluster, and have its nodes and workers do things.

They talk over the bus like any worker; what opens it is in the settings or in the node's own files.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from gateway.command_options import Config, Data, Failed, Sets, read_settings

if TYPE_CHECKING:
    from gateway.operating import Cluster

app = typer.Typer()

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]
Seconds = Annotated[float, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="How long to wait.")]
Context = Annotated[str, typer.Argument(help="The context's name, such as booking.")]
Shard = Annotated[int, typer.Argument(min=0, max=4095, help="The shard's number.")]

T = TypeVar("T")


def with_cluster(
    config: Config, sets: Sets, data: Data, as_json: bool, work: Callable[["Cluster"], Awaitable[T]]
) -> T:
    """Connect, work, disconnect; whatever goes wrong is one line."""
    import logging

    from actors.control.access import NoAccess
    from actors.control.operator import Refused
    from gateway.operating import NotDone, cluster

    # What the connection has to say is said here, once, as this command's error.
    logging.getLogger().addHandler(logging.NullHandler())
    settings = read_settings(config, sets, data, quiet=True)

    async def run() -> T:
        async with cluster(settings, progress=not as_json and sys.stderr.isatty()) as found:
            return await work(found)

    try:
        return asyncio.run(run())
    except (Refused, NotDone, ValueError) as error:
        raise Failed(str(error)) from error
    except (NoAccess, OSError, TimeoutError) as error:
        raise Failed(f"the cluster {settings.cluster} cannot be reached: {error}") from error


@app.command()
def status(
    shards: Annotated[bool, typer.Option("--shards", help="A line for each shard.")] = False,
    as_json: AsJson = False,
    data: Data = None,
    config: Config = None,
    sets: Sets = None,
) -> None:
    """Show the cluster: nodes, workers, shards, and what waits or is quarantined.

    Exits 1 when a worker is silent or a shard is not served.
    """
    from gateway import status_view

    survey, pins = with_cluster(config, sets, data, as_json, lambda cluster: cluster.status())
    if as_json:
        typer.echo(status_view.as_json(survey, pins))
    else:
        status_view.show(survey, pins, shards)
    raise typer.Exit(0 if not survey.silent and not survey.not_open() else 1)


@app.command()
def scale(
    count: Annotated[int, typer.Argument(metavar="N", min=1, help="Workers to have.")],
    node: Annotated[
        str | None,
        typer.Option("--node", metavar="NODE", help="On this node; else in all, spread over the nodes."),
    ] = None,
    timeout: Seconds = 60.0,
    as_json: AsJson = False,
    data: Data = None,
    config: Config = None,
    sets: Sets = None,
) -> None:
    """Have N workers; those that leave finish what they took and hand over their shards first.

    Holds until the nodes are started anew: then `workers` in cluster.yaml counts again.
    """
    told = with_cluster(
        config, sets, data, as_json, lambda cluster: cluster.scale(count, node, timeout=timeout)
    )
    tell(as_json, {"workers": told}, f"{count} workers serve")


@app.command()
def drain(
    worker: Annotated[str, typer.Argument(metavar="WORKER", help="The worker's id, as `status` shows it.")],
    timeout: Seconds = 60.0,
    as_json: AsJson = False,
    data: Data = None,
    config: Config = None,
    sets: Sets = None,
) -> None:
    """Let a worker finish, hand over its shards and end; no other is started in its place."""
    with_cluster(config, sets, data, as_json, lambda cluster: cluster.drain(worker, timeout=timeout))
    tell(as_json, {"drained": worker}, f"{worker} has left")


@app.command("rolling-restart")
def rolling_restart(
    timeout: Annotated[
        float,
        typer.Option("--timeout", min=0.1, metavar="SECONDS", help="How long one worker may take."),
    ] = 120.0,
    as_json: AsJson = False,
    data: Data = None,
    config: Config = None,
    sets: Sets = None,
) -> None:
    """Replace all workers, one after the other, each by one that serves before it leaves.

    Goes on only when all shards are served again; the first that cannot be replaced ends it.
    """
    told = with_cluster(config, sets, data, as_json, lambda cluster: cluster.rolling_restart(timeout=timeout))
    tell(as_json, {"restarted": told}, f"{len(told)} workers were replaced")


@app.command()
def pin(
    context: Context,
    shard: Shard,
    place: Annotated[str, typer.Argument(metavar="WORKER|NODE", help="Where it is to live.")],
    as_json: AsJson = False,
    data: Data = None,
    config: Config = None,
    sets: Sets = None,
) -> None:
    """Keep a shard on one node, or in one worker's slot; it moves there at once."""
    told = with_cluster(config, sets, data, as_json, lambda cluster: cluster.pin(context, shard, place))
    tell(
        as_json,
        {"context": context, "shard": shard, "place": told},
        f"{context}/{shard} is pinned to {told}",
    )


@app.command()
def unpin(
    context: Context,
    shard: Shard,
    as_json: AsJson = False,
    data: Data = None,
    config: Config = None,
    sets: Sets = None,
) -> None:
    """Let a pinned shard live anywhere again."""
    with_cluster(config, sets, data, as_json, lambda cluster: cluster.unpin(context, shard))
    tell(
        as_json,
        {"context": context, "shard": shard, "place": None},
        f"{context}/{shard} is not pinned any more",
    )


@app.command()
def release(
    context: Context,
    aggregate: Annotated[str, typer.Argument(help="The aggregate's name, such as space.")],
    id: Annotated[str, typer.Argument(help="The entity's id, such as maple.")],
    as_json: AsJson = False,
    data: Data = None,
    config: Config = None,
    sets: Sets = None,
) -> None:
    """Let a quarantined entity try again."""
    worker = with_cluster(
        config, sets, data, as_json, lambda cluster: cluster.release(context, aggregate, id)
    )
    tell(
        as_json,
        {"context": context, "aggregate": aggregate, "id": id, "worker": worker},
        f"{context}/{aggregate}/{id} is released on {worker}",
    )


def tell(as_json: bool, facts: dict[str, object], sentence: str) -> None:
    import json

    typer.echo(json.dumps(facts) if as_json else sentence)
