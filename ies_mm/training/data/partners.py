"""Transforms that mix images: which ones, and only those that are kept.

Mosaic, MixUp and their like draw the partners of an image from its data set
(``MultiImageMixDataset``) or from a cache of the images that came before
(``CachedMosaic``). A wrapper around each transform hands on whose sample it
is and whose images are in it, and leaves out what is pruned. Where nothing is
pruned it changes nothing: the same random numbers, the same partners.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import Tensor

from ies_mm.losses.capture.patching import override
from ies_mm.training.data.kept import Kept, KeptPart, images_in
from ies_mm.training.data.tagging import (
    INSTEAD,
    PARTNERS,
    TAG,
    partners_in,
    tag,
)

KEYS = (TAG, INSTEAD, PARTNERS)
"""What is known of a sample."""

DRAWS = ('get_indexes', 'get_indices')
"""Methods by which transforms of mmdet and mmseg draw partners."""

CACHE = 'results_cache'
"""Where cached transforms keep the samples that came before."""


class Carrying:
    """A transform that hands on which images are in its sample.

    Can be pickled. Has ``get_indexes`` or ``get_indices`` where the
    transform has.

    Args:
        transform (callable): Of a pipeline.
        kept (Kept): What may be a partner.
        numbers (Tensor, optional): int64, the instance at every position of
            the data set that partners are drawn from. Defaults to None, for
            a transform of the data set's own pipeline.
    """

    def __init__(
        self, transform: Callable, kept: Kept, numbers: Tensor | None = None
    ) -> None:
        self.carried = transform
        self._kept = kept
        self._numbers = numbers

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__') or name == 'carried':
            raise AttributeError(name)
        found = getattr(self.carried, name)
        return partial(self._draw, found) if name in DRAWS else found

    def __call__(self, results: Any) -> Any:
        if not isinstance(results, Mapping) or TAG not in results:
            return self.carried(results)
        known = {key: results[key] for key in KEYS if key in results}
        self._forget_pruned()
        image, others = results.get('img'), _others(results)
        with _noting_cached(self.carried) as drawn:
            item = self.carried(results)
        if isinstance(item, Mapping) and item.get('img') is not image:
            drawn.extend(others)
        # Transforms inside of this one have noted theirs already.
        partners = (*(partners_in(item) or known.get(PARTNERS, ())), *drawn)
        if partners:
            known[PARTNERS] = partners
        return tag(item, known.pop(TAG), known)

    def _draw(self, draw: Callable, dataset: Any) -> Any:
        """Positions of partners, of those that are kept."""
        if self._numbers is None or isinstance(dataset, list):
            return draw(dataset)  # From a cache, which holds what is kept.
        positions = self._kept.positions(self._numbers)
        if positions is None:
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
    """The transform that a config asked for."""
    return transform.carried if isinstance(transform, Carrying) else transform


@contextmanager
def carrying(
    pipeline: Any, kept: Kept, numbers: Tensor | None = None
) -> Iterator[None]:
    """Have the transforms of a pipeline hand on whose sample they make.

    Args:
        pipeline (list or Compose): Of transforms, which may hold further
            ones.
        kept (Kept): See :class:`Carrying`.
        numbers (Tensor, optional): See :class:`Carrying`.
    """
    lists = [*_lists_of(pipeline)]
    own = [[*transforms] for transforms in lists]
    for transforms, found in zip(lists, own, strict=True):
        # Albumentations keep their settings under that name, too.
        transforms[:] = [
            Carrying(t, kept, numbers) if callable(t) else t for t in found
        ]
    try:
        yield
    finally:
        for transforms, found in zip(lists, own, strict=True):
            transforms[:] = found


def _lists_of(pipeline: Any) -> Iterator[list]:
    """A pipeline's list of transforms, and those of RandomChoice's like."""
    transforms = getattr(pipeline, 'transforms', pipeline)
    if isinstance(transforms, list):
        yield transforms
        for transform in transforms:
            yield from _lists_of(transform)
    elif hasattr(transforms, 'transforms'):
        yield from _lists_of(transforms)


def _others(results: Mapping[str, Any]) -> list[int]:
    """The images that ``MultiImageMixDataset`` lays beside a sample."""
    beside = results.get('mix_results', ())
    return [number for sample in beside for number in images_in(sample)]


@contextmanager
def _noting_cached(transform: Any) -> Iterator[list[int]]:
    """Note whose samples a transform takes from its cache."""
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
