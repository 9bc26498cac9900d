"""Pipelines that are watched for images that they give up on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.dataset import BaseDataset


@contextmanager
def giving_up(leaf: BaseDataset, asked: set[int]) -> Iterator[list[int]]:
    """Forget the images whose pipeline fails: they are in no sample.

    Args:
        leaf (BaseDataset): Whose pipeline.
        asked (set of int): The images asked for so far.

    Yields:
        list of int: Those that were given up.
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
        # A data set may well put another one in its place.
        if vars(leaf).get('pipeline') is watched:
            vars(leaf)['pipeline'] = pipeline


class _WatchedPipeline:
    """A pipeline that says when it gave no sample."""

    def __init__(self, pipeline: Any, give_up: Callable[[], None]) -> None:
        self._pipeline = pipeline
        self._give_up = give_up

    def __getattr__(self, name: str) -> Any:
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
