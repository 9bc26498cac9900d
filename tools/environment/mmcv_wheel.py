"""mmcv, compiled once for each torch, Python, machine and GPU."""

import os
import re
import subprocess
import tempfile
from pathlib import Path

from environment.commands import pip
from environment.places import CONSTRAINTS, python

MEMORY_OF_A_JOB = 2 * 2**30
"""Bytes of memory that one compile job needs, rounded up."""

BUILT_FOR = """
import os, sys, torch
gpu = 'cpu'
if torch.cuda.is_available():
    gpu = 'sm%d%d' % torch.cuda.get_device_capability()
python = sys.implementation.cache_tag
print('torch' + torch.__version__, python, os.uname().machine, gpu, sep='-')
"""


def install_mmcv(rebuild: bool) -> None:
    """Install the compiled mmcv and its dependencies."""
    wheel = str(mmcv_wheel(rebuild))
    # The installed one may have the same version, but another torch.
    pip('mmcv', 'install', '--force-reinstall', '--no-deps', wheel)
    pip('mmcv', 'install', 'onedl-mmcv')


def mmcv_wheel(rebuild: bool) -> Path:
    """The compiled mmcv, from the cache or built now.

    pip's own cache ignores which torch a wheel was built for; this one does
    not, and all clones share it.
    """
    cache = Path(os.environ.get('IES_MM_CACHE') or '~/.cache/ies_mm')
    folder = cache.expanduser().absolute() / 'wheels' / built_for()
    version = pinned('onedl-mmcv')
    kept = sorted(folder.glob(f'onedl_mmcv-{version}-*.whl'))
    if kept and not rebuild:
        return kept[0]
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault('MAX_JOBS', str(jobs()))
    # Inside the cache: renaming is atomic there.
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        pip(
            *('mmcv', 'wheel', '-v', '--no-deps', '--no-build-isolation'),
            *('--no-cache-dir', '--no-binary', 'onedl-mmcv'),
            *('-w', scratch, 'onedl-mmcv'),
            progress=compiled,
        )
        [wheel] = Path(scratch).glob('*.whl')
        return wheel.rename(folder / wheel.name)


def built_for() -> str:
    """What a compiled mmcv depends on: torch, Python, machine and GPU."""
    command = [python(), '-c', BUILT_FOR]
    return subprocess.check_output(command, text=True).strip()


def jobs() -> int:
    """How many files to compile at once without running out of memory."""
    memory = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    return max(1, min(os.cpu_count() or 1, memory // MEMORY_OF_A_JOB))


def compiled(text: str) -> str:
    """Ninja's count of compiled files, from the log."""
    counts = re.findall(r'^\s*\[(\d+)/(\d+)\]', text, re.MULTILINE)
    return 'file {} of {}'.format(*counts[-1]) if counts else 'preparing'


def pinned(package: str) -> str:
    """The version of a package in the constraints."""
    lines = CONSTRAINTS.read_text().splitlines()
    return next(
        line.split('==')[1]
        for line in lines
        if line.startswith(f'{package}==')
    )
