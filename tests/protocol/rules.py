"""The protocol's rules, each of which can be switched off."""

from typing import NamedTuple


class Rules(NamedTuple):
    """True: the rule is kept."""

    lease_before_deciding: bool = True
    """Past its lease a worker decides nothing, not even a read."""
    check_epoch_after_silence: bool = True
    """A worker whose lease ran out looks whether its epoch still holds before it decides again."""
    hold_acceptances: bool = True
    hold_rejections: bool = True
    hold_reads: bool = True
    """An answer leaves only when the version it was decided on is committed."""
    known_key_from_journal: bool = True
    """A command whose key is in the journal is answered from there, not decided again."""
    journal_before_memory: bool = True
    """What the journal says of a key counts more than a rejection that this worker remembers."""
    wait_for_the_silent: bool = True
    """Without word of a release or a death, a new owner waits until the lease and a margin have passed."""
    look_after_claiming: bool = True
    """Who claimed without word looks again whether the old owner is still silent before it serves."""
    claim_only_what_was_seen: bool = True
    """A claim names the epoch it follows, and fails when that is no longer the shard's."""
    epoch_in_append: bool = True
    """The journal refuses an append under an older epoch."""
    sequence_key: bool = True
    """The journal refuses a (shard, seq) that it has."""
    claim_again: bool = True
    """After an unknown outcome the worker claims again before it reads what landed."""
    stop_before_release: bool = True
    """A leaving owner has stopped deciding before it says *released*."""
    commit_before_release: bool = True
    """A leaving owner has committed and answered what it decided before it says *released*."""
