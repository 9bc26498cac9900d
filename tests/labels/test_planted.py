"""Noisy labels of real datasets: made once, read by the pipeline."""

import copy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, init_default_scope
from torch.utils.data import DataLoader

import ies_mm.engine  # noqa: F401
from ies_mm.configuring.preflight import check_config
from ies_mm.errors import ConfigError
from ies_mm.labels.file import NoisyLabels, read_labels, write_labels
from ies_mm.labels.make import human_labels, plant_noise
from ies_mm.labels.place import check_place
from runs import plain_config, train
from same_runs import EPOCHS, assert_same_run, by_epochs, resumed
from task_runs import classifier_config, segmentor_config, with_ies

READS = 'LoadNoisyLabels'


def built(cfg: Config, **changes: Any) -> Any:
    init_default_scope(cfg.default_scope)
    return DATASETS.build(cfg.train_dataloader.dataset | changes)


def with_noise(cfg: Config, file: Path, place: int) -> Config:
    """The training with the transform at some place in its pipeline."""
    pipeline = cfg.train_dataloader.dataset.pipeline
    pipeline.insert(place, dict(type=READS, file=str(file)))
    return cfg


@pytest.fixture(scope='module')
def classifier(
    folders: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, NoisyLabels]:
    """The file of a small classifier's noisy labels, and its content."""
    cfg = classifier_config(folders, folders)
    file = tmp_path_factory.mktemp('noise') / 'noisy.npz'
    write_labels(file, plant_noise(cfg, 'symmetric', 0.4, seed=3))
    return file, read_labels(file)


def test_an_image_has_its_noisy_label_and_keeps_its_clean_one(
    folders: Path, classifier: tuple[Path, NoisyLabels]
) -> None:
    file, labels = classifier
    plain = built(classifier_config(folders, folders))
    clean = [plain.get_data_info(i)['gt_label'] for i in range(len(plain))]
    assert labels.clean.tolist() == clean
    assert labels.changed.sum() == round(0.4 * len(plain))
    for place in (3, 2):  # after packing, and before
        cfg = with_noise(classifier_config(folders, folders), file, place)
        pack = cfg.train_dataloader.dataset.pipeline[2 if place == 3 else 3]
        pack.meta_keys = ['sample_idx', 'img_path', 'clean_label']
        found = [item['data_samples'] for item in built(cfg)]
        assert [int(s.gt_label) for s in found] == labels.noisy.tolist()
        assert [s.clean_label for s in found] == clean


def test_workers_and_another_root_of_the_data_make_no_difference(
    folders: Path, classifier: tuple[Path, NoisyLabels], tmp_path: Path
) -> None:
    file, labels = classifier
    moved = shutil.copytree(folders, tmp_path / 'moved' / 'here')
    cfg = with_noise(classifier_config(moved, moved), file, 3)
    loader: DataLoader = DataLoader(
        built(cfg), 3, num_workers=2, collate_fn=pseudo_collate
    )
    for _ in range(2):
        found = [int(s.gt_label) for b in loader for s in b['data_samples']]
        assert found == labels.noisy.tolist()


def test_a_resumed_run_trains_on_the_same_labels(
    folders: Path, classifier: tuple[Path, NoisyLabels], tmp_path: Path
) -> None:
    file, _ = classifier
    whole, again = tmp_path / 'whole', tmp_path / 'again'
    hook = dict(delta=dict(type='Budget', saved=0.3), order=1, window=1)
    configs = [
        with_noise(with_ies(by_epochs(folders, folder), **hook), file, 2)
        for folder in (whole, again)
    ]
    train(configs[0])
    train(resumed(configs[1], whole, 'epoch_3.pth'))
    assert_same_run(again, whole, f'epoch_{EPOCHS}.pth')


def test_a_file_of_other_data_is_refused(
    folders: Path, classifier: tuple[Path, NoisyLabels], tmp_path: Path
) -> None:
    file, _ = classifier
    moved = shutil.copytree(folders, tmp_path / 'moved')
    cfg = with_noise(classifier_config(moved, moved), file, 3)
    (moved / 'ant' / '000.png').rename(moved / 'bee' / '000.png')
    with pytest.raises(ConfigError, match=r'000\.png .* other data'):
        list(built(cfg))
    other = tmp_path / 'other.npz'
    other.write_bytes(b'nothing')
    for path, reason in (
        (other, 'is not a noisy-label file'),
        (moved, 'there is no noisy-label file'),
    ):
        with pytest.raises(ConfigError, match=reason):
            read_labels(path)


def test_images_without_files_are_known_by_their_index(
    tmp_path: Path,
) -> None:
    cfg = classifier_config(tmp_path, tmp_path)
    cfg.train_dataloader.dataset = without_files()
    labels = plant_noise(cfg, 'instance', 0.4, seed=1)
    assert labels.identity == []
    assert 2 <= labels.changed.sum() < 20
    write_labels(tmp_path / 'noisy.npz', labels)
    found = built(with_noise(cfg, tmp_path / 'noisy.npz', 1))
    numbers = [int(item['data_samples'].gt_label) for item in found]
    assert numbers == labels.noisy.tolist()
    few = copy.deepcopy(cfg)
    few.train_dataloader.dataset.indices = 20
    labels = plant_noise(few, 'symmetric', 0.4, seed=1)
    write_labels(tmp_path / 'few.npz', labels)
    with pytest.raises(ConfigError, match=r'image 24 .* other data'):
        built(with_noise(copy.deepcopy(cfg), tmp_path / 'few.npz', 1))[24]
    # The index would not reveal that these are other images.
    cfg.train_dataloader.dataset |= without_files(first_class=1)
    with pytest.raises(ConfigError, match=r'image 0 .* other data'):
        built(with_noise(cfg, tmp_path / 'noisy.npz', 1))[0]


