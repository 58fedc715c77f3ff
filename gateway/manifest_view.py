"""Contexts' manifests as people read them."""

from collections.abc import Iterator, Sequence

from actors.manifest import ContextManifest, ManifestError, load
from contexts.vocabulary import CommandRoute


def problems(names: Sequence[str]) -> list[str]:
    """What is wrong with the contexts in these modules, a line for each; then with all of them together."""
    found = [problem for name in names for problem in _problem([name])]
    return found or list(_problem(names))


def _problem(names: Sequence[str]) -> Iterator[str]:
    try:
        load(names)
    except ManifestError as error:
        yield str(error)


def describe(manifest: ContextManifest) -> Iterator[str]:
    """A context's name and summary, its aggregates with their commands, its routes."""
    yield "  ".join(part for part in (manifest.name, manifest.context.summary) if part)
    for aggregate in manifest.aggregates.values():
        yield f"  {aggregate.name}: {', '.join(command.__name__ for command in aggregate.commands)}"
    for route in manifest.context.routes:
        if isinstance(route, CommandRoute):
            yield f"  {route.method:6} /{manifest.name}{route.path}  {route.command.__name__}"
        else:
            yield f"  GET    /{manifest.name}{route.path}"
