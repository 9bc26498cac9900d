"""Computing single images' losses does not involve other processes."""

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.distributed as dist
from mmengine.dist import get_world_size

from ies_mm.losses import capture_per_image_losses
from ies_mm.losses.capture.processes import one_process

TOOLS = Path(__file__).resolve().parents[3] / 'tools'


@pytest.fixture
def reductions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[int]]:
    """A group of one process; every all_reduce is recorded."""
    noted: list[int] = []
    original = dist.all_reduce

    def all_reduce(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        noted.append(tensor.numel())
        return original(tensor, *args, **kwargs)

    dist.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/group', rank=0, world_size=1
    )
    monkeypatch.setattr(dist, 'all_reduce', all_reduce)
    yield noted
    dist.destroy_process_group()


@pytest.fixture
def tool() -> Iterator[Callable[[str], ModuleType]]:
    sys.path.append(str(TOOLS))
    yield lambda part: import_module(f'coverage_checks.{part}')
    sys.path.remove(str(TOOLS))


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('name', ['FCOS', 'AutoAssign'])
@pytest.mark.parametrize('shares', [False, True])
def test_no_collective_is_called_more_or_less_often(
    tool: Any, reductions: list[int], name: str, shares: bool
) -> None:
    """By rows (FCOS), and called image by image (AutoAssign)."""
    rows = tool('listed').families('mmdet')
    family = next(row for row in rows if row.name == name)
    cfg = tool('reduce').load(family)
    model = tool('reduce').build(cfg, family)
    data = tool('data').prepared(model, cfg, 'mmdet', ((96, 128),) * 3)
    tool('steps').forward(model, data)
    plain = list(reductions)
    reductions.clear()
    with capture_per_image_losses(model, shares=shares):
        tool('steps').forward(model, data)
    assert plain == reductions != []
    reductions.clear()
    tool('steps').scoring_pass(model, data)
    assert dist.is_initialized()


@pytest.mark.filterwarnings('ignore')
def test_helpers_of_openmmlab_see_one_process(reductions: list[int]) -> None:
    from mmdet.utils import reduce_mean

    with one_process():
        assert reduce_mean(torch.tensor(3.0)) == 3
        assert get_world_size() == 1
        assert not dist.is_initialized()
    assert reductions == []
    assert dist.is_initialized()
    reduce_mean(torch.tensor(3.0))
    assert len(reductions) == 1


def test_the_group_is_back_after_an_exception() -> None:
    original = dist.is_initialized
    with pytest.raises(RuntimeError, match='inside'), one_process():
        raise RuntimeError('inside')
    assert dist.is_initialized is original


def test_collectives_called_directly_see_one_process(
    reductions: list[int],
) -> None:
    """A loss of a user's own may not ask whether there are others."""
    value = torch.tensor(3.0)
    with one_process():
        dist.all_reduce(value)
        dist.broadcast(value, 0)
        dist.barrier()
        assert (dist.get_world_size(), dist.get_rank()) == (1, 0)
    assert (value, reductions) == (3, [])
