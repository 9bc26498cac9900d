"""The coverage tool: its rows, and that its checks see what is wrong."""

import copy
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import Tensor, nn

from commands import call
from ies_mm.losses import CapturedLosses, capture_per_image_losses

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
# Rows that an update of OpenMMLab must not change: one of every adapter.
EXACT = {
    'mmdet': ['Faster R-CNN', 'RetinaNet'],
    'mmseg': ['FCN', 'DeepLabv3', 'SegFormer', 'OCRNet'],
    'mmpretrain': ['LinearClsHead', 'MultiLabelLinearClsHead'],
}


@pytest.fixture(scope='module')
def tool() -> Iterator[Callable[[str], ModuleType]]:
    """Imports a module of the tool by the end of its name."""
    sys.path.append(str(TOOLS))
    yield lambda part: __import__(f'_coverage_{part}')
    sys.path.remove(str(TOOLS))


@pytest.fixture
def family(tool: Any) -> Callable[[str, str], Any]:
    def find(library: str, name: str) -> Any:
        rows = tool('families').families(library)
        return next(row for row in rows if row.name == name)

    return find


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize(
    ('library', 'name'),
    [(library, name) for library, names in EXACT.items() for name in names],
)
def test_families_that_are_exact(
    monkeypatch: pytest.MonkeyPatch,
    tool: Any,
    family: Any,
    library: str,
    name: str,
) -> None:
    monkeypatch.setattr(tool('rows'), 'BUDGET', 0.0)
    row = tool('rows').check_family(family(library, name))
    assert (row.verdict, row.note) == ('exact', '')
    assert row.overhead > 0
    assert row.adapters


# Heads whose losses are told apart by rows, one of every way to flatten and
# to count; several images, some without an object.
BY_ROWS = [
    'CenterNet',
    'CondInst',
    'DETR',
    'FCOS',
    'GFL',
    'Mask R-CNN',
    'Mask2Former',
    'RepPoints',
    'RTMDet',
    'RTMDet-Ins',
    'SOLOv2',
    'Sparse R-CNN',
    'TOOD',
    'YOLOF',
    'YOLOv3',
    'YOLOX',
]


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('name', BY_ROWS)
def test_losses_by_rows_are_exact_and_cost_little(
    monkeypatch: pytest.MonkeyPatch, tool: Any, family: Any, name: str
) -> None:
    monkeypatch.setattr(tool('rows'), 'BUDGET', 0.0)
    row = tool('rows').check_family(family('mmdet', name), images=4)
    assert (row.verdict, row.note) == ('exact', '') or row.family.share_exact
    assert row.counts.captured < 1.1
    assert row.counts.waits <= 4


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('name', ['DETR', 'FCOS'])
def test_losses_are_exact_in_two_processes(
    tool: Any, family: Any, name: str
) -> None:
    row = tool('processes').isolated(family('mmdet', name), processes=2)
    assert (row.verdict, row.note) == ('exact', '')


@pytest.mark.filterwarnings('ignore')
def test_a_refused_family_says_why(
    monkeypatch: pytest.MonkeyPatch, tool: Any, family: Any
) -> None:
    small = family('mmpretrain', 'ShuffleNetV2')
    reduction = dict(head=dict(loss=dict(reduction='sum')))
    monkeypatch.setattr(type(small), 'changes', reduction)
    row = tool('rows').check_family(small)
    assert row.verdict == 'refused'
    assert "need reduction='mean'" in row.note


@pytest.mark.filterwarnings('ignore')
def test_a_config_that_cannot_be_built_says_why(
    monkeypatch: pytest.MonkeyPatch, tool: Any, family: Any
) -> None:
    small = family('mmpretrain', 'ShuffleNetV2')
    wrong = dict(backbone=dict(type='NoSuchNet'))
    monkeypatch.setattr(type(small), 'changes', wrong)
    row = tool('rows').check_family(small)
    assert row.verdict == 'not built'
    assert 'NoSuchNet' in row.note


def every(config: Any, key: str) -> list:
    """The values of a key, however deep it lies."""
    parts = config.values() if isinstance(config, dict) else config
    found = [config[key]] if isinstance(config, dict) and key in config else []
    for part in parts:
        if isinstance(part, dict | list | tuple):
            found += every(part, key)
    return found


