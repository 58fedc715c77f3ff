"""The tail knows every event that the indexes do not, and forgets only what they do."""

from hypothesis import given
from hypothesis import strategies as st

from actors.journal.sqlite.tail import Tail


@given(
    st.lists(
        st.one_of(st.sampled_from(["settle", "forget"]), st.tuples(st.integers(0, 2), st.integers(0, 3)))
    )
)
def test_it_answers_ranges_of_versions_and_sequences_across_its_stretches(
    steps: list[str | tuple[int, int]],
) -> None:
    tail = Tail()
    stretches: list[list[tuple[int, int, int, str, int]]] = [[], []]
    sequences: dict[int, int] = {}
    versions: dict[str, int] = {}
    for position, step in enumerate(steps, 1):
        if isinstance(step, tuple):
            shard, number = step
            entity = f"{shard}/{number}"
            sequences[shard] = seq = sequences.get(shard, 0) + 1
            versions[entity] = version = versions.get(entity, 0) + 1
            before = tail.add(position, shard, seq, "space", entity, version)
            known = [v for stretch in stretches for _, _, _, e, v in stretch if e == entity]
            assert before == (max(known) if known else None)
            stretches[0].append((position, shard, seq, entity, version))
        elif step == "settle":
            if not stretches[1]:
                tail.settle()
                stretches = [[], stretches[0]]
        else:
            tail.forget()
            stretches[1] = []
    events = [event for stretch in reversed(stretches) for event in stretch]
    for shard in range(3):
        for first, last in ((1, 1_000), (2, 3), (5, 4)):
            wanted = [p for p, s, seq, _, _ in events if s == shard and first <= seq <= last]
            assert tail.of_shard(shard, first, last) == wanted
    for entity in versions:
        for first, last in ((1, 1_000), (2, 3), (3, 3)):
            wanted = [p for p, _, _, e, v in events if e == entity and first <= v <= last]
            assert tail.of_entity("space", entity, first, last) == wanted
