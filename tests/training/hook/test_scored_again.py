"""Pruned images are scored with the present weights, and may come back."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from runs import (
    FixedSelection,
    epochs_of,
    ies_config,
    instances_of,
    parameters,
    train,
    with_hook,
)


def test_refresh_leaves_random_numbers_and_weights_alone(
    voc: Path, tmp_path: Path
) -> None:
    """Two runs that differ only in scoring the excluded images."""
    results = []
    for name, interval in (('every', 1), ('never', 100)):
        config = ies_config(voc, tmp_path / name, epochs=4, delta=0)
        config.default_hooks.pop('ies')
        config.train_dataloader.batch_size = 6  # no image is left alone
        plan = {1: [0, 3], 2: [0, 5, 7], 3: [4, 2]}
        hook = FixedSelection(plan, refresh_interval=interval)
        results.append(parameters(train(config, with_hook(hook))))
        scored = [r['forward_only'] for r in epochs_of(tmp_path / name)]
        assert scored == ([0, 2, 3, 2] if interval == 1 else [0] * 4)
    assert all(torch.equal(results[0][k], results[1][k]) for k in results[0])


def test_refresh_scores_the_present_weights_alone(
    voc: Path, tmp_path: Path
) -> None:
    """A scored loss equals that of a plain evaluation-mode forward."""
    config = ies_config(voc, tmp_path, epochs=2, delta=0)
    config.default_hooks.pop('ies')
    config.train_dataloader.dataset.pipeline[3].prob = 0.0
    # Few anchors and RoIs: all are used, none sampled.
    for part in (config.model.train_cfg.rpn, config.model.train_cfg.rcnn):
        part.sampler.num = 10**6
        part.sampler.pos_fraction = 1.0
    # One image per batch, as in the forward it is compared with.
    config.train_dataloader.batch_size = 1
    hook = FixedSelection({1: [2, 9]}, keep_history=True)
    runner = train(config, with_hook(hook))
    arrays = instances_of(tmp_path)

    dataset = runner.train_dataloader.dataset
    model = runner.model.eval()
    for instance in (2, 9):
        item = dataset[instance]
        batch = dict(
            inputs=[item['inputs']], data_samples=[item['data_samples']]
        )
        data = model.data_preprocessor(copy.deepcopy(batch), True)
        with torch.no_grad():
            losses = model(**data, mode='loss')
        expected = [
            float(torch.stack(list(losses[term])).sum())
            if isinstance(losses[term], list)
            else float(losses[term])
            for term in arrays['terms']
        ]
        assert arrays['losses'][1, instance] == pytest.approx(
            expected, rel=1e-5
        )


def test_an_excluded_image_whose_loss_moves_is_trained_again(
    voc: Path, tmp_path: Path
) -> None:
    """Fixed weights make all curves flat; then one image's label changes."""

    class ChangeLabel(Hook):
        def before_train_epoch(self, runner: Runner) -> None:
            if runner.epoch == 7:
                leaf = runner.train_dataloader.dataset
                info = leaf.get_data_info(4)
                for instance in info['instances']:
                    instance['bbox'] = [1.0, 1.0, 30.0, 30.0]
                leaf.data_list[4] = info

    config = ies_config(
        voc, tmp_path, epochs=9, delta=1e-6, keep_history=True,
    )  # fmt: skip
    config.optim_wrapper.optimizer.lr = 0.0
    config.model.backbone.norm_eval = True
    config.train_dataloader.dataset.serialize_data = False
    config.train_dataloader.dataset.pipeline[3].prob = 0.0
    for part in (config.model.train_cfg.rpn, config.model.train_cfg.rcnn):
        part.sampler.num = 10**6
        part.sampler.pos_fraction = 1.0
    # One image per batch, or padding would differ between epochs.
    config.train_dataloader.batch_size = 1
    config.train_dataloader.batch_sampler = None
    # One image never becomes flat and keeps the training alive.
    config.train_dataloader.dataset.pipeline.insert(
        4, dict(type='Jitter', image=11)
    )

    train(config, with_hook(ChangeLabel()))
    trained = instances_of(tmp_path)['trained']
    assert trained[:6].all()
    assert list(np.flatnonzero(trained[6])) == [11]
    assert list(np.flatnonzero(trained[7])) == [11]
    assert list(np.flatnonzero(trained[8])) == [4, 11]
    assert epochs_of(tmp_path)[8]['reincluded'] == 1
