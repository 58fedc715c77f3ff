"""A task that misses the first word of its end is told again."""

import asyncio

from actors.cancellation import end


async def test_a_task_that_swallows_a_cancellation_is_told_again() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 2:
                    raise

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await asyncio.wait_for(end(task, None), 5)
    assert task.cancelled()
    assert swallowed == 2


async def test_what_a_task_raised_is_kept_from_who_ends_it() -> None:
    async def failing() -> None:
        raise RuntimeError("long ago")

    task = asyncio.create_task(failing())
    await asyncio.sleep(0)
    await asyncio.wait_for(end(task), 5)
    assert task.done()


async def test_nothing_to_end_takes_no_time() -> None:
    await end()
