"""The stage: thespian's system base of our own, on an asyncio loop.

The words it uses:

- *actor*: an instance of ``thespian.actors.Actor``, unchanged; it handles one message at a time, to its end;
- *address*: thespian's ``ActorAddress``, and the stage's whole record of an actor;
- *mailbox*: what waits for one actor, up to its *bound* (``mailbox_bound`` of the class, else the stage's);
  a full one refuses at once: ``offer`` is False, a ``send`` is answered with ``MailboxFull``;
- *turn*: the time actors may run before the loop's sockets and timers do; *quantum*: the share of it one
  actor may take before the next;
- *wakeup*: a message that an actor asked to get later;
- *poison*: a message on which an actor failed three times; its sender gets it back as ``PoisonMessage``;
- *dead letter*: a message that nobody will receive; counted, and shown to the actor that asked for them;
- *root*: the system itself, parent of the primary actors;
- *endpoint*: where another thread listens for answers.

Two ways to use it. Embedded in a program with a running loop, everything on that loop's thread::

    stage = Stage(mailbox=1000)
    address = stage.spawn(functools.partial(Entity, shard, "maple"))
    taken = stage.offer(address, command)          # False: full, nothing done
    answer = await stage.ask(address, query, timeout=1.0)
    system = ActorSystem(systemBase=stage, transientUnique=True)   # thespian's face, for any thread

By name, with a thread of its own: ``register("butaiBase")``, then ``ActorSystem("butaiBase")``.
"""

from actors.stage.address import Address
from actors.stage.counters import Counters
from actors.stage.creation import Factory
from actors.stage.named import ActorSystemBase, register
from actors.stage.notices import (
    ChildExited,
    ExitReason,
    MailboxFull,
    MailboxOverflow,
    StageStopped,
    TooManyWakeups,
)
from actors.stage.stage import Stage

__all__ = [
    "ActorSystemBase",
    "Address",
    "ChildExited",
    "Counters",
    "ExitReason",
    "Factory",
    "MailboxFull",
    "MailboxOverflow",
    "Stage",
    "StageStopped",
    "TooManyWakeups",
    "register",
]
