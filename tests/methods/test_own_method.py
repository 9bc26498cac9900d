"""The page on custom methods: its code is run exactly as written."""

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import HOOKS

import ies_mm.selection
from ies_mm.configuring.preflight import check_config
from ies_mm.engine import PerImageLossHook
from ies_mm.errors import ConfigError
from ies_mm.selection import (
    Decision,
    Method,
    Selection,
    SelectionHook,
    Standing,
)
from method_cases import config_of
from runs import epochs_of, instances_of, train, with_hook
from same_runs import assert_same_run, by_epochs, by_iterations, resumed

PAGE = Path(__file__).parents[2] / 'docs' / 'own_method.md'
BLOCKS = re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.S)


def run(*parts: str) -> dict[str, Any]:
    """What the page's blocks with any of these words define."""
    module = ModuleType('my_rules')
    for block in BLOCKS:
        if any(part in block for part in parts):
            exec(block, vars(module))
    return vars(module)


@pytest.fixture(scope='module', autouse=True)
def page() -> Any:
    """Everything except the config; its hooks are removed afterwards."""
    before = dict(HOOKS.module_dict)
    yield run('class ', 'def ')
    HOOKS.module_dict.clear()
    HOOKS.module_dict.update(before)


def test_the_pages_own_tests(page: dict) -> None:
    tests = [name for name in page if name.startswith('test_')]
    assert len(tests) == 2
    for name in tests:
        page[name]()


def own(folders: Path, work_dir: Path, **hook: Any) -> Config:
    config = config_of(folders, work_dir, 4)
    config.default_hooks.ies = dict(keep_history=True, **hook)
    return config


def test_the_hardest_in_a_training(
    page: dict, folders: Path, tmp_path: Path
) -> None:
    """A loop over the records computes what should have been pruned."""
    config = own(folders, tmp_path, type='PruneHardestHook', ratio=0.2)
    check_config(config)
    train(config)
    records, run = epochs_of(tmp_path), instances_of(tmp_path)
    out: set[int] = set()
    for losses, trained in zip(
        run['losses'][:-1], run['trained'][1:], strict=True
    ):
        total = losses.sum(axis=1)
        able = [i for i in range(len(total)) if i not in out]
        hardest = sorted(able, key=lambda i: -total[i])
        out = set(hardest[:4])
        assert set(np.flatnonzero(~trained)) == out
    assert [r['excluded'] for r in records] == [0, 4, 4, 4]
    assert [r['forward_only'] for r in records] == [0, 4, 4, 0]
    assert {r['method'] for r in records} == {'PruneHardest'}


def test_what_it_remembers_is_resumed(
    page: dict, folders: Path, tmp_path: Path
) -> None:
    """From within a pass, before its decision."""
    hook = page['PruneHardestHook']
    whole, again = tmp_path / 'whole', tmp_path / 'again'
    train(by_iterations(folders, whole), with_hook(hook(0.2)))
    config = resumed(by_iterations(folders, again), whole, 'iter_12.pth')
    train(config, with_hook(hook(0.2)))
    last = Path((whole / 'last_checkpoint').read_text()).name
    assert_same_run(again, whole, last)


def test_rare_classes_in_a_training(
    page: dict, folders: Path, tmp_path: Path
) -> None:
    """20 images of 3 classes in turn: 7, 7 and 6; the last class is rare."""
    config = own(folders, tmp_path, type='RareClassesHook', below=7, begin=2)
    check_config(config)
    train(config)
    run = instances_of(tmp_path)
    rare = np.array(['/cat/' in path for path in run['identity']])
    assert rare.sum() == 6
    expected = [[True] * 20, [True] * 20, rare, rare]
    assert run['trained'].tolist() == np.array(expected).tolist()
    assert not any(r['forward_only'] for r in epochs_of(tmp_path))


def test_a_rehearsal_on_the_records_of_a_plain_run(
    page: dict, folders: Path, tmp_path: Path
) -> None:
    config = by_epochs(folders, tmp_path)
    config.train_dataloader.sampler.type = 'DefaultSampler'
    train(config, with_hook(PerImageLossHook()))
    rule = page['PruneHardest'](ratio=0.2)
    found = list(page['rehearse'](rule, tmp_path))
    out: set[int] = set()
    for ids, losses in zip(
        found, instances_of(tmp_path)['losses'], strict=True
    ):
        able = [i for i in range(len(losses)) if i not in out]
        out = set(sorted(able, key=lambda i: -losses[i, 0])[:4])
        assert set(ids.tolist()) == out


