"""Checks of the machine before the set-up downloads anything.

Every check returns a line for the user, or None.
"""

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

REFERENCE = (3, 11)
"""The Python that the pinned versions were tested on."""
GIGABYTES = 9
"""GiB required to create .venv: it ends at 6 and peaks at 8."""


def first_problem(venv: Path, constraints: Path) -> str | None:
    """The first reason why the set-up cannot work, if there is one."""
    return (
        python_problem()
        or disk_problem(venv)
        or compiler_problem()
        or cuda_problem(constraints)
    )


def python_problem() -> str | None:
    """A Python that the pinned versions do not fit, or one without venv."""
    version = sys.version_info[:2]
    if version != REFERENCE:
        return (
            'the reference environment is for Python 3.11, this is '
            f'{version[0]}.{version[1]}; call `make setup '
            'PYTHON3=/path/to/python3.11`, or use an environment of your '
            'own: `make test PYTHON=/path/to/python`'
        )
    # Without python3-venv, Debian has parts of them and fails half-way.
    if not all(map(importlib.util.find_spec, ('venv', 'ensurepip'))):
        return (
            f'{sys.executable} cannot create virtual environments, its venv '
            'or ensurepip module is missing; install python3-venv'
        )
    return None


def disk_problem(venv: Path) -> str | None:
    """Too little space; the files of an interrupted set-up count as free."""
    there = sum(
        path.lstat().st_blocks * 512
        for path in venv.rglob('*')
        if path.is_file()
    )
    free = (shutil.disk_usage(venv.parent).free + there) / 2**30
    if free >= GIGABYTES:
        return None
    return (
        f'{free:.1f} GiB are free in {venv.parent}, {GIGABYTES} are needed; '
        'free some space, or clone the project to another disk'
    )


def compiler_problem() -> str | None:
    """No C++ compiler, or one that cannot use Python's headers."""
    compiler = os.environ.get('CXX') or 'c++'
    include = sysconfig.get_path('include')
    if not Path(include, 'Python.h').exists():
        return (
            f'Python.h, needed to compile mmcv, is not in {include}; '
            'install python3-dev'
        )
    if compiles([*shlex.split(compiler), f'-I{include}']):
        return None
    return (
        f'`{compiler}` does not compile a C++17 program, which mmcv '
        'needs; install g++, or name another compiler in CXX'
    )


def compiles(command: list[str]) -> bool:
    """Whether the command builds a library from three lines of C++17."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, 'probe.cpp')
        source.write_text(
            '#include <optional>\n#include <Python.h>\n'
            'int probe() { return std::optional<int>(1).value(); }\n'
        )
        options = ['-std=c++17', '-fPIC', '-shared', '-o', 'probe.so']
        try:
            result = subprocess.run(
                [*command, *options, str(source)],
                cwd=folder,
                capture_output=True,
                check=False,
            )
        except OSError:
            return False
    return result.returncode == 0


def cuda_problem(constraints: Path) -> str | None:
    """A visible GPU without a compiler for it: mmcv would not build."""
    if os.environ.get('CUDA_VISIBLE_DEVICES') in ('', '-1') or not gpus():
        return None
    wanted = next(
        line.split('==')[1].strip()
        for line in constraints.read_text().splitlines()
        if line.startswith('cuda-toolkit==')
    )
    if f'release {wanted.split(".")[0]}.' in nvcc_version():
        return None
    return (
        f'there is a GPU here, but no nvcc of CUDA {wanted} to compile mmcv '
        'for it; set CUDA_HOME to such a toolkit, or set up for the CPU '
        'only: `CUDA_VISIBLE_DEVICES= make setup`'
    )


def gpus() -> str:
    """The GPUs that the NVIDIA driver lists; empty without a driver."""
    return output_of(['nvidia-smi', '-L'])


def nvcc_version() -> str:
    """Version text of the CUDA compiler torch would use; empty without one."""
    home = os.environ.get('CUDA_HOME') or os.environ.get('CUDA_PATH')
    found = shutil.which('nvcc') or '/usr/local/cuda/bin/nvcc'
    return output_of([f'{home}/bin/nvcc' if home else found, '--version'])


def output_of(command: list[str]) -> str:
    """Standard output of a command; empty if it fails."""
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, check=False
        )
    except OSError:
        return ''
    return result.stdout if result.returncode == 0 else ''
