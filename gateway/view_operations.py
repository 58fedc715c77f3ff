"""``butai views``: what operators see of views, and do about them."""

from typing import Annotated

import typer

from gateway.command_options import Config, Data, Sets
from gateway.operations import AsJson, Context, Shard, tell, with_cluster

app = typer.Typer(
    name="views",
    help="Show views and how far they are; rebuild, pause, resume, and mend what is parked.",
    no_args_is_help=True,
)

View = Annotated[str, typer.Argument(help="The view's name, such as diary.")]


@app.command("list")
def list_views(
    context: Annotated[str | None, typer.Argument(help="Only this context's views.")] = None,
    as_json: AsJson = False,
    data: Data = None,
    config: Config = None,
    sets: Sets = None,
) -> None:
    """Show each view: its generation, what it does, events folded and missing, parked shards.

    Exits 1 when something is parked.
    """
    from gateway import view_table
    from gateway.view_operating import Views

    found = with_cluster(config, sets, data, as_json, lambda cluster: Views(cluster).all(context))
    if as_json:
        typer.echo(view_table.as_json(found))
    else:
        view_table.show(found)
    raise typer.Exit(1 if any(view.parks for view in found) else 0)


@app.command()
def positions(
    context: Context,
    view: View,
    as_json: AsJson = False,
    data: Data = None,
    config: Config = None,
    sets: Sets = None,
) -> None:
    """Show how far a view is in each shard, what answers and what is being built."""
    from gateway import view_table
    from gateway.view_operating import Views

    found = with_cluster(config, sets, data, as_json, lambda cluster: Views(cluster).of(context, view))
    if as_json:
        typer.echo(view_table.positions_as_json(found))
    else:
        view_table.show_positions(found)


@app.command()
def rebuild(
    context: Context,
    view: View,
    wait: Annotated[bool, typer.Option("--wait", help="Return when the new generation answers.")] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="How long to wait at most.")
    ] = 3600.0,
    as_json: AsJson = False,
    data: Data = None,
    config: Config = None,
    sets: Sets = None,
) -> None:
    """Fold a view anew from all its events, beside what answers, and switch in one step when it is done.

    Nothing but the view is affected. With --wait, what cannot end without an operator fails at once.
    """
    from gateway.operating import Cluster
    from gateway.view_operating import Views

    async def work(cluster: Cluster) -> int:
        views = Views(cluster)
        generation = await views.rebuild(context, view)
        if wait:
            await views.until_live(context, view, generation, timeout)
        return generation

    generation = with_cluster(config, sets, data, as_json, work)
    what = "answers" if wait else "is being built"
    tell(
        as_json,
        {"context": context, "view": view, "generation": generation, "live": wait},
        f"generation {generation} of view {view} of {context} {what}",
    )


@app.command()
def pause(
    context: Context,
    view: View,
    as_json: AsJson = False,
    data: Data = None,
    config: Config = None,
    sets: Sets = None,
) -> None:
    """Halt a view: it answers from what is folded, until it is resumed. Outlives restarts."""
    _pause(context, view, True, as_json, data, config, sets)


@app.command()
def resume(
    context: Context,
    view: View,
    as_json: AsJson = False,
    data: Data = None,
    config: Config = None,
    sets: Sets = None,
) -> None:
    """Let a paused view go on where it was."""
    _pause(context, view, False, as_json, data, config, sets)


def _pause(
    context: str, view: str, paused: bool, as_json: bool, data: Data, config: Config, sets: Sets
) -> None:
    from gateway.view_operating import Views

    with_cluster(config, sets, data, as_json, lambda cluster: Views(cluster).pause(context, view, paused))
    sentence = f"view {view} of {context} {'is paused' if paused else 'goes on'}"
    tell(as_json, {"context": context, "view": view, "paused": paused}, sentence)


@app.command()
def release(
    context: Context,
    view: View,
    shard: Shard,
    as_json: AsJson = False,
    data: Data = None,
    config: Config = None,
    sets: Sets = None,
) -> None:
    """Let a view's parked shard try again, as after what its fold relies on was mended."""
    from gateway.view_operating import Views

    workers = with_cluster(
        config, sets, data, as_json, lambda cluster: Views(cluster).release(context, view, shard)
    )
    tell(
        as_json,
        {"context": context, "view": view, "shard": shard, "workers": workers},
        f"view {view} tries {context}/{shard} again on {', '.join(workers)}",
    )


@app.command()
def skip(
    context: Context,
    view: View,
    shard: Shard,
    seq: Annotated[int, typer.Argument(min=1, help="The event's sequence, as it is parked with.")],
    as_json: AsJson = False,
    data: Data = None,
    config: Config = None,
    sets: Sets = None,
) -> None:
    """Have a view pass over the event that its shard is parked with, for good: its documents lack it until
    the view is rebuilt with a fold that can take it."""
    import msgspec

    from gateway.view_operating import Views

    event = with_cluster(
        config, sets, data, as_json, lambda cluster: Views(cluster).skip(context, view, shard, seq)
    )
    tell(
        as_json,
        {"context": context, "view": view, "shard": shard, "seq": seq, **msgspec.structs.asdict(event)},
        f"view {view} passed over {context}/{shard}:{seq}: {event.event} of {event.entity}, version"
        f" {event.version}, which failed with {event.error}",
    )
