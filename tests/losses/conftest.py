"""Patches of OpenMMLab for the tests of losses."""

from typing import Any

import pytest
import torch.nn.functional as F
from torch import Tensor

pytest.register_assert_rewrite('loss_checks')


class FirstColumns:
    """A one-hot tensor that returns ``[:, :n]`` for ``[:, n]``."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def __getitem__(self, key: tuple) -> Tensor:
        return self.tensor[:, : key[1]]


class MendedFunctional:
    """torch.nn.functional with a one_hot that suits mmseg's FocalLoss."""

    def __getattr__(self, name: str) -> Any:
        return getattr(F, name)

    def one_hot(self, *args: Any, **kwargs: Any) -> FirstColumns:
        return FirstColumns(F.one_hot(*args, **kwargs))


@pytest.fixture
def focal_loss_on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fix mmseg's FocalLoss, which fails on a CPU with label maps.

    It takes one column, ``[:, num_classes]``, of the one-hot labels, where
    its branch for GPUs takes the first ones, ``[:, :num_classes]``.
    """
    name = 'mmseg.models.losses.focal_loss.F'
    monkeypatch.setattr(name, MendedFunctional())
