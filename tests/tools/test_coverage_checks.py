"""Faults that the coverage tool's checks detect."""

import copy
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ies_mm.losses import CapturedLosses, capture_per_image_losses


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
    """Make every capture of the tool end with a fault."""

    @contextmanager
    def faulty(model: nn.Module, **kwargs: Any) -> Iterator[CapturedLosses]:
        with capture_per_image_losses(model, **kwargs) as captured:
            yield captured
        fault(model, captured)

    for part in ('steps', 'checks'):
        name = 'capture_per_image_losses'
        monkeypatch.setattr(tool(part), name, faulty)


def forget_the_graph(model: nn.Module, captured: CapturedLosses) -> None:
    """Shares whose gradient does not match their value."""
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
    assert not tool('rows')._is_rounding(model, data, 1)


@pytest.mark.filterwarnings('ignore')
def test_a_difference_that_double_precision_lacks_is_rounding(
    monkeypatch: pytest.MonkeyPatch, tool: Any, pair: Any
) -> None:
    def round_coarsely(model: nn.Module, captured: CapturedLosses) -> None:
        if next(model.parameters()).dtype == torch.float32:
            scaled(captured.losses, [1, 1.001])

    model, _, data = pair
    plant(monkeypatch, tool, round_coarsely)
    assert tool('checks').check_alone(model, data)
    assert tool('rows')._is_rounding(model, data, 1)


def test_an_image_alone_gets_the_proposals_of_the_batch(tool: Any) -> None:
    proposals = tool('proposals')
    detector = nn.Module()
    detector.rpn_head = nn.Module()
    detector.rpn_head.loss_and_predict = lambda boxes: (boxes.sum(), [*boxes])
    with proposals.noted(detector) as noted:
        detector.rpn_head.loss_and_predict(torch.tensor([1.0, 2.0]))
    with proposals.given(detector, noted[1:], copies=2):
        loss, given = detector.rpn_head.loss_and_predict(torch.tensor([5.0]))
    assert (float(loss), [*map(float, given)]) == (5, [2, 2])
    loss, own = detector.rpn_head.loss_and_predict(torch.tensor([5.0]))
    assert [*map(float, own)] == [5]
    with proposals.noted(nn.Module()) as noted:
        pass
    assert noted == []


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('missing', [True, False])
def test_an_image_that_the_model_cannot_run_alone(
    tool: Any, pair: Any, monkeypatch: pytest.MonkeyPatch, missing: bool
) -> None:
    """It has no losses to compare with, if it lacks a term in the batch."""
    model, _, data = pair
    own_losses = tool('checks').own_losses

    def lack(model: nn.Module, captured: CapturedLosses) -> None:
        captured.missing['loss'] = torch.tensor([False, missing])

    def alone(model: nn.Module, one: dict) -> dict:
        assert one['data_samples'][0] is not data['data_samples'][1]
        return own_losses(model, one)

    plant(monkeypatch, tool, lack)
    monkeypatch.setattr(tool('checks'), 'own_losses', alone)
    if missing:
        assert tool('checks').check_alone(model, data) == []
    else:
        with pytest.raises(AssertionError):
            tool('checks').check_alone(model, data)


@pytest.mark.parametrize('fault', ['another loss', 'a trace', 'raises'])
def test_a_fault_in_scoring_is_seen(
    monkeypatch: pytest.MonkeyPatch, tool: Any, pair: Any, fault: str
) -> None:
    """Behaviour that depends on the mode, or counts during scoring."""
    if fault == 'a trace':  # Otherwise it is undone.
        keeps = 'ies_mm.training.scoring.scoring.state_of'
        monkeypatch.setattr(keeps, lambda state: nullcontext())
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