def without_files(first_class: int = 0) -> dict:
    """A dataset like CIFAR10: arrays without paths."""
    from mmengine.dataset import BaseDataset

    class Arrays(BaseDataset):
        METAINFO = dict(classes=('a', 'b', 'c'))

        def load_data_list(self) -> list[dict]:
            images = np.random.default_rng(0).integers(
                0, 256, (30, 32, 32, 3), dtype=np.uint8
            )
            return [
                dict(img=image, gt_label=(first_class + i) % 3)
                for i, image in enumerate(images)
            ]

    return dict(type=Arrays, pipeline=[dict(type='PackInputs')])


@pytest.mark.parametrize('kind', ['symmetric', 'shift', 'missing'])
def test_boxes_of_a_detector(voc: Path, tmp_path: Path, kind: str) -> None:
    cfg = plain_config(voc, tmp_path)
    # Without augmentation, so that boxes are comparable.
    pipeline = cfg.train_dataloader.dataset.pipeline
    del pipeline[2:4]
    pipeline[-1].meta_keys = ['img_path', 'clean_instances']
    labels = plant_noise(cfg, kind, 0.3, seed=2)
    assert labels.changed.sum() == round(0.3 * len(labels.clean))
    plain = [item['data_samples'].gt_instances for item in built(cfg)]
    write_labels(tmp_path / 'noisy.npz', labels)
    noisy = [
        item['data_samples']
        for item in built(with_noise(cfg, tmp_path / 'noisy.npz', 0))
    ]
    for image, (a, b) in enumerate(zip(plain, noisy, strict=True)):
        own = np.flatnonzero(labels.image == image)
        there = own[labels.noisy[own] >= 0]
        assert len(b.clean_instances) == len(a) == len(own)
        assert b.gt_instances.labels.tolist() == labels.noisy[there].tolist()
        boxes = b.gt_instances.bboxes.tensor.numpy()
        assert np.allclose(boxes, labels.noisy_boxes[there])
        assert np.allclose(a.bboxes.tensor.numpy(), labels.clean_boxes[own])


def test_a_validation_has_clean_labels(tmp_path: Path) -> None:
    cfg = classifier_config(tmp_path, tmp_path)
    check_place(cfg)
    loader = with_noise(cfg, tmp_path / 'noisy.npz', 3).train_dataloader
    check_place(cfg)
    cfg.val_dataloader = loader
    with pytest.raises(ConfigError, match='val_dataloader reads noisy'):
        check_config(cfg)


def test_boxes_are_changed_before_they_are_loaded(
    voc: Path, tmp_path: Path
) -> None:
    cfg = plain_config(voc, tmp_path)
    write_labels(tmp_path / 'noisy.npz', plant_noise(cfg, 'missing', 0.3))
    for place in (2, 5):
        late = with_noise(
            plain_config(voc, tmp_path), tmp_path / 'noisy.npz', place
        )
        with pytest.raises(ConfigError, match='before LoadAnnotations'):
            built(late)[0]


def test_what_cannot_have_such_noise_is_refused(
    folders: Path, maps: Path, voc: Path, tmp_path: Path
) -> None:
    detector = plain_config(voc, tmp_path)
    cases = [
        (detector, 'instance', 0.2, 'give symmetric or shift or missing'),
        (
            classifier_config(folders, tmp_path),
            'shift',
            0.2,
            'give symmetric or instance',
        ),
        (segmentor_config(maps, tmp_path), 'symmetric', 0.2, 'neither one'),
        (detector, 'symmetric', 1.0, 'above 0 and below 1'),
    ]
    for cfg, kind, ratio, reason in cases:
        with pytest.raises(ConfigError, match=reason):
            plant_noise(cfg, kind, ratio)


def test_human_labels_are_taken_where_their_clean_ones_agree(
    folders: Path, classifier: tuple[Path, NoisyLabels], tmp_path: Path
) -> None:
    _, labels = classifier
    theirs = dict(
        clean_label=labels.clean,
        worse_label=labels.noisy,
        aggre_label=labels.clean,
    )
    torch.save(theirs, tmp_path / 'human.pt')
    cfg = classifier_config(folders, tmp_path)
    found = human_labels(cfg, tmp_path / 'human.pt', 'worse_label')
    assert found.noisy.tolist() == labels.noisy.tolist()
    with pytest.raises(ConfigError, match='worse_label, aggre_label; name'):
        human_labels(cfg, tmp_path / 'human.pt', None)
    torch.save(theirs | dict(clean_label=labels.noisy), tmp_path / 'human.pt')
    with pytest.raises(ConfigError, match='not those of the config'):
        human_labels(cfg, tmp_path / 'human.pt', 'worse_label')
    (tmp_path / 'human.pt').write_bytes(b'nothing')
    with pytest.raises(ConfigError, match='cannot be read'):
        human_labels(cfg, tmp_path / 'human.pt', 'worse_label')
