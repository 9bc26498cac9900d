"""Makes a row in separate processes, which release their memory.

Several processes train together, as on several GPUs: each has different
objects, and all but the first have a single image.
"""

import logging
import multiprocessing
import os
import resource
import tempfile
import warnings
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch.distributed

from coverage_checks.listed import Family
from coverage_checks.rows import Row, check_family
from coverage_checks.settings import Setting

# Time limit of a row in seconds; the fraction of memory it may use.
LIMIT, MEMORY = 1200, 0.75
PATIENCE = timedelta(seconds=60)
"""How long a process waits for the others, which may have failed."""

_WORST = ('wrong', 'refused', 'not built', 'fall-back', 'share-exact')
"""Worst first, so that an error in any process is reported."""


def isolated(family: Family, setting: Setting) -> Row:
    """Make a row.

    Args:
        family (Family): The family.
        setting (Setting): Batch sizes and number of processes.

    Returns:
        Row: The worst row of any process, else the first process's.
    """
    with tempfile.TemporaryDirectory() as folder:
        several = setting.processes > 1
        meeting = Path(folder, 'meeting') if several else None
        started = [
            _start(family, setting, rank, meeting)
            for rank in range(setting.processes)
        ]
        try:
            rows = [_received(family, receiver) for _, receiver in started]
        finally:
            for process, _ in started:
                process.kill()
                process.join()
    found = {row.verdict: row for row in reversed(rows)}
    return next((found[v] for v in _WORST if v in found), rows[0])


def _start(
    family: Family, setting: Setting, *place: Any
) -> tuple[Any, Connection]:
    # Fork, so that the libraries are imported only once.
    context = multiprocessing.get_context('fork')
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(
        target=_send_row, args=(family, setting, sender, *place)
    )
    process.start()
    sender.close()
    return process, receiver


def _received(family: Family, receiver: Connection) -> Row:
    try:
        if receiver.poll(LIMIT):
            row: Row = receiver.recv()
            return row
        return Row(family, 'not built', f'takes more than {LIMIT} s')
    except EOFError:
        return Row(family, 'not built', 'its process died')


def _send_row(
    family: Family,
    setting: Setting,
    sender: Connection,
    rank: int,
    meeting: Path | None,
) -> None:
    quiet = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(quiet, stream)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter('ignore')
    pages = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    most = int(pages * MEMORY / setting.processes)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    if meeting is not None:
        torch.distributed.init_process_group(
            'gloo',
            init_method=f'file://{meeting}',
            rank=rank,
            world_size=setting.processes,
            timeout=PATIENCE,
        )
    sender.send(check_family(family, setting))
