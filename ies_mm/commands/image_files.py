"""JPEG files of a folder or an archive, by split and class."""

import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePath

from ies_mm.errors import ConfigError

SPLITS = ('train', 'test')


def image_files(source: Path) -> Iterator[tuple[str, str, str, bytes]]:
    """Yield the files ``{train,test}/<class>/*.jpg``.

    Args:
        source (Path): A folder or a tar archive.

    Yields:
        tuple: train or test, the class, the file name, the content.

    Raises:
        ConfigError: The source does not exist, or is neither.
    """
    for path, data in _files(source):
        parts = PurePath(path).parts
        if path.endswith('.jpg') and len(parts) > 2 and parts[-3] in SPLITS:
            yield parts[-3], parts[-2], parts[-1], data


def _files(source: Path) -> Iterator[tuple[str, bytes]]:
    if source.is_dir():
        for path in source.rglob('*.jpg'):
            yield str(path), path.read_bytes()
        return
    try:
        with tarfile.open(source) as archive:
            for member in archive:
                file = archive.extractfile(member)
                if file is not None:
                    yield member.name, file.read()
    except (OSError, tarfile.TarError) as error:
        reason = ' '.join(str(error).split())
        raise ConfigError(
            f'--data {source} can be read neither as a folder nor as a tar '
            f'archive: {reason}'
        ) from error
