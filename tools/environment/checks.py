"""What the set-up asks of a machine before it downloads anything.

Every check returns the line that the user reads, or None.
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
"""The Python that the set was installed and run on."""
GIGABYTES = 9
"""GiB that .venv takes while it is made: 6 in the end, 8 at its largest."""


def first_problem(venv: Path, constraints: Path) -> str | None:
    """The first reason why the set-up cannot work, if there is one."""
    return (
        python_problem()
        or disk_problem(venv)
        or compiler_problem()
        or cuda_problem(constraints)
    )


def python_problem() -> str | None:
    """A Python that the pins are not for, or one without venv."""
    version = sys.version_info[:2]
    if version != REFERENCE:
        return (
            'the reference environment is for Python 3.11, this is '
            f'{version[0]}.{version[1]}; call `make setup '
            'PYTHON3=/path/to/python3.11`, or use an environment of your '
            'own: `make test PYTHON=/path/to/python`'
        )
    # Debian has both without python3-venv, and then fails half way through.
    if not all(map(importlib.util.find_spec, ('venv', 'ensurepip'))):
        return (
            f'{sys.executable} cannot make virtual environments, its venv or '
            'ensurepip module is missing; install python3-venv'
        )
    return None


def disk_problem(venv: Path) -> str | None:
    """Too little space; what an interrupted set-up left is counted in."""
    there = sum(
        path.lstat().st_blocks * 512
        for path in venv.rglob('*')
        if path.is_file()
    )
    free = (shutil.disk_usage(venv.parent).free + there) / 2**30
    if free >= GIGABYTES:
        return None
    return (
        f'{free:.1f} GiB are free at {venv.parent}, {GIGABYTES} are needed; '
        'make room or clone the project to another disk'
    )


def compiler_problem() -> str | None:
    """No C++ compiler, or one that cannot use Python's headers."""
    compiler = os.environ.get('CXX') or 'c++'
    include = sysconfig.get_path('include')
    if not Path(include, 'Python.h').exists():
        return (
            f'Python.h, which mmcv is compiled with, is not in {include}; '
            'install python3-dev'
        )
    if compiles([*shlex.split(compiler), f'-I{include}']):
        return None
    return (
        f'`{compiler}` does not compile a C++17 program, and mmcv is '
        'compiled here; install g++, or name another compiler in CXX'
    )


def compiles(command: list[str]) -> bool:
    """Whether the command makes a library of three lines of C++17."""
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
    """A GPU in sight, and no compiler for it: mmcv would not build."""
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
        f'there is a GPU here, and no nvcc of CUDA {wanted} to compile mmcv '
        'for it; set CUDA_HOME to such a toolkit, or set up for the CPU '
        'alone: `CUDA_VISIBLE_DEVICES= make setup`'
    )


def gpus() -> str:
    """What the NVIDIA driver lists, empty without one."""
    return output_of(['nvidia-smi', '-L'])


def nvcc_version() -> str:
    """What the CUDA compiler that torch would take says, empty without."""
    home = os.environ.get('CUDA_HOME') or os.environ.get('CUDA_PATH')
    found = shutil.which('nvcc') or '/usr/local/cuda/bin/nvcc'
    return output_of([f'{home}/bin/nvcc' if home else found, '--version'])


def output_of(command: list[str]) -> str:
    """Standard output of a command, empty where it fails."""
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, check=False
        )
    except OSError:
        return ''
    return result.stdout if result.returncode == 0 else ''
