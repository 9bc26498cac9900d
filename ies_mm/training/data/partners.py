"""Tracks the partners of mixing transforms and leaves pruned images out.

Mosaic, MixUp etc. draw an image's partners from its dataset
(``MultiImageMixDataset``) or from a cache of earlier images
(``CachedMosaic``). A wrapper around each transform passes on which images are
in the sample, and keeps pruned images from being partners. If nothing is
pruned, it changes nothing: same random numbers, same partners.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import Tensor

from ies_mm.losses.capture.patching import override
from ies_mm.training.data.mixable_images import Kept, KeptPart, images_in
from ies_mm.training.data.tagging import (
    INSTEAD,
    PARTNERS,
    TAG,
    partners_in,
    tag,
)

KEYS = (TAG, INSTEAD, PARTNERS)
"""Keys of what is known about a sample."""

DRAWS = ('get_indexes', 'get_indices')
"""Methods by which mmdet's and mmseg's transforms draw partners."""

CACHE = 'results_cache'
"""Attribute in which cached transforms keep earlier samples."""


class Carrying:
    """A transform that passes on which images are in its sample.

    Can be pickled. Has ``get_indexes`` or ``get_indices`` if the transform
    does.

    Args:
        transform (callable): A transform of a pipeline.
        kept (Kept): The images that may be partners.
        numbers (Tensor, optional): int64, the instance at every position of
            the dataset that partners are drawn from; None for a transform of
            the dataset's own pipeline.
    """

    def __init__(
        self, transform: Callable, kept: Kept, numbers: Tensor | None
    ) -> None:
        self.carried = transform
        self._kept = kept
        self._numbers = numbers

    def __getattr__(self, name: str) -> Any:
        # While unpickling, `carried` is not there yet, and looking it up would
        # recurse; pickle's own methods must not be the transform's.
        if name.startswith('__') or name == 'carried':
            raise AttributeError(name)
        found = getattr(self.carried, name)
        return partial(self._draw, found) if name in DRAWS else found

    def __call__(self, results: Any) -> Any:
        if not isinstance(results, Mapping) or TAG not in results:
            return self.carried(results)
        # A transform may return a new dict, or pack without these keys.
        known = {key: results[key] for key in KEYS if key in results}
        self._forget_pruned()
        image, others = results.get('img'), _others(results)
        with _noting_cached(self.carried) as drawn:
            item = self.carried(results)
        # With a probability below 1 a transform may leave the image as it is,
        # and its partners are then in no sample.
        if isinstance(item, Mapping) and item.get('img') is not image:
            drawn.extend(others)
        # Nested transforms have noted theirs already.
        partners = (*(partners_in(item) or known.get(PARTNERS, ())), *drawn)
        if partners:
            known[PARTNERS] = partners
        return tag(item, known.pop(TAG), known)

    def _draw(self, draw: Callable, dataset: Any) -> Any:
        """Draw the positions of partners among the kept images."""
        if self._numbers is None or isinstance(dataset, list):
            return draw(dataset)  # From a cache, which holds only kept ones.
        positions = self._kept.positions(self._numbers)
        # None: all are kept. Empty: a pruned part, whose images are scored
        # as mixtures.
        if not positions:
            return draw(dataset)
        found = draw(KeptPart(dataset, positions))
        if isinstance(found, Sequence):
            return [positions[index] for index in found]
        return positions[found]

    def _forget_pruned(self) -> None:
        cache = getattr(self.carried, CACHE, None)
        if cache:
            cache[:] = [sample for sample in cache if self._kept.holds(sample)]


def plain(transform: Any) -> Any:
    """The transform without its :class:`Carrying` wrapper."""
    return transform.carried if isinstance(transform, Carrying) else transform


@contextmanager
def carrying(
    pipeline: Any, kept: Kept, numbers: Tensor | None = None
) -> Iterator[None]:
    """Wrap the transforms of a pipeline in :class:`Carrying`.

    Args:
        pipeline (list or Compose): Transforms, possibly nested.
        kept (Kept): See :class:`Carrying`.
        numbers (Tensor, optional): See :class:`Carrying`.
    """
    lists = [*_lists_of(pipeline)]
    # All lists are found before the first transform is wrapped.
    own = [[*transforms] for transforms in lists]
    for transforms, found in zip(lists, own, strict=True):
        # Albu keeps its settings under this name, too.
        transforms[:] = [
            Carrying(t, kept, numbers) if callable(t) else t for t in found
        ]
    try:
        yield
    finally:
        for transforms, found in zip(lists, own, strict=True):
            transforms[:] = found


def _lists_of(pipeline: Any) -> Iterator[list]:
    """A pipeline's list of transforms, and those of RandomChoice etc."""
    transforms = getattr(pipeline, 'transforms', pipeline)
    if isinstance(transforms, list):
        yield transforms
        for transform in transforms:
            yield from _lists_of(transform)
    elif hasattr(transforms, 'transforms'):
        yield from _lists_of(transforms)


def _others(results: Mapping[str, Any]) -> list[int]:
    """The images that ``MultiImageMixDataset`` adds to a sample."""
    beside = results.get('mix_results', ())
    return [number for sample in beside for number in images_in(sample)]


@contextmanager
def _noting_cached(transform: Any) -> Iterator[list[int]]:
    """Note which images' samples a transform takes from its cache."""
    drawn: list[int] = []
    draws = [name for name in DRAWS if hasattr(transform, name)]
    if not (draws and hasattr(transform, CACHE)):
        yield drawn
        return

    def note(original: Callable, cache: Any) -> Any:
        found = original(cache)
        for index in found if isinstance(found, Sequence) else [found]:
            drawn.extend(images_in(cache[index]))
        return found

    with override(transform, draws[0], note):
        yield drawn
