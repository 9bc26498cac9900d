"""Running pip and other slow commands, with output to the step's log."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from environment.fail import fail
from environment.places import CONSTRAINTS, ROOT, log, python

PAUSE = 15
"""Seconds between two progress lines of a slow step."""


def last_line(text: str) -> str:
    """The last line of pip's output, without folders and URLs."""
    lines = text.split('\n')
    said = next((line for line in reversed(lines) if line.strip()), 'going on')
    return re.sub(r'\S*/', '', said).strip()[:60]


def pip(
    name: str, *arguments: str, progress: Callable[[str], str] = last_line
) -> None:
    """Call the environment's pip with the constraints."""
    command, *rest = arguments
    run(
        name,
        [python(), '-m', 'pip', command, '-c', str(CONSTRAINTS), *rest],
        progress,
    )


def run(
    name: str,
    command: list[str],
    progress: Callable[[str], str] = last_line,
) -> None:
    """Run a command with output to the step's log; print its progress."""
    started = time.monotonic()
    with log(name).open('a') as output:
        begin = output.tell()
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            # It keeps the lock in case only this process is killed.
            close_fds=False,
            start_new_session=True,
        )
        try:
            wait(process, started, lambda: progress(written(name, begin)))
        except BaseException:
            end(process)
            raise
    if process.returncode:
        tail = written(name, begin).splitlines()[-12:]
        print('\n'.join(tail), file=sys.stderr)
        fail(f'step {name} failed (above: the end of {log(name)})')


def wait(
    process: subprocess.Popen[bytes], started: float, say: Callable[[], str]
) -> None:
    """Wait for the process to end, printing progress every so often."""
    while process.poll() is None:
        try:
            process.wait(timeout=PAUSE)
        except subprocess.TimeoutExpired:
            minutes, seconds = divmod(int(time.monotonic() - started), 60)
            print(f'      {minutes}:{seconds:02} {say()}', flush=True)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a command and everything it started, including compilers."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)


def written(name: str, begin: int) -> str:
    """A step's log from a position on."""
    with log(name).open('rb') as file:
        file.seek(begin)
        return file.read().decode(errors='replace')
