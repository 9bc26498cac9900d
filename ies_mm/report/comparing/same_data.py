"""The check that all runs of a comparison use the same images."""

from collections.abc import Sequence
from typing import Any

from ies_mm.errors import ConfigError
from ies_mm.report.reading.dumped_config import flatten, one_spelling
from ies_mm.report.reading.runs import Run

LOADERS = ('train_dataloader', 'val_dataloader')
SAYS_WHICH_IMAGES = (
    'type', 'data_root', 'ann_file', 'data_prefix', 'split', 'indices',
    'times', 'fold', 'num_splits', 'dataset', 'datasets',
)  # fmt: skip


def check_same_data(runs: Sequence[Run]) -> None:
    """Refuse runs on different images.

    Raises:
        ConfigError: Two runs differ; it names them and the setting.
    """
    first = runs[0]
    for other in runs[1:]:
        here, there = _data(first), _data(other)
        for key in here | there:
            if here.get(key) == there.get(key):
                continue
            raise ConfigError(
                f'{first.work_dir} and {other.work_dir} are on different '
                f'data: {key} is {here.get(key)!r} in the first and '
                f'{there.get(key)!r} in the second; '
                'compare runs on the same data'
            )


def _data(run: Run) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for loader in LOADERS:
        dataset = (run.config.get(loader) or {}).get('dataset')
        flat |= flatten(_identity(dataset), f'{loader}.dataset')
    return {key: one_spelling(key, value) for key, value in flat.items()}


def _identity(dataset: Any) -> Any:
    """The settings that determine the images of a dataset or its wrapper."""
    if isinstance(dataset, list):
        return [_identity(part) for part in dataset]
    if not isinstance(dataset, dict):
        return dataset
    return {
        key: _identity(dataset[key])
        if key in ('dataset', 'datasets')
        else dataset[key]
        for key in SAYS_WHICH_IMAGES
        if key in dataset
    }
