#!/usr/bin/env python3
"""Set up the reference environment in .venv; `make setup` calls this.

Needs only the standard library. Every step is verified by an import before it
counts as done, so an interrupted set-up continues where it stopped.
"""

import argparse
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from environment.checks import first_problem
from environment.fail import fail
from environment.install import set_up
from environment.places import CONSTRAINTS, ROOT, VENV
from environment.steps import STEPS, done


def main() -> None:
    """Set up what is missing, or check the running interpreter."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        '--check',
        action='store_true',
        help='only check that the running Python has what is needed',
    )
    if arguments.parse_args().check:
        check_own_environment()
    elif not all(map(done, STEPS)):
        # Before the lock, which is the first file to be written.
        if problem := first_problem(VENV, CONSTRAINTS):
            fail(problem)
        with (ROOT / '.setup.lock').open('a') as lock:
            take(lock.fileno())
            interruptible(set_up)


def interruptible(work: Callable[[], None]) -> None:
    """Let a kill or a closed terminal end the work as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        work()
    except KeyboardInterrupt:
        fail('interrupted; the next call continues with this step', 130)


def check_own_environment() -> None:
    """Verify the user's own environment."""
    verify = '\n'.join(step.verify for step in STEPS[1:])
    result = subprocess.run(
        [sys.executable, '-c', verify],
        capture_output=True,
        check=False,
        text=True,
        cwd=ROOT,
    )
    if result.returncode:
        reason = (result.stderr.strip() or 'it crashed').splitlines()[-1]
        fail(
            f'{sys.executable} lacks something that is needed ({reason}); '
            'install it there (docs/install.md), or call make without PYTHON='
        )


def take(lock: int) -> None:
    """Let one set-up run at a time."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        fail('another set-up is running in this folder; wait for it')
    os.set_inheritable(lock, True)


if __name__ == '__main__':
    main()
