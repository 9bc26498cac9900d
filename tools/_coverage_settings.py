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
    """

    title: str
    images: int
    processes: int = 1


SETTINGS = {
    'small': Setting('2 images', 2),
    'large': Setting('16 images', 16),
    'processes': Setting('2 processes', 2, processes=2),
}
