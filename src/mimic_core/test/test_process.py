"""What the process of a node asks of the system."""

import gc
import os
import threading

from mimic_core import process


class _Held:
    """Something of a node that refers to itself."""

    def __init__(self) -> None:
        self.own = self


def test_what_is_there_is_not_looked_at_by_collections_and_what_comes_later_is():
    there = _Held()
    process.settle()
    try:
        assert gc.get_freeze_count() > 10_000
        assert not any(thing is there for thing in gc.get_objects())
        _Held()
        assert gc.collect() >= 1
    finally:
        gc.unfreeze()


def test_a_thread_that_may_wait_gives_up_the_priority_of_its_process():
    own = os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)
    seen = []

    def work() -> None:
        process.run_first(process.COMMANDS)
        process.run_ordinarily(3)
        seen.append((os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(os.SCHED_OTHER, max(own[1], 0) + 3)]
    assert (os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)) == own
