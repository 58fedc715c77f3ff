"""From what ``createActor`` is given to a living instance."""

import importlib
import inspect
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from thespian.actors import Actor, InvalidActorSpecification, NoCompatibleSystemForActor

Factory = Callable[[], Actor]
"""Any callable without arguments that returns a new actor: a class, ``functools.partial(Entity, ...)``."""

OFFERED = ("capabilities", "requirements")
"""Arguments that thespian hands to a constructor which names them."""


class Creation:
    """Makes instances; remembers what each class's constructor asks for, since finding out takes 10 us."""

    __slots__ = ("_wanted",)

    def __init__(self) -> None:
        self._wanted: WeakKeyDictionary[type, tuple[str, ...]] = WeakKeyDictionary()

    def create(self, given: Any, capabilities: dict[str, Any], requirements: Any) -> Actor:
        """An instance of a class or from a factory.

        Raises ``NoCompatibleSystemForActor`` when the class's capability check says no,
        ``InvalidActorSpecification`` when what is made is no actor, and whatever the constructor raises.
        """
        if isinstance(given, type):
            check = getattr(given, "actorSystemCapabilityCheck", None)
            if check is not None and not check(capabilities, requirements or {}):
                raise NoCompatibleSystemForActor(given, "no compatible system available")
            wanted = self._wants(given)
            if wanted:
                offered = {"capabilities": capabilities, "requirements": requirements}
                actor = given(**{name: offered[name] for name in wanted})
            else:
                actor = given()
        elif callable(given):
            actor = given()
        else:
            raise InvalidActorSpecification(given)
        if not isinstance(actor, Actor):
            raise InvalidActorSpecification(given, "it does not make an Actor")
        return actor

    def _wants(self, actor_class: type) -> tuple[str, ...]:
        wanted = self._wanted.get(actor_class)
        if wanted is None:
            parameters = inspect.signature(actor_class.__init__).parameters  # type: ignore[misc]
            wanted = tuple(name for name in OFFERED if name in parameters)
            self._wanted[actor_class] = wanted
        return wanted


def named(name: str) -> Any:
    """The object behind ``package.module.Class``. Raises ``InvalidActorSpecification``, ``ImportError``."""
    module, _, attribute = name.rpartition(".")
    if not module:
        raise InvalidActorSpecification(name)
    return getattr(importlib.import_module(module), attribute)
