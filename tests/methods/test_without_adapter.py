"""Methods on a model whose head has no adapter, by the fall-back."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.runner import Runner
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.registry import MODELS

from ies_mm.configuring.preflight import check_config
from ies_mm.engine import IESHook
from ies_mm.errors import UnsupportedModelError
from ies_mm.methods.method import WEIGHTS
from ies_mm.training.hook import step_comparison
from method_cases import METHODS, config_of
from runs import epochs_of, instances_of, parameters, train


def weights_images(hook: dict) -> bool:
    return MMENGINE_HOOKS.build(dict(hook)).method.needs_steps == WEIGHTS


@MODELS.register_module(force=True)
class UnknownHead(LinearClsHead):
    """Computes the same loss, as far as no adapter can know."""

    def _get_loss(self, *args: Any, **kwargs: Any) -> dict:
        return super()._get_loss(*args, **kwargs)


# Every method but IES, whose fall-back has tests of its own.
HOOKS = [
    dict(type=hook.__name__, **arguments)
    for hook, arguments in METHODS
    if hook is not IESHook
] + [dict(type='SoftIESHook', saved=0.3, window=1, weighted=False)]
WEIGHTED = [hook for hook in HOOKS if weights_images(hook)]
UNWEIGHTED = [hook for hook in HOOKS if hook not in WEIGHTED]


def kind_of(hook: dict) -> str:
    return hook['type']


def config_with(
    folders: Path, work_dir: Path, head: str, hook: dict
) -> Config:
    config = config_of(folders, work_dir, 4)
    config.model.head.type = head
    config.default_hooks.ies = dict(keep_history=True, **hook)
    return config


def no_step(runner: Runner) -> None:
    def refuse(*args: Any) -> None:
        raise AssertionError

    runner.model.train_step = refuse


@pytest.mark.parametrize('hook', UNWEIGHTED, ids=kind_of)
def test_it_is_the_training_with_an_adapter(
    folders: Path, tmp_path: Path, hook: dict
) -> None:
    """The same head under a known name has an adapter."""
    known = config_with(folders, tmp_path / 'a', 'LinearClsHead', hook)
    unknown = config_with(folders, tmp_path / 'b', 'UnknownHead', hook)
    unknown.default_hooks.ies.fallback = True
    check_config(unknown)
    expected, found = parameters(train(known)), parameters(train(unknown))
    assert all(torch.equal(found[k], expected[k]) for k in expected)
    assert epochs_of(tmp_path / 'b')[-1]['excluded'] > 0
    ours, theirs = instances_of(tmp_path / 'b'), instances_of(tmp_path / 'a')
    assert np.array_equal(ours['trained'], theirs['trained'])
    np.testing.assert_allclose(ours['losses'], theirs['losses'], rtol=1e-4)


@pytest.mark.parametrize('hook', [*UNWEIGHTED, *WEIGHTED], ids=kind_of)
def test_it_is_not_taken_unasked(
    folders: Path, tmp_path: Path, hook: dict
) -> None:
    config = config_with(folders, tmp_path, 'UnknownHead', hook)
    with pytest.raises(UnsupportedModelError, match='losses for head=Unknown'):
        check_config(config)


@pytest.mark.parametrize('hook', WEIGHTED, ids=kind_of)
def test_weights_need_an_adapter(
    folders: Path, tmp_path: Path, hook: dict
) -> None:
    """Before anything is built, and again before the first step."""
    config = config_with(folders, tmp_path, 'UnknownHead', hook)
    config.default_hooks.ies.fallback = True
    for check in (check_config, lambda config: train(config, no_step)):
        with pytest.raises(UnsupportedModelError) as error:
            check(copy.deepcopy(config))
        assert 'weights the loss of each image' in str(error.value)
        assert 'the fall-back has no shares' in str(error.value)
        assert 'head=UnknownHead' in str(error.value)
        assert '\n' not in str(error.value)


def test_with_an_adapter_the_argument_changes_nothing(
    folders: Path, tmp_path: Path
) -> None:
    hook = dict(type='InfoBatchHook', anneal=0.0)
    config = config_with(folders, tmp_path / 'a', 'LinearClsHead', hook)
    expected = parameters(train(config))
    config.work_dir = str(tmp_path / 'b')
    config.default_hooks.ies.fallback = True
    found = parameters(train(config))
    assert all(torch.equal(found[k], expected[k]) for k in expected)
    assert epochs_of(tmp_path / 'b')[-1]['excluded'] > 0


def test_a_method_that_reads_no_losses_needs_none(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any model will do, and no step is captured."""
    hook = dict(type='RandomRemovalHook', ratio=0.3)
    known = config_with(folders, tmp_path / 'a', 'LinearClsHead', hook)
    expected = parameters(train(known))

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(step_comparison, 'weight_per_image_losses', refuse)
    unknown = config_with(folders, tmp_path / 'b', 'UnknownHead', hook)
    del unknown.default_hooks.ies.keep_history
    check_config(unknown)
    found = parameters(train(unknown))
    assert all(torch.equal(found[k], expected[k]) for k in expected)
    for ours, theirs in zip(
        epochs_of(tmp_path / 'b'), epochs_of(tmp_path / 'a'), strict=True
    ):
        assert ours['loss'] == {}
        for key in ('trained', 'excluded', 'forward_only', 'saved'):
            assert ours[key] == theirs[key]
    kept = instances_of(tmp_path / 'b')
    assert kept['losses'].shape == (*kept['trained'].shape, 0)
