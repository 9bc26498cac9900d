"""Random numbers tied to an image."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from ies_mm.losses.capture.patching import override
from ies_mm.losses.capture.random_state import preserved_random_state


def seed_all(*numbers: int) -> None:
    """Seed Python, NumPy and torch from some numbers."""
    # One 32-bit word: np.random.seed takes no more.
    state = np.random.SeedSequence(numbers).generate_state(1)[0]
    random.seed(int(state))
    np.random.seed(int(state))
    torch.manual_seed(int(state))


def samplers_of(model: nn.Module) -> dict[str, Any]:
    """The samplers of anchors or RoIs, by their names in the model."""
    found: dict[str, Any] = {}
    for name, module in model.named_modules():
        for attribute in ('sampler', 'bbox_sampler'):
            sampler = vars(module).get(attribute)
            place = f'{name}.{attribute}'
            places = {place: sampler}
            if isinstance(sampler, list):  # a cascade's, one for each stage
                places = {f'{place}.{i}': s for i, s in enumerate(sampler)}
            found |= {
                place: each
                for place, each in places.items()
                if callable(getattr(each, 'sample', None))
            }
    return found


@contextmanager
def seeded_samplers(
    model: nn.Module, images: list[int], seed: Callable[[str, int], None]
) -> Iterator[None]:
    """Seed every draw of anchors or RoIs by its image.

    Args:
        model (nn.Module): The model with the samplers.
        images (list of int): Images of the next batch, in order.
        seed (callable): Called as ``seed(source, image)`` before a draw, with
            the sampler's name; the random state is restored afterwards.
    """
    with ExitStack() as stack:
        for source, sampler in samplers_of(model).items():
            order = iter(images)

            def sample(
                original: Callable,
                *args: Any,
                source: str = source,
                order: Iterator[int] = order,
                **kwargs: Any,
            ) -> Any:
                with preserved_random_state():
                    # mmdet's heads sample image by image, in batch order.
                    seed(source, next(order))
                    return original(*args, **kwargs)

            stack.enter_context(override(sampler, 'sample', sample))
        yield
