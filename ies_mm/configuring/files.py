"""Whether the data of a config is there."""

from inspect import signature
from pathlib import Path

from mmengine.config import Config

from ies_mm.configuring.reading import dataset_class, datasets_in
from ies_mm.errors import ConfigError


def check_files(cfg: Config, *loaders: str) -> None:
    """Reject datasets whose annotation file or folder is missing.

    Raises:
        ConfigError: Names the path and how to obtain the data.
    """
    scope = cfg.get('default_scope') or 'mmengine'
    for loader in loaders:
        dataset = (cfg.get(loader) or {}).get('dataset')
        for key, leaf in datasets_in(dataset, f'{loader}.dataset'):
            path = _annotation_file(leaf) or _folder(leaf, scope)
            if path is not None and not path.exists():
                raise ConfigError(
                    f'{key}: looked for {path}, which is not there; '
                    f'{_how_to_get(path)}'
                )


def _annotation_file(leaf: dict) -> Path | None:
    name = leaf.get('ann_file')
    # Path.exists knows only the local file system.
    remote = leaf.get('backend_args') is not None
    if not isinstance(name, str) or not name or remote or '://' in name:
        return None
    return Path(leaf.get('data_root') or '', name)


def _folder(leaf: dict, scope: str) -> Path | None:
    """The folder of a dataset that reads folders without downloading."""
    root = leaf.get('data_root')
    remote = leaf.get('backend_args') is not None
    if leaf.get('ann_file') or not isinstance(root, str) or remote:
        return None
    cls = dataset_class(leaf, scope)
    if cls is None or '://' in root:
        return None
    return None if 'download' in signature(cls).parameters else Path(root)


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
