"""A task that is to end ends, whatever it was waiting for."""

import asyncio

from bursar.platform.ending import end


async def test_a_task_that_swallows_being_canceled_is_told_until_it_ends() -> None:
    told = []

    async def deaf() -> None:
        while len(told) < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                told.append(1)

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    await end([task])

    assert task.done()
    assert len(told) == 3


async def test_what_has_ended_is_left_and_what_is_raised_stays_with_its_task() -> None:
    async def broken() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError

    async def over() -> int:
        return 7

    tasks = [asyncio.create_task(broken()), asyncio.create_task(over())]
    await asyncio.sleep(0)
    await end(tasks)

    assert isinstance(tasks[0].exception(), ValueError)
    assert tasks[1].result() == 7
    await end([])
