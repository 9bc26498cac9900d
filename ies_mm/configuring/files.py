"""Whether the data of a config is there."""

from collections.abc import Iterator, Mapping
from inspect import signature
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ies_mm.configuring.reading import dataset_class, datasets_in, scope_of
from ies_mm.errors import ConfigError

OF_IMAGES = ('img', 'img_path', 'sub_data_root')
"""Keys of ``data_prefix`` that name folders of images."""


def check_files(cfg: Config, *loaders: str) -> None:
    """Reject datasets whose annotation file or image folder is missing.

    Raises:
        ConfigError: Names the path and how to obtain the data.
    """
    scope = scope_of(cfg)
    for loader in loaders:
        dataset = (cfg.get(loader) or {}).get('dataset')
        for key, leaf in datasets_in(dataset, f'{loader}.dataset'):
            for path in _read_by(leaf, scope):
                if not path.exists():
                    raise ConfigError(
                        f'{key}: looked for {path}, which is not there; '
                        f'{_how_to_get(path)}'
                    )


def _read_by(leaf: dict, scope: str) -> Iterator[Path]:
    """The annotation file and the image folders that a dataset reads."""
    root, name = leaf.get('data_root') or '', leaf.get('ann_file')
    folders = _image_folders(leaf.get('data_prefix'))
    # Path.exists knows only the local file system.
    remote = leaf.get('backend_args') is not None
    if remote or '://' in ' '.join(map(str, [root, name, *folders])):
        return
    if name and isinstance(name, str):
        yield Path(root, name).expanduser()
    cls = dataset_class(leaf, scope)
    if cls is None or 'download' in signature(cls).parameters:
        return
    if root and not name:
        yield Path(root).expanduser()
    if _loads_files(leaf.get('pipeline')):
        yield from (Path(root, folder).expanduser() for folder in folders)


def _loads_files(pipeline: Any) -> bool:
    """Whether a pipeline reads images from the local file system."""
    loaders = [
        transform
        for transform in pipeline or []
        if isinstance(transform, dict)
        and str(transform.get('type')).endswith('LoadImageFromFile')
    ]
    backends = ('backend_args', 'file_client_args')
    return bool(loaders) and not any(
        loader.get(key) for loader in loaders for key in backends
    )


def _image_folders(prefix: Any) -> list[str]:
    """Those of images; masks, say, may be missing where none are read."""
    if isinstance(prefix, Mapping):
        prefix = [prefix.get(key) for key in OF_IMAGES]
    else:
        prefix = [prefix]
    return [folder for folder in prefix if isinstance(folder, str) and folder]


def _how_to_get(path: Path) -> str:
    root, devkit, _ = str(path).partition('/VOCdevkit/')
    if Path(root) == Path('data', 'demo'):
        return '`ies-mm demo` makes these images'
    for year in ('2007', '2012'):
        if devkit and f'VOC{year}' in path.parts:
            return (
                f'`ies-mm get-voc {year} --root {root}` fetches it there '
                '(`ies-mm demo` needs no download: it makes its own images)'
            )
    return 'set data_root (and ann_file) to where the dataset is'