@pytest.mark.parametrize('library', ['mmdet', 'mmseg', 'mmpretrain'])
def test_reduction_keeps_every_layer_and_loss(tool: Any, library: str) -> None:
    """All types of a model, but for those that are known to go."""
    gone = {'Pretrained', 'SyncBN', 'BN', 'Mixup', 'CutMix', 'ResizeMix'}
    for row in tool('families').families(library)[:12]:
        shipped = Config.fromfile(row.path).model.to_dict()
        reduced = tool('reduce').reduced(shipped, library)
        before, after = (set(every(m, 'type')) for m in (shipped, reduced))
        missing = {kind for kind in before - after if kind not in gone}
        assert not {m for m in missing if not m.startswith('Batch')}
        assert after <= before | {'BN'}


def test_reduction_takes_away_what_needs_the_network(tool: Any) -> None:
    init = dict(type='Pretrained', checkpoint='https://x/y.pth')
    config = dict(
        pretrained='torchvision://resnet50',
        backbone=dict(norm_cfg=dict(type='SyncBN'), init_cfg=init),
        neck=dict(init_cfg=[dict(type='Kaiming'), init], with_cp=True),
        head=dict(init_cfg=dict(type='Normal'), num_queries=300),
        data_preprocessor=dict(batch_augments=[dict(type='Mixup')]),
    )
    assert tool('reduce').reduced(config, 'mmdet') == dict(
        pretrained=None,
        backbone=dict(norm_cfg=dict(type='BN')),
        neck=dict(with_cp=False),
        head=dict(init_cfg=dict(type='Normal'), num_queries=40),
        data_preprocessor=dict(batch_augments=None),
    )


DRAWS: dict[str, Callable[[int], Any]] = {
    'rand': lambda n: torch.rand(n, 3, 2),
    'rand_like': lambda n: torch.rand_like(torch.zeros(n, 5)),
    'randn': lambda n: torch.randn((n, 20)),
    'normal_': lambda n: torch.zeros(n, 20).normal_(),
    'uniform_': lambda n: torch.zeros(n, 4).uniform_(2, 3),
    'randint': lambda n: torch.randint(3, 9, (n, 6)),
    'randint_like': lambda n: torch.randint_like(torch.zeros(n, 6), 0, 9),
}


@pytest.mark.parametrize('name', DRAWS)
def test_an_image_draws_the_same_in_every_batch(tool: Any, name: str) -> None:
    with tool('draws').same_draws():
        rows = [row for n in (1, 2, 5) for row in DRAWS[name](n)]
    assert all(torch.equal(row, rows[0]) for row in rows)
    assert len(rows[0].unique()) > 1


def test_draws_keep_to_their_range(tool: Any) -> None:
    with tool('draws').same_draws():
        whole = torch.randint(3, 9, (1, 500))
        real = torch.zeros(1, 500).uniform_(2, 3)
        assert 0.9 < torch.randn(1, 5000).std() < 1.1
    assert set(whole.unique().tolist()) == {3, 4, 5, 6, 7, 8}
    assert 2 <= real.min() < 2.1 < 2.9 < real.max() <= 3


def test_permutations_and_other_libraries_repeat_themselves(tool: Any) -> None:
    with tool('draws').same_draws():
        for draw in (
            lambda: torch.randperm(20).tolist(),
            lambda: np.random.permutation(20).tolist(),
            lambda: random.sample(range(20), 20),
        ):
            assert draw() == draw() != sorted(draw())
        ones = torch.ones(8)
        assert torch.equal(torch.nn.functional.dropout(ones), ones)
    assert random.random() != random.random()


@pytest.fixture
def pair(tool: Any, family: Any) -> tuple[Any, Any, dict]:
    """A model, its plain step and its batch."""
    small = family('mmpretrain', 'ShuffleNetV2')
    cfg = tool('reduce').load(small)
    torch.manual_seed(0)
    model = tool('reduce').build(cfg, small)
    sizes = ((64, 64), (64, 64))
    data = tool('data').prepared(model, cfg, 'mmpretrain', sizes)
    plain = tool('steps').plain_step(copy.deepcopy(model), data)
    return model, plain, data


