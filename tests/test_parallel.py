from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from palate._parallel import in_parallel


def test_results_come_in_the_order_of_the_items() -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.05 if item == 0 else 0.0)
        return item * item

    assert in_parallel(slow_first, range(20), 4) == [item * item for item in range(20)]
    assert in_parallel(slow_first, [], 4) == []


@pytest.mark.parametrize("at_once", [1, 3])
def test_no_more_run_at_once_than_asked(at_once: int) -> None:
    lock = threading.Lock()
    running, most = 0, 0

    def work(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1

    in_parallel(work, range(12), at_once)
    assert most == at_once


def test_the_first_failure_is_raised_at_once_and_nothing_is_begun_after_it() -> None:
    begun: list[int] = []
    release = threading.Event()

    def work(item: int) -> None:
        begun.append(item)
        if item == 1:
            raise ValueError("item 1")
        release.wait(5.0)

    began = time.monotonic()
    with pytest.raises(ValueError, match="item 1"):
        in_parallel(work, range(100), 2)
    assert time.monotonic() - began < 2.0
    release.set()
    time.sleep(0.05)
    assert sorted(begun) == [0, 1]


def test_a_process_does_not_wait_for_what_hangs() -> None:
    program = """
import time
from palate._parallel import in_parallel
def work(item):
    if item == 1:
        raise ValueError
    time.sleep(60)
try:
    in_parallel(work, [0, 1], 2)
except ValueError:
    print("failed")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=20
    )
    assert done.stdout.strip() == "failed"
