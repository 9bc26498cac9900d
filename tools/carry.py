#!/usr/bin/env python
"""Make a folder that installs ies_mm on a machine without a network.

It has wheels for that machine's Python, mmcv's source, and ``start.sh``. The
machine provides PyTorch and what usually comes with it;
``requirements/carried.txt`` lists the rest.
"""

import argparse
import re
import shutil
import subprocess
import sys
import zipfile
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path

from ies_mm.commands.arguments import one_line_errors
from ies_mm.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
LISTS = ROOT / 'requirements'
START = ROOT / 'tools' / 'environment' / 'carried_start.sh'
GLIBC = (5, 12, 17, 24, 27, 28, 31, 34)
"""Minor glibc versions of the accepted manylinux wheels."""
MIB = 2**20


def main() -> None:
    """Download, write, and print how to start it there."""
    args = _arguments()
    with one_line_errors('tools/carry.py'):
        pins = _pins()
        wheels = args.out / 'wheels'
        wheels.mkdir(parents=True, exist_ok=True)
        _download_wheels(wheels, args.python, _names(), pins)
        hidden_wheel(wheels, 'transformers')
        _download_source(args.out, pins['onedl-mmcv'])
        shutil.copy(START, args.out / 'start.sh')
        size = _check_size(args.out, args.limit)
    print(f'{args.out}: {size / MIB:.0f} MiB. There, in the checkout:')
    print(f'    . {args.out}/start.sh')
    print('    python3 tools/gpu.py')


def hidden_wheel(folder: Path, name: str) -> None:
    """Make a package that fails to import, to hide the machine's own.

    mmpretrain loads its multi-modal models if it finds transformers, and with
    version 5 that import fails.
    """
    files = {
        f'{name}/__init__.py': (
            f"raise ImportError('{name} is hidden: mmpretrain does not load "
            "with a current one')\n"
        ),
        f'{name}-0.dist-info/METADATA': (
            f'Metadata-Version: 2.1\nName: {name}\nVersion: 0\n'
        ),
        f'{name}-0.dist-info/WHEEL': (
            'Wheel-Version: 1.0\nGenerator: ies_mm\n'
            'Root-Is-Purelib: true\nTag: py3-none-any\n'
        ),
    }
    lines = [f'{name}-0.dist-info/RECORD,,']
    with zipfile.ZipFile(folder / f'{name}-0-py3-none-any.whl', 'w') as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
            digest = urlsafe_b64encode(sha256(text.encode()).digest())
            mark = digest.rstrip(b'=').decode()
            lines.append(f'{path},sha256={mark},{len(text)}')
        wheel.writestr(f'{name}-0.dist-info/RECORD', '\n'.join(lines))


def _pins() -> dict[str, str]:
    text = (LISTS / 'constraints.txt').read_text()
    return dict(re.findall(r'^([\w.-]+)==(\S+)', text, re.MULTILINE))


def _names() -> list[str]:
    lines = (LISTS / 'carried.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


def _download_wheels(
    folder: Path, python: str, names: list[str], pins: dict[str, str]
) -> None:
    options = ['--only-binary=:all:', '--implementation', 'cp']
    options += ['--python-version', python]
    platforms = ['manylinux1', 'manylinux2014']
    platforms += [f'manylinux_2_{minor}' for minor in GLIBC]
    for platform in platforms:
        options += ['--platform', f'{platform}_x86_64']
    for name in names:
        wanted = f'{name}=={pins[name]}'
        if _pip('download', folder, *options, wanted):
            _build_wheel(folder, wanted)


def _build_wheel(folder: Path, wanted: str) -> None:
    """Build the wheel of a package that has only sources, if pure Python."""
    before = set(folder.glob('*.whl'))
    if problem := _pip('wheel', folder, '--no-build-isolation', wanted):
        raise ConfigError(problem)
    for made in set(folder.glob('*.whl')) - before:
        if not made.name.endswith('-none-any.whl'):
            raise ConfigError(
                f'{wanted} has no wheel for that Python, and {made.name}, '
                'built here, is for this one'
            )


def _download_source(folder: Path, version: str) -> None:
    """Download mmcv's source; its operators are compiled where they run."""
    options = ('--no-binary=:all:', '--no-build-isolation')
    if problem := _pip('download', folder, *options, f'onedl-mmcv=={version}'):
        raise ConfigError(problem)


def _pip(what: str, folder: Path, *arguments: str) -> str:
    """Run pip; return what went wrong, if anything did."""
    command = [sys.executable, '-m', 'pip', what, '-q', '--no-deps']
    command += [f'--{"wheel-dir" if what == "wheel" else "dest"}', str(folder)]
    result = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, check=False
    )
    if not result.returncode:
        return ''
    said = [line for line in result.stderr.splitlines() if 'ERROR' in line]
    return f'pip {what} {arguments[-1]} failed: {" ".join(said)}'


def _check_size(folder: Path, limit: int) -> int:
    size = sum(p.stat().st_size for p in folder.rglob('*') if p.is_file())
    if size > limit * MIB:
        raise ConfigError(
            f'{folder} is {size / MIB:.0f} MiB, more than --limit {limit}; '
            'shorten requirements/carried.txt'
        )
    return size


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('out', type=Path, help='output folder')
    parser.add_argument(
        '--python', default='3.12', help="that machine's Python (%(default)s)"
    )
    parser.add_argument(
        '--limit', type=int, default=64, help='maximum MiB (%(default)s)'
    )
    return parser.parse_args()


if __name__ == '__main__':
    main()
