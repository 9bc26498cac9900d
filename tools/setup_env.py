#!/usr/bin/env python3
"""Set the reference environment up in .venv; `make setup` calls this.

Runs with the standard library alone. Every step is verified by an import
before it counts as done, so an interrupted set-up goes on where it was.
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
        help='check that the running Python has what is needed, and no more',
    )
    if arguments.parse_args().check:
        check_own_environment()
    elif not all(map(done, STEPS)):
        # Before the lock, which is the first file that is written.
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
        fail('interrupted; the next call goes on with this step', 130)


def check_own_environment() -> None:
    """Verify an environment that the user brought."""
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
            f'{sys.executable} does not have all that is needed ({reason}); '
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
