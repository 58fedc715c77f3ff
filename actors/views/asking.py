"""Whether a view has what is asked of it."""

from actors.views.conditions import Compare, Condition
from actors.views.port import NoSuchView, Shape, Wanted


def check(shape: Shape, wanted: Wanted) -> None:
    """Raises NoSuchView when the shape lacks a column or a searched field."""
    columns = {column.name for column in shape.columns}
    named = set(_columns(wanted.where))
    if wanted.sort is not None:
        named.add(wanted.sort)
    lacking = [*sorted(named - columns), *sorted(set(wanted.fields) - set(shape.search))]
    if lacking:
        raise NoSuchView(f"the view {shape.view!r} is not indexed or searched by {', '.join(lacking)}")


def _columns(condition: Condition) -> list[str]:
    if isinstance(condition, Compare):
        return [condition.column]
    return [name for one in condition.of for name in _columns(one)]