Fault = Callable[[nn.Module, CapturedLosses], None]


def scaled(values: dict[str, Tensor], factor: Any) -> None:
    for term in values:
        values[term] = values[term] * torch.as_tensor(factor)


def plant(monkeypatch: pytest.MonkeyPatch, tool: Any, fault: Fault) -> None:
    """Have every capture of the tool end with a fault."""

    @contextmanager
    def faulty(model: nn.Module, **kwargs: Any) -> Iterator[CapturedLosses]:
        with capture_per_image_losses(model, **kwargs) as captured:
            yield captured
        fault(model, captured)

    for part in ('steps', 'checks'):
        name = 'capture_per_image_losses'
        monkeypatch.setattr(tool(part), name, faulty)


def forget_the_graph(model: nn.Module, captured: CapturedLosses) -> None:
    """Shares whose gradient is another than their value's."""
    for term, share in captured.shares.items():
        captured.shares[term] = share.detach() + (share - share.detach()) * 2


def count(model: nn.Module, captured: CapturedLosses) -> None:
    model.head.seen = getattr(model.head, 'seen', 0) + 1


def patch_for_good(model: nn.Module, captured: CapturedLosses) -> None:
    model.head.loss = model.head.loss


def spoil_a_gradient(model: nn.Module, captured: CapturedLosses) -> None:
    gradient = next(model.parameters()).grad
    if gradient is not None:
        gradient[0] = gradient[0].nextafter(torch.tensor(torch.inf))


FAULTS: dict[str, tuple[Fault, str]] = {
    'wrong share': (lambda m, c: scaled(c.shares, [1.0001, 1]), 'add up to'),
    'wrong gradient': (forget_the_graph, 'gradient of the summed shares'),
    'no share': (lambda m, c: c.shares.clear(), 'shares of [], not of'),
    'one number': (
        lambda m, c: c.losses.update(loss=c.losses['loss'].sum()),
        'not (N,): loss',
    ),
    'half precision': (
        lambda m, c: c.losses.update(loss=c.losses['loss'].half()),
        'no float32',
    ),
    'torch drew': (lambda m, c: torch.rand(1), 'random state'),
    'numpy drew': (lambda m, c: np.random.rand(), 'random state'),
    'python drew': (lambda m, c: random.random(), 'random state'),
    'gradient changed': (spoil_a_gradient, 'gradients changed'),
    'counted': (count, 'memory changed: head.seen'),
    'left a patch': (patch_for_good, 'left behind: head.loss'),
}


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('name', FAULTS)
def test_a_fault_in_the_step_is_seen(
    monkeypatch: pytest.MonkeyPatch, tool: Any, pair: Any, name: str
) -> None:
    fault, message = FAULTS[name]
    model, plain, data = pair
    assert tool('rows').step_wrong(copy.deepcopy(model), plain, data) == []
    plant(monkeypatch, tool, fault)
    assert message in '; '.join(tool('rows').step_wrong(model, plain, data))


