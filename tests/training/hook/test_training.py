"""Complete small trainings with IESHook and IESSampler."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

from runs import (
    TEST_PIPELINE,
    FixedSelection,
    dataset_config,
    epochs_of,
    ies_config,
    instances_of,
    parameters,
    plain_config,
    train,
    with_hook,
)

ALWAYS = dict(delta=1e9)
"""Masters every image as soon as it has enough observations."""


@pytest.mark.parametrize('workers', [0, 2])
def test_off_is_bit_identical_to_the_plain_run(
    voc: Path, tmp_path: Path, workers: int
) -> None:
    plain = plain_config(voc, tmp_path / 'plain')
    ies = ies_config(voc, tmp_path / 'ies', delta=0)
    for config in (plain, ies):
        config.train_dataloader.num_workers = workers
        config.train_dataloader.persistent_workers = workers > 0
    expected, found = parameters(train(plain)), parameters(train(ies))
    start = parameters(Runner.from_cfg(plain_config(voc, tmp_path / 'x')))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[k], expected[k]) for k in expected)
    assert any(not torch.equal(found[k], start[k]) for k in expected)


def test_records_of_a_run_that_excludes_and_takes_back(
    voc: Path, tmp_path: Path
) -> None:
    config = ies_config(voc, tmp_path, epochs=5, delta=0)
    config.default_hooks.pop('ies')
    config.train_dataloader.batch_size = 6  # no image is left alone
    plan = {1: [0, 3, 5], 2: [0, 5, 7, 8], 3: [0], 4: []}
    hook = FixedSelection(plan, keep_history=True)
    train(config, with_hook(hook))

    records, arrays = epochs_of(tmp_path), instances_of(tmp_path)
    assert [r['epoch'] for r in records] == [1, 2, 3, 4, 5]
    assert [r['excluded'] for r in records] == [0, 3, 4, 1, 0]
    assert [r['trained'] for r in records] == [12, 9, 8, 11, 12]
    assert [r['newly_excluded'] for r in records] == [0, 3, 2, 0, 0]
    assert [r['reincluded'] for r in records] == [0, 0, 1, 3, 1]
    assert [r['forward_only'] for r in records] == [0, 3, 4, 1, 0]
    assert [r['mastered'] for r in records] == [3, 4, 1, 0, 0]
    assert records[-1]['saved'] == pytest.approx(8 / 60)

    left_out = np.zeros((5, 12), dtype=bool)
    for epoch, ids in plan.items():
        left_out[epoch, ids] = True
    assert np.array_equal(arrays['trained'], ~left_out)
    assert arrays['losses'].shape == (5, 12, 4)
    assert arrays['losses'].dtype == np.float32
    assert np.isfinite(arrays['losses']).all()
    assert list(arrays['terms']) == list(records[0]['loss'])
    for epoch, record in enumerate(records):
        means = arrays['losses'][epoch].mean(axis=0)
        assert list(record['loss'].values()) == pytest.approx(means)
    images = {Path(path).stem for path in arrays['identity']}
    listed = (voc / 'VOC2007/ImageSets/Main/trainval.txt').read_text()
    assert images == set(listed.split())


def test_without_keep_history_the_last_epochs_are_kept(
    voc: Path, tmp_path: Path
) -> None:
    config = ies_config(
        voc, tmp_path, epochs=4, delta=0, order=1, window=2
    )  # fmt: skip
    train(config)
    arrays = instances_of(tmp_path)
    assert list(arrays['epochs']) == [2, 3, 4]
    assert arrays['losses'].shape == (3, 12, 4)


def test_dry_run_decides_but_trains_on_everything(
    voc: Path, tmp_path: Path
) -> None:
    arguments = dict(order=1, window=1, dry_run=True, **ALWAYS)
    config = ies_config(voc, tmp_path, epochs=5, **arguments)
    config.custom_hooks = [config.default_hooks.pop('ies')]
    train(config)
    records = epochs_of(tmp_path)
    assert [r['mastered'] for r in records] == [0, 0, 12, 12, 12]
    assert [r['trained'] for r in records] == [12] * 5
    assert records[-1]['saved'] == 0


def test_begin_and_anneal_bound_the_exclusion(
    voc: Path, tmp_path: Path
) -> None:
    """Half of epoch 3's losses are below delta: half may go in 4."""
    arguments = dict(epochs=7, order=0, window=1)
    dry = ies_config(
        voc, tmp_path / 'dry', delta=1, dry_run=True, keep_history=True,
        **arguments,
    )  # fmt: skip
    dry.train_cfg.max_epochs = 3
    train(dry)
    losses = instances_of(tmp_path / 'dry')['losses'].sum(axis=2)
    delta = float(np.median(losses[2]))
    excluded = {}
    for name, bounds in (
        ('free', dict()),
        ('bound', dict(begin=3, anneal=0.3)),
    ):
        work_dir = tmp_path / name
        train(ies_config(voc, work_dir, delta=delta, **arguments, **bounds))
        excluded[name] = [r['excluded'] for r in epochs_of(work_dir)]
    assert excluded['bound'] == [0, 0, 0, 6, 0, 0, 0]
    assert min(excluded['free'][4:]) > 0


