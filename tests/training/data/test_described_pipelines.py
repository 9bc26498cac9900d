"""A transform may be any callable, and a switch to another is noticed."""

import copy
import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from torch import nn

from ies_mm.training.data.pipeline_switches import described_pipeline


class Slotted:
    """A transform without ``__dict__``."""

    __slots__ = ('last', 'strength')

    def __init__(self, strength: float) -> None:
        self.strength = strength

    def __call__(self, results: Any) -> Any:
        self.last = np.random.rand()
        return results


@dataclass(slots=True)
class SlottedData:
    strength: float

    def __call__(self, results: Any) -> Any:
        return results


class OfDict(dict):
    """A class whose base, written in C, has no signature."""

    def __init__(self, strength: float) -> None:
        self.strength = strength

    def __call__(self, results: Any) -> Any:
        return results


class OfText(str):
    """The same, and none of its own."""

    def __call__(self, results: Any) -> Any:
        return results

    def again(self, results: Any) -> Any:
        return results


def half(results: Any, strength: float = 0.5) -> Any:
    return results


def whole(results: Any) -> Any:
    return results


def described(transform: Any) -> str:
    dataset = BaseDataset(lazy_init=True)
    dataset.pipeline.transforms = [transform]
    dataset.pipeline(1)
    return described_pipeline(dataset, nn.Identity())


@pytest.mark.parametrize(
    ('transform', 'other'),
    [
        (Slotted(0.5), Slotted(1.0)),
        (SlottedData(0.5), SlottedData(1.0)),
        (OfDict(0.5), OfDict(1.0)),
        (half, whole),
        (OfText().again, OfText('x')),
        (str, half),
        (abs, repr),
        (functools.partial(half), functools.partial(whole)),
        (functools.partial(half, strength=1), functools.partial(half)),
        (torch.is_tensor, torch.is_storage),
    ],
)
def test_a_switch_between_two_callables_is_noticed(
    transform: Any, other: Any
) -> None:
    assert described(transform) == described(copy.deepcopy(transform))
    assert described(transform) != described(other)


def test_a_slot_that_holds_the_last_draw_says_nothing() -> None:
    used = Slotted(0.5)
    used({})
    assert described(used) == described(Slotted(0.5))
    assert 'last' not in described(used)


def test_a_single_batch_augment_is_described_as_one_of_several() -> None:
    dataset = BaseDataset(lazy_init=True)
    model = nn.Module()
    model.data_preprocessor = nn.Module()
    model.data_preprocessor.batch_augments = half
    alone = described_pipeline(dataset, model)
    assert 'half' in alone
    model.data_preprocessor.batch_augments = [None, half]
    assert described_pipeline(dataset, model) == alone
