"""Every sample knows its image, however the dataset is wrapped or filtered."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader, TensorDataset

from ies_mm.errors import ConfigError
from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.data.mixing_transforms import mixes, transforms_of
from ies_mm.training.data.shown_images import batch_instances
from ies_mm.training.data.tagging import TAG
from runs import (
    build_dataset as build,
)
from runs import (
    dataset_config,
    epochs_of,
    ies_config,
    instances_of,
    train,
)


def repeat(times: int, dataset: dict) -> dict:
    return dict(type='RepeatDataset', times=times, dataset=dataset)


def concat(*datasets: dict) -> dict:
    return dict(
        type='ConcatDataset', datasets=list(datasets),
        ignore_keys=['dataset_type'],
    )  # fmt: skip


def balanced(dataset: dict) -> dict:
    return dict(
        type='ClassBalancedDataset', oversample_thr=0.9, dataset=dataset
    )


def nestings(voc: Path) -> dict[str, tuple[dict, int]]:
    """Wrapped datasets, and how many distinct images each has."""
    train, test = dataset_config(voc), dataset_config(voc, 'test')
    few = dataset_config(voc, indices=5)
    return {
        'leaf': (train, 12),
        'repeat': (repeat(3, train), 12),
        'concat': (concat(train, test), 18),
        'voc0712': (repeat(2, concat(train, test)), 18),
        'balanced': (balanced(train), 12),
        'nested': (concat(repeat(2, balanced(train)), test), 18),
        'indices': (few, 5),
        'lists': (dataset_config(voc, serialize_data=False), 12),
    }


@pytest.mark.parametrize('name', nestings(Path()))
def test_tags_name_the_image_that_was_loaded(voc: Path, name: str) -> None:
    config, images = nestings(voc)[name]
    dataset = build(config)
    instances = InstanceMap(dataset)
    paths = instances.paths()
    assert len(instances) == len(paths) == len(set(paths)) == images
    with instances.tagging():
        for position in range(len(dataset)):
            sample = dataset[position]['data_samples']
            number = getattr(sample, TAG)
            assert number == instances.of_position[position]
            assert sample.img_path == paths[number]
    assert not hasattr(dataset[0]['data_samples'], TAG)


@pytest.mark.parametrize('context', ['fork', 'spawn'])
def test_tags_come_back_from_workers(voc: Path, context: str) -> None:
    dataset = build(nestings(voc)['voc0712'][0])
    instances = InstanceMap(dataset)
    with instances.tagging():
        loader = DataLoader(
            dataset, batch_size=4, num_workers=2, collate_fn=pseudo_collate,
            multiprocessing_context=context,
        )  # fmt: skip
        for batch in loader:
            numbers = batch_instances(batch)
            for sample, number in zip(
                batch['data_samples'], numbers, strict=True
            ):
                assert sample.img_path == instances.paths()[number]


def test_a_refetched_image_is_observed_as_itself(
    voc: Path, tmp_path: Path
) -> None:
    """The pipeline rejects two images; others are fetched instead."""
    config = ies_config(voc, tmp_path, epochs=1, delta=0, keep_history=True)
    config.train_dataloader.dataset.pipeline.insert(
        1, dict(type='Refuse', images=[2, 5])
    )
    train(config)
    trained = instances_of(tmp_path)['trained'][0]
    assert list(np.flatnonzero(~trained)) == [2, 5]
    assert epochs_of(tmp_path)[0]['trained'] == 10


@pytest.mark.parametrize('name', ['voc0712', 'nested'])
def test_a_repeated_image_has_one_observation(
    voc: Path, tmp_path: Path, name: str
) -> None:
    config = ies_config(voc, tmp_path, epochs=1, delta=0, keep_history=True)
    config.train_dataloader.dataset = nestings(voc)[name][0]
    runner = train(config)
    losses = instances_of(tmp_path)['losses']
    assert losses.shape[:2] == (1, 18)
    assert np.isfinite(losses).all()
    assert len(runner.train_dataloader.dataset) > 18
    assert epochs_of(tmp_path)[0]['trained'] == 18


def test_filtered_images_do_not_count(voc: Path) -> None:
    config = dataset_config(
        voc, metainfo=dict(classes=('boat',)),
        filter_cfg=dict(filter_empty_gt=True),
    )  # fmt: skip
    instances = InstanceMap(build(config))
    with_boats = {
        xml.stem
        for xml in (voc / 'VOC2007/Annotations').glob('*.xml')
        if '<name>boat</name>' in xml.read_text()
    }
    listed = (voc / 'VOC2007/ImageSets/Main/trainval.txt').read_text()
    expected = with_boats & set(listed.split())
    assert {Path(path).stem for path in instances.paths()} == expected
    assert 0 < len(instances) < 12


def test_repeats_change_no_checksum(voc: Path) -> None:
    nested = nestings(voc)
    leaf, repeat, few = (
        InstanceMap(build(nested[name][0])).checksums().tolist()
        for name in ('leaf', 'repeat', 'indices')
    )
    assert leaf == repeat
    assert few == leaf[:5]
    assert len(set(leaf)) == 12


def test_a_foreign_data_set_is_refused() -> None:
    with pytest.raises(ConfigError, match='TensorDataset is neither'):
        InstanceMap(TensorDataset(torch.zeros(3)))


def test_untagged_batches_are_refused() -> None:
    for batch in ({}, {'data_samples': [object()]}, [1, 2]):
        with pytest.raises(ConfigError, match='do not say which image'):
            batch_instances(batch)


def test_a_batch_of_views_is_refused() -> None:
    batch = {'data_samples': {'weak': [object()], 'strong': [object()]}}
    with pytest.raises(ConfigError, match='a dict of weak, strong, not one'):
        batch_instances(batch)


def mixing(dataset: Any) -> list[str]:
    return [key for key, found in transforms_of(dataset) if mixes(found)]


def test_mixing_transforms_are_found_by_key(voc: Path) -> None:
    inner = dataset_config(voc)
    mosaic = dict(
        type='MultiImageMixDataset',
        dataset=inner,
        pipeline=[dict(type='RandomFlip', prob=0.5), dict(type='Mosaic')],
    )
    found = mixing(build(concat(inner, mosaic)))
    assert found == [
        'train_dataloader.dataset.datasets[1].pipeline[1] (Mosaic)'
    ]
    cached = dataset_config(voc)
    cached['pipeline'].insert(2, dict(type='CachedMixUp', img_scale=(96, 72)))
    assert mixing(build(cached)) == [
        'train_dataloader.dataset.pipeline[2] (CachedMixUp)'
    ]
    hidden = dataset_config(voc)
    inside = [dict(type='CachedMixUp', img_scale=(96, 72))]
    hidden['pipeline'].insert(2, dict(type='RandomApply', transforms=inside))
    assert mixing(build(hidden)) == [
        'train_dataloader.dataset.pipeline[2].transforms[0] (CachedMixUp)'
    ]
    assert not mixing(build(inner))
