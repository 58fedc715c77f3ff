"""Figures of the read side: how fast views are folded, found and followed, and what they cost the commands.

Where a cost is compared, both sides run in turns within the same run."""