@pytest.mark.filterwarnings('ignore')
def test_a_wrong_per_image_loss_is_seen(
    monkeypatch: pytest.MonkeyPatch, tool: Any, pair: Any
) -> None:
    model, _, data = pair
    assert tool('checks').check_alone(model, data) == []
    plant(monkeypatch, tool, lambda m, c: scaled(c.losses, [1, 1.001]))
    [wrong] = tool('checks').check_alone(model, data)
    assert wrong.startswith('loss: image 1 has ')


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('fault', ['another loss', 'a trace', 'raises'])
def test_a_fault_in_scoring_is_seen(tool: Any, pair: Any, fault: str) -> None:
    """What a head does by the model's mode, or counts while it is scored."""
    model, _, data = pair
    original = model.head.loss

    def loss(*args: Any, **kwargs: Any) -> Any:
        if fault == 'a trace':
            model.head.seen += not torch.is_grad_enabled()
        if fault == 'raises' and not torch.is_grad_enabled():
            raise RuntimeError('in scoring')
        losses = original(*args, **kwargs)
        factor = 1.0 if torch.is_grad_enabled() else 1.01
        if fault == 'another loss':
            losses = {k: v * factor for k, v in losses.items()}
        return losses

    assert tool('checks').check_scoring(model, data) == []
    model.head.seen = torch.zeros(1, dtype=torch.long)
    model.head.loss = loss
    if fault == 'raises':
        with pytest.raises(RuntimeError, match='in scoring'):
            tool('checks').check_scoring(model, data)
        return
    [wrong] = tool('checks').check_scoring(model, data)
    words = {'another loss': 'is scored', 'a trace': 'left behind'}
    assert words[fault] in wrong


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    page = tmp_path / 'page.md'
    result = call(TOOLS / 'coverage.py', '--family', 'LeNet', '--out', page)
    assert result.returncode == 0
    row = '| **LeNet** | `lenet/lenet5_mnist.py` | cls_head | exact |'
    assert result.stdout.startswith(row)
    text = page.read_text()
    assert '\n## mmpretrain\n| family |' in text
    assert f'\n{row}' in text
    assert '**1 of 1 named families are exact**' in text
    assert f'torch {torch.__version__}, mmengine ' in text


@pytest.fixture
def command(
    tool: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., None]:
    """The command, with rows that are made up."""
    path = TOOLS / 'coverage.py'
    spec = spec_from_file_location('coverage_tool', path)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, 'KEPT', tmp_path / 'kept')

    def run(verdict: str, *arguments: str) -> None:
        row = tool('rows').Row
        monkeypatch.setattr(
            module, 'isolated', lambda family, *how: row(family, verdict)
        )
        monkeypatch.setattr(sys, 'argv', ['coverage.py', *arguments])
        module.main()

    return run


def test_the_command_fails_where_anything_is_wrong(command: Any) -> None:
    for verdict in ('exact', 'share-exact', 'refused', 'not built'):
        command(verdict, '--family', 'LeNet')
    with pytest.raises(SystemExit, match='wrong: LeNet'):
        command('wrong', '--family', 'LeNet')


def test_the_command_refuses_a_family_that_is_not_there(
    command: Any, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit):
        command('exact', '--family', 'AlexNet')
    assert "error: there is no family 'AlexNet'\n" in capsys.readouterr().err


def test_resuming_keeps_the_rows_of_the_same_code_alone(
    command: Any, capsys: pytest.CaptureFixture, monkeypatch: Any, tool: Any
) -> None:
    command('exact', '--family', 'LeNet')
    command('refused', '--family', 'LeNet', 'VGG', '--resume')
    lines = capsys.readouterr().out.splitlines()
    verdicts = [line.split(' | ')[3] for line in lines]
    assert verdicts == ['exact', 'exact', 'refused']
    monkeypatch.setattr(tool('kept'), 'key', lambda: 'of other code')
    command('refused', '--family', 'LeNet', '--resume')
    assert '| refused |' in capsys.readouterr().out


def test_all_has_a_row_for_every_config(
    command: Any, capsys: pytest.CaptureFixture
) -> None:
    command('exact', '--all', '--library', 'mmseg', '--out', '/dev/null')
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) > 500
    assert any(
        '`fcn/fcn_r50-d8_4xb4-40k_voc12aug-512x512.py`' in r for r in rows
    )


def test_every_folder_of_configs_has_a_row(tool: Any) -> None:
    families = tool('families')
    for library in families.LIBRARIES:
        rows = families.families(library)
        assert all(row.path.is_file() for row in rows)
        shown = {row.config.partition('/')[0] for row in rows}
        shipped = {
            folder.name
            for folder in families.config_root(library).iterdir()
            if any(folder.glob('*.py'))
        }
        assert shipped - shown <= {'_base_', 'common'}
        assert len({row.name for row in rows}) == len(rows)


def test_the_command_is_not_taken_for_the_package_of_its_name() -> None:
    """numba asks for it, from every command beside it."""
    code = (
        f'import sys; sys.path.insert(0, {str(TOOLS)!r})\n'
        'import mmdet.datasets\n'
        "assert 'coverage' not in sys.modules"
    )
    subprocess.run([sys.executable, '-c', code], check=True)
