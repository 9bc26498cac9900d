"""Watches pipelines for images that they give up on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.dataset import BaseDataset


@contextmanager
def giving_up(leaf: BaseDataset, asked: set[int]) -> Iterator[list[int]]:
    """Move the images for which the pipeline fails out of ``asked``.

    Args:
        leaf (BaseDataset): The dataset whose pipeline is watched.
        asked (set of int): The images asked for so far.

    Yields:
        list of int: The images that were given up.
    """
    given_up: list[int] = []
    pipeline = vars(leaf).get('pipeline')

    def give_up() -> None:
        given_up.extend(asked)
        asked.clear()

    watched = _WatchedPipeline(pipeline, give_up)
    if pipeline is not None:
        vars(leaf)['pipeline'] = watched
    try:
        yield given_up
    finally:
        # A dataset may replace its pipeline meanwhile.
        if vars(leaf).get('pipeline') is watched:
            vars(leaf)['pipeline'] = pipeline


class _WatchedPipeline:
    """A pipeline that reports when it returns no sample."""

    def __init__(self, pipeline: Any, give_up: Callable[[], None]) -> None:
        self._pipeline = pipeline
        self._give_up = give_up

    def __getattr__(self, name: str) -> Any:
        # A copy asks for `__setstate__` before it has a pipeline.
        if name.startswith('__') or name == '_pipeline':
            raise AttributeError(name)
        return getattr(self._pipeline, name)

    def __call__(self, results: Any) -> Any:
        try:
            item = self._pipeline(results)
        except Exception:
            self._give_up()
            raise
        if item is None:
            self._give_up()
        return item
