"""The batches in which a family is checked."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """The numbers of images and processes that a row is made with.

    Attributes:
        title (str): Title of its column.
        images (int): Batch size of the first process.
        processes (int): Number of processes that train together on different
            objects, all but the first on one image, as in a last batch.
            Defaults to 1.
        times (bool): Whether to time steps; not for several processes, which
            would make different numbers of steps. Defaults to False.
        counts (bool): Whether to count operations and waits. Defaults to
            False.
    """

    title: str
    images: int
    processes: int = 1
    times: bool = False
    counts: bool = False


SETTINGS = {
    'small': Setting('2 images', 2, times=True),
    'large': Setting('16 images', 16, counts=True),
    'processes': Setting('2 processes', 2, processes=2),
}
