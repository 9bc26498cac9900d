"""The iterator of a resumed loop."""

from typing import Any

from ies_mm.training.data.stream import EndlessStream


class ResumedBatches:
    """The training's batches, for a loop that resumes after some iterations.

    Such a loop first skips the batches it has trained, but the stream is
    already past them. It calls ``skip_iter``, or draws them in mmengine up
    to 0.10.7, whose iterators have no such method.
    """

    def __init__(
        self, iterator: Any, trained: int, stream: EndlessStream
    ) -> None:
        self._iterator = iterator
        self._stream = stream
        self._to_ignore = 0 if hasattr(iterator, 'skip_iter') else trained

    def skip_iter(self, iterations: int) -> None:
        """Do nothing; the stream is already past them."""

    def __iter__(self) -> 'ResumedBatches':
        return self

    def __next__(self) -> Any:
        if self._to_ignore:
            self._to_ignore -= 1
            return None
        with self._stream.training():
            return next(self._iterator)
