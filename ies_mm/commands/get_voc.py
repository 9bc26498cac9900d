"""Download PASCAL VOC 2007 (trainval and test) or 2012 (trainval).

The data goes to <root>/VOCdevkit/VOC2007 or VOC2012, where OpenMMLab's and
torchvision's datasets expect it. URLs and checksums are torchvision's. The
next call continues an interrupted one; once the data is complete, a call does
nothing. The archives stay in <root> and may be deleted.
"""

from __future__ import annotations

import shutil
import sys
import tarfile
from collections.abc import Sequence
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from torchvision.datasets import VOCDetection
from torchvision.datasets.utils import check_integrity
from torchvision.datasets.voc import DATASET_YEAR_DICT
from tqdm import tqdm

from ies_mm.commands.parser import Parser

ARCHIVES = {'2007': ('2007', '2007-test'), '2012': ('2012',)}
SPLITS = {'2007': ('trainval', 'test'), '2012': ('trainval',)}
NEEDED_GB = {'2007': 2.0, '2012': 4.5}  # archives and their content
MARK = 'fetched_by_get_voc.txt'
CHUNK = 1 << 18
TIMEOUT = 60


class FetchError(Exception):
    """The data cannot be downloaded; the message says what to do."""


def check_space(root: Path, year: str) -> None:
    """Check for enough free disk space; downloaded files already count."""
    names = [DATASET_YEAR_DICT[key]['filename'] for key in ARCHIVES[year]]
    files = [root / (name + end) for name in names for end in ('', '.part')]
    here = sum(file.stat().st_size for file in files if file.exists())
    missing = NEEDED_GB[year] * 1e9 - here
    free = shutil.disk_usage(root).free
    if free < missing:
        raise FetchError(
            f'too little disk space in {root}: {missing / 1e9:.1f} GB needed,'
            f' {free / 1e9:.1f} GB free'
        )


def ask(url: str, start: int) -> HTTPResponse | None:
    """Request a file from byte `start` on; None if no bytes are left."""
    headers = {'Range': f'bytes={start}-'} if start else {}
    try:
        response: HTTPResponse = urlopen(
            Request(url, headers=headers), timeout=TIMEOUT
        )
    except HTTPError as error:
        if start and error.code == 416:
            return None
        raise
    return response


def save(response: HTTPResponse, part: Path, start: int) -> None:
    """Append a response to the `start` bytes of `part`."""
    length = response.headers.get('Content-Length')
    total = start + int(length) if length else None
    progress = tqdm(
        desc=part.stem,
        initial=start,
        total=total,
        unit='B',
        unit_scale=True,
        disable=None,  # no bar in a log file
    )
    with part.open('ab' if start else 'wb') as file, progress as bar:
        while chunk := response.read(CHUNK):
            file.write(chunk)
            bar.update(len(chunk))
    # read(n) raises nothing when the connection ends early.
    if total is not None and part.stat().st_size < total:
        raise ConnectionError('the connection broke')


def download(url: str, part: Path) -> None:
    """Download to `part`, from where an earlier call stopped."""
    start = part.stat().st_size if part.exists() else 0
    response = ask(url, start)
    if response is None:  # complete, or its checksum will be wrong
        return
    with response:
        partial = response.status == 206  # otherwise it starts at byte 0
        save(response, part, start if partial else 0)


def download_archive(url: str, archive: Path) -> None:
    """Download an archive, which gets its name once it is complete."""
    print(f'downloading {url}', flush=True)
    part = archive.with_name(archive.name + '.part')
    try:
        download(url, part)
    except (OSError, HTTPException) as error:
        raise FetchError(
            f'cannot download {url} ({error}): run again to continue'
        ) from error
    part.rename(archive)


def fetch(key: str, root: Path) -> Path:
    """Return an archive with the right checksum, downloaded if needed."""
    entry = DATASET_YEAR_DICT[key]
    archive: Path = root / entry['filename']
    if not archive.exists():
        download_archive(entry['url'], archive)
    print(f'checking {archive}', flush=True)
    if not check_integrity(archive, entry['md5']):
        archive.unlink()
        raise FetchError(
            f'wrong checksum: {archive} was removed, run again to download it'
        )
    return archive


def extract(archive: Path, folder: Path) -> None:
    """Unpack an archive into a folder, and nowhere else."""
    # Python before 3.10.12 and 3.11.4 has no filter; the checksum has been
    # verified by now.
    safe: Any = {'filter': 'data'} if hasattr(tarfile, 'data_filter') else {}
    try:
        with tarfile.open(archive, 'r:') as tar:
            tar.extractall(folder, **safe)
    except tarfile.TarError as error:
        raise FetchError(f'cannot unpack {archive}: {error}') from error


def unpack(archives: list[Path], aside: Path, target: Path) -> None:
    """Unpack into `aside` and move the data once it is complete."""
    for archive in archives:
        print(f'unpacking {archive}', flush=True)
        extract(archive, aside)
    folder = aside / target.relative_to(aside.parent)
    if not folder.is_dir():
        raise FetchError(f'{archives[-1]} does not contain {folder.name}')
    (folder / MARK).write_text(''.join(f'{a.name}\n' for a in archives))
    target.parent.mkdir(exist_ok=True)
    folder.rename(target)
    shutil.rmtree(aside)


def is_complete(target: Path) -> bool:
    """Whether an earlier call fetched the data; refuse other data."""
    complete = (target / MARK).exists()
    if target.exists() and not complete:
        raise FetchError(
            f'{target} exists but was not fetched by get_voc: not touched'
        )
    return complete


def get_voc(year: str, root: Path) -> None:
    """Fetch one year's data into `root` unless it is already there."""
    target = root / DATASET_YEAR_DICT[year]['base_dir']
    if is_complete(target):
        print(f'{target} is complete: nothing to do')
        return
    root.mkdir(parents=True, exist_ok=True)
    aside = root / f'.get_voc-{year}'
    if aside.exists():  # an interrupted call left it
        shutil.rmtree(aside)
    check_space(root, year)
    archives = [fetch(key, root) for key in ARCHIVES[year]]
    unpack(archives, aside, target)
    for split in SPLITS[year]:
        count = len(VOCDetection(root, year, split))
        print(f'{target}: {count} {split} images')


def main(
    argv: Sequence[str] | None = None, prog: str = 'ies-mm get-voc'
) -> int:
    """Run the command and return its exit status."""
    parser = Parser(prog=prog, description=(__doc__ or '').splitlines()[0])
    parser.add_argument('year', choices=tuple(ARCHIVES))
    parser.add_argument('--root', type=Path, default=Path('data'))
    args = parser.parse_args(argv)
    try:
        get_voc(args.year, args.root)
    except KeyboardInterrupt:
        print('interrupted: run again to continue', file=sys.stderr)
        return 130
    except (FetchError, OSError) as error:
        print(f'{parser.prog}: error: {error}', file=sys.stderr)
        return 1
    return 0