def test_training_stops_when_everything_is_mastered(
    voc: Path, tmp_path: Path
) -> None:
    config = ies_config(voc, tmp_path, epochs=9, order=1, window=1, **ALWAYS)
    config.log_level = 'INFO'
    runner = train(config)
    assert [r['epoch'] for r in epochs_of(tmp_path)] == [1, 2, 3]
    assert runner.epoch == 3
    assert (tmp_path / 'epoch_3.pth').exists()
    assert (tmp_path / 'last_checkpoint').read_text().endswith('epoch_3.pth')
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert 'after 3 epochs: all 12 images are mastered' in log

    config.resume = True
    runner = train(config)
    assert runner.epoch == 3
    assert [r['epoch'] for r in epochs_of(tmp_path)] == [1, 2, 3]


def test_scalars_reach_hub_and_tensorboard(voc: Path, tmp_path: Path) -> None:
    config = ies_config(voc, tmp_path, epochs=3, delta=0)
    config.default_hooks.pop('ies')
    config.visualizer = dict(
        type='Visualizer',
        vis_backends=[dict(type='TensorboardVisBackend')],
    )
    runner = train(config, with_hook(FixedSelection({1: [1], 2: [2, 3]})))
    values = runner.message_hub.get_scalar('train/ies/excluded').data[0]
    assert values.tolist() == [0, 1, 2]
    saved = runner.message_hub.get_scalar('train/ies/saved').data[0]
    assert saved.tolist() == pytest.approx([0, 1 / 24, 3 / 36])

    runner.visualizer.close()
    events = EventAccumulator(str(next(tmp_path.glob('*/vis_data'))))
    events.Reload()
    shown = [event.value for event in events.Scalars('ies/excluded')]
    assert sorted(set(shown)) == [0, 1, 2]


def test_a_nan_loss_keeps_its_image_in_training_and_is_named_once(
    voc: Path, tmp_path: Path
) -> None:
    config = ies_config(
        voc, tmp_path, epochs=5, order=1, window=1, delta=1e9,
        keep_history=True,
    )  # fmt: skip
    config.optim_wrapper.optimizer.lr = 0.0
    config.train_dataloader.batch_size = 1
    config.train_dataloader.batch_sampler = None
    config.train_dataloader.dataset.pipeline.insert(
        4, dict(type='BrokenBox', image=6)
    )
    train(config)
    records, trained = epochs_of(tmp_path), instances_of(tmp_path)['trained']
    assert [r['non_finite'] for r in records] == [1] * 5
    assert trained[:, 6].all()
    assert [r['trained'] for r in records] == [12, 12, 12, 1, 1]
    log = ''.join(p.read_text() for p in tmp_path.glob('*/*.log'))
    assert log.count('a loss that is NaN') == 1
    path = instances_of(tmp_path)['identity'][6]
    assert path in log


def test_a_validation_without_a_training(voc: Path, tmp_path: Path) -> None:
    """``runner.val()`` with the same config; the hook does nothing."""
    config = ies_config(voc, tmp_path, delta=0.1)
    config.val_dataloader = dict(
        batch_size=4,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dataset_config(
            voc, 'test', test_mode=True, pipeline=TEST_PIPELINE
        ),
    )
    config.val_evaluator = dict(type='VOCMetric')
    config.val_cfg = dict(type='ValLoop')
    metrics = Runner.from_cfg(config).val()
    assert 'pascal_voc/mAP' in metrics
    assert not (tmp_path / 'ies').exists()
