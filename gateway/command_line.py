"""The ``butai`` command. Errors are one line each on stderr: exit status 1, or 2 for wrong usage.

Whatever a command needs is imported when it runs, so that ``--help`` and ``check`` answer at once.
"""

import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway import operations, view_operations
from gateway.command_options import Config, Data, Failed, Sets, read_settings

if TYPE_CHECKING:
    from actors.reports import Ready
    from actors.settings import Settings

app = typer.Typer(
    name="butai",
    help="A reactive service cluster: REST commands become messages for event-sourced actors.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

UsageError: type[Exception] = typer.BadParameter.__bases__[0]


def main() -> int:
    """Run the command line; returns the exit status."""
    try:
        status = app(prog_name="butai", standalone_mode=False)
        sys.stdout.flush()
    except Failed as error:
        return _complain(error.lines, 1)
    except typer.Abort:
        return 130
    except KeyboardInterrupt:
        return 130
    except UsageError as error:
        return _complain(_usage(error), 2)
    except BrokenPipeError:
        # Who read our output has gone, as "head" does. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    return status if isinstance(status, int) else 0


def _usage(error: Any) -> list[str]:
    """What was wrong with the usage; nothing if the help was shown instead."""
    message = " ".join(error.format_message().split())
    path = error.ctx.command_path if error.ctx is not None else "butai"
    return [f"{message} (see {path} --help)"] if message else []


def _complain(lines: Sequence[str], status: int) -> int:
    try:
        for line in lines:
            sys.stderr.write(f"butai: {line}\n")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    return status


def _show_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def options(
    show: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """A reactive service cluster: REST commands become messages for event-sourced actors."""


@app.command()
def up(
    config: Config = None,
    sets: Sets = None,
    log: Annotated[
        str | None, typer.Option("--log", metavar="text|json", help="How to log; overrides the key 'log'.")
    ] = None,
) -> None:
    """Serve the contexts of cluster.yaml until Ctrl-C or SIGTERM.

    Starts the workers, restarts those that die, and prints one line when all are ready. The first Ctrl-C
    lets requests in flight finish, the second does not wait for them.
    """
    import asyncio

    from actors import logs
    from actors.fabric.server import ServerFailed
    from actors.journal.port import JournalError
    from actors.node import Node, NodeFailed
    from actors.shared_port import PortUnavailable
    from actors.worker_process import WorkerRefused

    settings = read_settings(config, [*(sets or []), *([f"log={log}"] if log is not None else [])])
    logs.configure(settings.log)
    shown = False

    def announce(ready: "Ready") -> None:
        nonlocal shown
        _announce(ready, settings, again=shown)
        shown = True

    try:
        asyncio.run(Node(settings, announce).run())
    except (WorkerRefused, NodeFailed, ServerFailed, PortUnavailable, JournalError) as error:
        raise Failed(str(error)) from error
    except OSError as error:
        raise Failed(f"the worker cannot be started: {error.strerror}") from error


def _announce(ready: "Ready", settings: "Settings", again: bool) -> None:
    import logging

    facts = {"contexts": ", ".join(ready.contexts), "journal": ready.journal}
    url = f"http://{ready.address}" if ready.address else ""
    if url:
        facts["docs"] = f"{url}/docs"
    if again or settings.log == "json":
        logging.getLogger("actors.node").info("ready", extra={"fields": {"url": url, **facts}})
        return
    told = "; ".join(f"{name}: {fact}" for name, fact in facts.items())
    where = f"at {url}" if url else "without a gateway"
    try:
        sys.stdout.write(f"butai: {settings.cluster} is ready {where} ({told})\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads the line; the service goes on.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


@app.command()
def check(config: Config = None, sets: Sets = None) -> None:
    """Validate cluster.yaml and the manifest of every context, without starting anything.

    Prints the contexts, their aggregates and routes; exits 1 with one line per problem.
    """
    from actors.manifest import load
    from gateway.manifest_view import describe, problems

    settings = read_settings(config, sets)
    _find_contexts()
    found = problems(settings.contexts)
    if found:
        raise Failed(*found)
    manifests = load(settings.contexts)
    for context in manifests.values():
        for line in describe(context):
            typer.echo(line)
    count = len(manifests)
    typer.echo(
        f"ok: {count} context{'' if count == 1 else 's'}, to be served on http://{settings.gateway.bind}"
    )


@app.command()
def journal(
    context: Annotated[str, typer.Argument(help="The context's name, such as booking.")],
    aggregate: Annotated[str, typer.Argument(help="The aggregate's name, such as space.")],
    id: Annotated[str, typer.Argument(help="The entity's id, such as maple.")],
    after: Annotated[int, typer.Option("--after", min=0, help="Only versions above this one.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    data: Data = None,
    config: Config = None,
    sets: Sets = None,
) -> None:
    """Show an entity's events, oldest first, also while a worker runs.

    Reads the journal alone: the context's code is not needed, and what it could not read is shown as it is
    stored.
    """
    from actors.journal.port import JournalError
    from gateway import journal_view

    settings = read_settings(config, sets, data, quiet=True)
    where, read = journal_view.reader(settings, context)
    show = journal_view.as_json if as_json else journal_view.as_text
    last = after
    try:
        while rows := read(aggregate, id, last):
            for row in rows:
                typer.echo(show(context, row))
            last = rows[-1].version
    except JournalError as error:
        raise Failed(str(error)) from error
    if last == 0:
        raise Failed(f"{context}: there is no {aggregate} {id!r} in {where}")


@app.command()
def book(
    file: Annotated[Path, typer.Argument(metavar="FILE.ics", help="An iCalendar file.", show_default=False)],
    space: Annotated[
        str, typer.Option("--space", metavar="ID", help="The space to book.", show_default=False)
    ],
    guest: Annotated[
        str | None,
        typer.Option("--guest", metavar="NAME", help="For whom; else an event's organizer, else its title."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            "--until", metavar="DATE", formats=["%Y-%m-%d"], help="Book recurring events up to this day."
        ),
    ] = None,
    url: Annotated[str, typer.Option("--url", help="Where the gateway is.")] = "http://127.0.0.1:8080",
) -> None:
    """Book a calendar file's events as reservations of a space.

    Each occurrence is reported: reserved, already there, conflict, or skipped and why. Booking a file again
    adds nothing. Exits 1 when something failed.
    """
    from gateway.book import BookError, book_file

    day = until.date() if until is not None else None
    try:
        status = book_file(file, space, guest=guest, until=day, url=url)
    except BookError as error:
        raise Failed(str(error)) from error
    raise typer.Exit(status)


app.add_typer(operations.app)
app.add_typer(view_operations.app, name="views")


@app.command()
def version() -> None:
    """Show the version."""
    from importlib.metadata import version as installed

    typer.echo(f"butai {installed('butai')}")


def _find_contexts() -> None:
    """A context may also live in the current folder; last, so that it can hide nothing installed."""
    sys.path.append(os.getcwd())


if __name__ == "__main__":
    sys.exit(main())
