"""The images of the small scale, in the layout that its config needs."""

from pathlib import Path

from ies_mm.commands.image_files import SPLITS, image_files
from ies_mm.errors import ConfigError

ARCHIVE = (
    Path(__file__).resolve().parents[3] / 'shared/data/cifar10_jpeg.tar.gz'
)
"""Default source of the images."""

OF_A_CLASS = 100
"""Number of images per class and split."""

COMPLETE = 'complete'
"""File that marks a complete copy."""


def small_images(source: Path | None, out: Path) -> None:
    """Copy the first images of every class, once.

    Args:
        source (Path, optional): Folder or tar archive of
            ``{train,test}/<class>/*.jpg``. None for :data:`ARCHIVE`, or for
            an existing copy.
        out (Path): Folder of the copy.

    Raises:
        ConfigError: The source does not exist or has no such files, or
            ``out`` is a copy of another source.
    """
    if (out / COMPLETE).exists():
        _check_copied(source, out)
        return
    source = source or ARCHIVE
    _check_source(source)
    found: dict[tuple[str, str], list[tuple[str, bytes]]] = {}
    for split, name, file, data in image_files(source):
        found.setdefault((split, name), []).append((file, data))
    if {split for split, _ in found} != {*SPLITS}:
        raise ConfigError(
            f'--data {source}: needs train/<class>/*.jpg and '
            'test/<class>/*.jpg, in a folder or a tar archive'
        )
    for (split, name), files in found.items():
        folder = out / split / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, data in sorted(files)[:OF_A_CLASS]:
            (folder / file).write_bytes(data)
    (out / COMPLETE).write_text(str(source.resolve()))


def _check_copied(source: Path | None, out: Path) -> None:
    before = (out / COMPLETE).read_text()
    if source is not None and str(source.resolve()) != before:
        raise ConfigError(
            f'{out} was copied from {before}, not from {source}; give '
            'another --out'
        )


def _check_source(source: Path) -> None:
    if not source.exists():
        raise ConfigError(
            f'--data {source}: there is no such folder or archive; it needs '
            'train/<class>/*.jpg and test/<class>/*.jpg of CIFAR-10'
        )
