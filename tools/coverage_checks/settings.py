"""In what batches a family is checked."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """How many images and processes a row is made with.

    Attributes:
        title (str): What its column is called.
        images (int): Batch size of the first process.
        processes (int): How many train together, on other objects, those
            after the first on one image, as in a last batch. Defaults to 1.
        times (bool): Whether steps are timed; several processes would lose
            each other, which make as many as there is time. Defaults to
            False.
        counts (bool): Whether operations and waits are counted. Defaults to
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
