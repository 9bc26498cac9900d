"""A small library on MMEngine, which counts spots in images.

It knows nothing of ies_mm, but for ``for_ies.py``, which its metadata names.
The tests install it into a folder of their own.
"""

from tinylib.data import LoadSpots, PackSpots, Spots
from tinylib.models import CountingHead, SpotCounter

__all__ = ['CountingHead', 'LoadSpots', 'PackSpots', 'SpotCounter', 'Spots']
