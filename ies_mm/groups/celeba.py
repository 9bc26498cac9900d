"""CelebA with one attribute as label and another one as group."""

from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS

from ies_mm.errors import ConfigError

ATTRIBUTES = 'list_attr_celeba.txt'
PARTITION = 'list_eval_partition.txt'
IMAGES = 'img_align_celeba'
PARTS = {'train': '0', 'val': '1', 'test': '2'}


@DATASETS.register_module()
class CelebAAttribute(BaseDataset):
    """Faces with one attribute as label and another one as group.

    Table 14 of the paper: *Attractive* by *Male*. Uses the layout of
    ``torchvision.datasets.CelebA``: ``<data_root>/img_align_celeba/*.jpg``,
    ``list_attr_celeba.txt`` and ``list_eval_partition.txt``. A sample's
    ``group`` is the attribute's name, prefixed with ``not_`` if the attribute
    does not hold; ``PackInputs`` keeps it if ``meta_keys`` includes it.

    Args:
        data_root (str): Folder with the files.
        split (str): 'train', 'val' or 'test'.
        label (str): Name of the attribute to learn. Defaults to 'Attractive'.
        group (str): Name of the attribute that defines the groups. Defaults
            to 'Male'.
        **kwargs: Arguments of MMEngine's ``BaseDataset``.

    Raises:
        ConfigError: There is no such split, file or attribute.
    """

    def __init__(
        self,
        data_root: str,
        split: str,
        label: str = 'Attractive',
        group: str = 'Male',
        **kwargs: Any,
    ) -> None:
        if split not in PARTS:
            raise ConfigError(
                f'CelebAAttribute: split={split!r}; give one of '
                f'{", ".join(PARTS)}'
            )
        self._split, self._label, self._group = split, label, group
        metainfo = {'classes': (f'not_{label}', label)}
        metainfo |= kwargs.pop('metainfo', None) or {}
        super().__init__(data_root=data_root, metainfo=metainfo, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """The images of the split, in the order of the attribute file."""
        root = Path(self.data_root)
        part = dict(map(str.split, _lines(root / PARTITION)))
        # The first line is the number of images.
        _, heading, *rows = _lines(root / ATTRIBUTES)
        names = heading.split()
        label, group = (
            _column(names, name) for name in (self._label, self._group)
        )
        found = []
        for name, *values in map(str.split, rows):
            if part.get(name) == PARTS[self._split]:
                in_group = values[group] == '1'
                found.append(
                    {
                        'img_path': str(root / IMAGES / name),
                        'gt_label': int(values[label] == '1'),
                        'group': 'not_' * (not in_group) + self._group,
                    }
                )
        return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError as error:
        raise ConfigError(
            f'{path} cannot be read: {error.strerror}; get CelebA with '
            'torchvision.datasets.CelebA(ROOT, download=True), and set '
            'data_root to ROOT/celeba'
        ) from error


def _column(names: list[str], wanted: str) -> int:
    if wanted not in names:
        raise ConfigError(
            f'CelebAAttribute: there is no attribute {wanted!r}; give one of '
            f'{", ".join(names)}'
        )
    return names.index(wanted)