class BelowMedian(Method):
    """Prunes the images with the lowest losses; the naive rule."""

    def decide(self, history: Any, names: Any, standing: Any) -> Decision:
        total = history.values[-1].sum(dim=1)
        active = total >= total.median()
        return Decision(~active, Selection(active))


class Stale(BelowMedian):
    """The same, without scoring pruned images."""

    refreshes = False


def total_seen(folders: Path, work_dir: Path, method: Method) -> np.ndarray:
    """bool (epochs, N), which losses were observed, trained or not."""
    hook = SelectionHook(method, keep_history=True)
    train(config_of(folders, work_dir, 5), with_hook(hook))
    return ~np.isnan(instances_of(work_dir)['losses'][..., 0])


def test_a_naive_rule_judges_no_image_by_an_old_loss(
    folders: Path, tmp_path: Path
) -> None:
    """As long as a decision follows; no image is pruned forever."""
    seen = total_seen(folders, tmp_path / 'safe', BelowMedian())
    assert seen[:-1].all()
    trained = instances_of(tmp_path / 'safe')['trained']
    assert trained[-1].sum() < len(trained[-1])
    came_back = trained[1:] & ~trained[:-1]
    assert came_back.any()
    stale = total_seen(folders, tmp_path / 'stale', Stale())
    trained = instances_of(tmp_path / 'stale')['trained']
    assert (stale == trained).all()


@pytest.mark.parametrize(
    ('epoch', 'refreshes', 'due'),
    [(1, True, True), (10, True, False), (1, False, False)],
)
def test_who_is_due(epoch: int, refreshes: bool, due: bool) -> None:
    method = BelowMedian()
    method.refreshes = refreshes
    method.begin_training(3, 0)
    found = method.due(Standing(3, epoch, 10))
    assert (found.dtype, found.tolist()) == (torch.bool, [due] * 3)


class Wrong(Method):
    """Returns an invalid selection."""

    def __init__(self, active: Any, weight: Any = None) -> None:
        self.active = active
        self.weight = weight

    def decide(self, history: Any, names: Any, standing: Any) -> Decision:
        return Decision(self.active, Selection(self.active, self.weight))


@pytest.mark.parametrize(
    ('method', 'message'),
    [
        (
            Wrong(torch.arange(4)),
            r'Wrong: the active of .* be torch.bool .* found torch.int64 .*4',
        ),
        (
            Wrong(torch.ones(20, dtype=torch.bool), torch.ones(20).double()),
            r'the weight of .* be torch.float32 .* found torch.float64',
        ),
    ],
)
def test_what_is_no_selection(
    folders: Path, tmp_path: Path, method: Method, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        train(
            config_of(folders, tmp_path, 2), with_hook(SelectionHook(method))
        )


def test_a_method_is_named_by_its_class_where_it_has_no_name() -> None:
    class Named(BelowMedian):
        name = 'Below the median'

    class Further(Named):
        pass

    assert BelowMedian.name == 'BelowMedian'
    assert Further.name == Named.name == 'Below the median'


def test_the_page_names_what_is_exported() -> None:
    named = re.findall(r'^\| `(\w+)` \|', PAGE.read_text(), re.M)
    assert sorted(named) == sorted(ies_mm.selection.__all__)
    for name in named:
        assert getattr(ies_mm.selection, name).__doc__


def test_the_pages_config_selects(folders: Path, tmp_path: Path) -> None:
    """The keys that it sets, in one of this suite's trainings."""
    [block] = [b for b in BLOCKS if b.startswith('custom_imports')]
    names: dict[str, Any] = {}
    exec(block, names)
    config = config_of(folders, tmp_path, 2)
    config.merge_from_dict(
        {key: names[key] for key in ('default_hooks', 'train_dataloader')}
    )
    check_config(config)
    assert names['custom_imports']['imports'][0] == 'ies_mm.engine'


def test_a_hook_without_the_sampler_may_leave_nothing_out(
    folders: Path, tmp_path: Path
) -> None:
    """It would log and record the pruning, but train everything."""
    config = config_of(folders, tmp_path, 2)
    config.train_dataloader.sampler.type = 'DefaultSampler'
    hook = SelectionHook(BelowMedian())
    hook.needs_sampler = False
    with pytest.raises(ConfigError, match=r'\d images, but.* = False.*IESSa'):
        train(config, with_hook(hook))
