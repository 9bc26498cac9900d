"""Dense heads with settings that their stock configs do not have."""

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import nn

from det_cases import ALL
from ies_mm.losses import capture_per_image_losses
from ies_mm.losses.capture.terms import terms_of
from loss_checks import close, run

TOOLS = Path(__file__).resolve().parents[3] / 'tools'
IMAGES = 3

pytestmark = pytest.mark.filterwarnings('ignore')


def as_it_is(cfg: Config) -> None:
    return


def with_sampler(cfg: Config) -> None:
    """Count negatives, too; more than there are, so that none is drawn."""
    cfg.model.train_cfg.sampler = ALL | dict(add_gt_as_proposals=False)


def check_alone(model: nn.Module, data: dict) -> None:
    """Compare with each image in a batch of its own, and sums of shares."""
    with capture_per_image_losses(model, shares=True) as captured:
        batch = terms_of(run(model, data))
    for term, value in batch.items():
        close(captured.shares[term].sum(), value)
    for image in range(IMAGES):
        one = {k: v[image : image + 1] for k, v in data.items()}
        for term, value in terms_of(run(model, one)).items():
            close(captured.losses[term][image], value.detach())


@pytest.fixture
def made() -> Iterator[Callable[..., tuple[nn.Module, dict]]]:
    """The reduced model of a family, and a batch."""
    sys.path.append(str(TOOLS))

    def tool(part: str) -> Any:
        return import_module(f'coverage_checks.{part}')

    def make(
        name: str, change: Callable[[Config], None] = as_it_is
    ) -> tuple[nn.Module, dict]:
        family = next(
            f for f in tool('listed').families('mmdet') if f.name == name
        )
        cfg = tool('reduce').load(family)
        change(cfg)
        torch.manual_seed(0)
        model = tool('reduce').build(cfg, family)
        sizes = ((128, 128),) * IMAGES
        return model, tool('data').prepared(model, cfg, 'mmdet', sizes)

    yield make
    sys.path.remove(str(TOOLS))


# DDOD needs larger images, and a minute.
@pytest.mark.parametrize('name', ['ATSS', 'GFL', 'YOLOF', 'RepPoints'])
def test_sampled_negatives_count_in_the_normaliser(
    made: Any, name: str
) -> None:
    model, data = made(name, with_sampler)
    # YOLOF's encoder normalises over the batch; RepPoints only trains in
    # training mode.
    model.train(name == 'RepPoints')
    check_alone(model, data)


def test_a_compiled_model_has_the_same_losses(made: Any) -> None:
    """MMEngine compiles ``forward``."""
    model, data = made('FCOS')
    with capture_per_image_losses(model, shares=True) as expected:
        run(model, data)
    model.forward = torch.compile(model.forward, backend='eager')
    with capture_per_image_losses(model, shares=True) as found:
        run(model, data)
    for term, losses in expected.losses.items():
        close(found.losses[term], losses)
        close(found.shares[term], expected.shares[term])


def test_a_tensor_may_be_two_outputs(made: Any) -> None:
    """Centernesses that are the scores of the only class."""
    model, data = made('FCOS')
    for sample in data['data_samples']:
        sample.gt_instances.labels.zero_()
    original = model.bbox_head.forward_single

    def forward_single(*args: Any) -> tuple:
        scores, boxes, _ = original(*args)
        scores = scores[:, :1].contiguous()
        return scores, boxes, scores

    model.bbox_head.forward_single = forward_single
    model.bbox_head.num_classes = model.bbox_head.cls_out_channels = 1
    check_alone(model, data)
