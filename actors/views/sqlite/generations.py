"""Generations begin, and end, within a transaction of the writer."""

import apsw
import msgspec

from actors.views.port import Generation, Place, Shape
from actors.views.sqlite.catalog import Catalog
from actors.views.sqlite.tables import create


def begin_generation(connection: apsw.Connection, catalog: Catalog, shape: Shape) -> int:
    """Another generation, live if it is the view's first, instead of any that was being built."""
    building = catalog.building.get(shape.view)
    if building is not None:
        drop_generation(connection, building.number)
    connection.execute(
        "INSERT INTO generations (view, shape, state) VALUES (?, ?, ?)",
        (
            shape.view,
            msgspec.json.encode(shape).decode(),
            "building" if shape.view in catalog.live else "live",
        ),
    )
    number = connection.last_insert_rowid()
    create(connection, number, shape)
    return number


def drop_generation(connection: apsw.Connection, number: int) -> None:
    """Nobody sees it any more. To delete a million documents takes a while: that is left to pauses."""
    connection.execute("UPDATE generations SET state = 'dropping' WHERE number = ?", (number,))
    connection.execute("DELETE FROM positions WHERE generation = ?", (number,))


def may_switch(catalog: Catalog, following: Generation, shards: int) -> bool:
    """It has been at the end of every shard, and is nowhere behind what answers."""
    nothing = Place(0)
    places = catalog.places.get(following.number, {})
    before = catalog.places.get(catalog.live[following.view].number, {})
    return all(places.get(shard, nothing).complete for shard in range(shards)) and all(
        places.get(shard, nothing).seq >= place.seq for shard, place in before.items()
    )
