"""What the stage tells actors, beyond what thespian defines."""

from enum import StrEnum

from thespian.actors import (
    ActorAddress,
    ActorSystemFailure,
    ActorSystemMessage,
    ChildActorExited,
)


class ExitReason(StrEnum):
    """Why an actor is no more."""

    REQUESTED = "requested"
    """It was asked to, by itself or by someone else."""
    PARENT_EXITED = "parent-exited"
    """Its parent was asked to, recursively."""
    CREATION_FAILED = "creation-failed"
    """It never lived: its constructor raised, or no capability of this stage allows it."""
    SHUTDOWN = "shutdown"
    """The whole stage was shut down."""


class ChildExited(ChildActorExited):
    """thespian's ``ChildActorExited`` with the reason, and for a failed creation the error's text."""

    def __init__(self, child: ActorAddress, reason: ExitReason, detail: str = "") -> None:
        super().__init__(child)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{super().__str__()} ({self.reason})"


class MailboxFull(ActorSystemMessage):
    """Comes back to the sender: ``message`` was not taken, because ``target`` has too much to do."""

    def __init__(self, target: ActorAddress, message: object) -> None:
        self.target = target
        self.message = message

    def __str__(self) -> str:
        return f"MailboxFull({self.target})"


class MailboxOverflow(ActorSystemFailure):
    """The mailbox is full; the message was not taken."""

    def __init__(self, target: ActorAddress) -> None:
        super().__init__(f"the mailbox of {target} is full; the message was not taken")
        self.target = target


class StageStopped(ActorSystemFailure):
    """The stage was shut down."""

    def __init__(self) -> None:
        super().__init__("the stage was shut down")


class TooManyWakeups(ActorSystemFailure):
    """The stage's bound on pending wakeups is reached; this one was not taken."""

    def __init__(self, bound: int) -> None:
        super().__init__(f"{bound} wakeups are pending already; this one was not taken")
