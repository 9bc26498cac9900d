"""Fallback: each image's loss by its own forward pass from the features on.

For models without an adapter. The model itself computes the features once,
for the batch, with gradient; everything after them is run again per image on
its slice of the features, without gradient. The cost depends on the head: see
the measured ratios in docs/coverage.md.

Not exact where the layers after the features mix images (BatchNorm in a head)
or draw random numbers, which differ for an image alone.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.capture.patching import override
from ies_mm.losses.capture.processes import one_process
from ies_mm.losses.capture.random_state import preserved_random_state
from ies_mm.losses.capture.terms import Terms, terms_of
from ies_mm.losses.generic.slicing import image_of
from ies_mm.losses.generic.state import snapshot, state_of

FEATURES = 'extract_feat'
"""The method of OpenMMLab's models that computes the features."""


@contextmanager
def past_the_features(
    model: nn.Module, note: Callable[[str, Tensor, None], None]
) -> Iterator[None]:
    """Record per-image losses whenever ``model.loss`` computes its losses.

    Args:
        model (nn.Module): An OpenMMLab model, not wrapped.
        note (callable): See
            :meth:`~ies_mm.losses.context.CapturedLosses.note`.

    Raises:
        UnsupportedModelError: The model has no ``extract_feat``.
    """
    if not callable(getattr(model, FEATURES, None)):
        raise UnsupportedModelError(
            f'{type(model).__name__} has no {FEATURES}, so the fall-back '
            'cannot compute features once for all images'
        )

    def loss(
        original: Callable, inputs: Any, data_samples: list, **kwargs: Any
    ) -> Any:
        # Copy first: the call may write into them.
        samples = copy.deepcopy(data_samples)
        before = snapshot(model)
        with _noted_features(model) as noted:
            batch = original(inputs, data_samples, **kwargs)
        if not noted:
            raise UnsupportedModelError(
                f'the loss of {type(model).__name__} does not call its '
                f'{FEATURES}, so the fall-back has no features to go on from'
            )
        images = len(data_samples)
        alone: list[Terms] = []
        # Only the batch's own forward may talk to other processes and move the
        # training's random state.
        with torch.no_grad(), one_process(), preserved_random_state():
            for image in range(images):
                one = image_of(inputs, image, images), [samples[image]]
                features = image_of(noted, image, images)
                # On copies of the buffers, or BatchNorm in a head would update
                # its running statistics once more per image.
                with (
                    state_of(before),
                    _given_features(model, features),
                    _enough_for_one(model),
                ):
                    alone.append(terms_of(original(*one, **kwargs)))
        for term, value in terms_of(batch).items():
            nothing = torch.zeros_like(value.detach())
            column = [terms.get(term, nothing).float() for terms in alone]
            note(term, torch.stack(column), None)
        return batch

    with override(model, 'loss', loss):
        yield


@contextmanager
def _noted_features(model: nn.Module) -> Iterator[list[Any]]:
    noted: list[Any] = []

    def features(original: Callable, *args: Any, **kwargs: Any) -> Any:
        noted.append(original(*args, **kwargs))
        return noted[-1]

    with override(model, FEATURES, features):
        yield noted


@contextmanager
def _given_features(model: nn.Module, features: list) -> Iterator[None]:
    """Return the features again, call by call."""
    left = iter(features)

    def given(original: Callable, *args: Any, **kwargs: Any) -> Any:
        return next(left)

    with override(model, FEATURES, given):
        yield


@contextmanager
def _enough_for_one(model: nn.Module) -> Iterator[None]:
    """Refuse a BatchNorm that a single image gives one value per channel."""
    try:
        yield
    except ValueError as error:
        if 'more than 1 value per channel' not in str(error):
            raise
        raise UnsupportedModelError(
            f'no per-image losses for {type(model).__name__}: a BatchNorm '
            'after the features normalises over the images, and one alone '
            'has a single value per channel; write an adapter '
            '(docs/adapters.md), or use another norm there'
        ) from error
