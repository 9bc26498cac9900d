"""A small MMEngine-based library that counts spots in images.

Only ``for_ies.py``, named in its metadata, knows ies_mm.
The tests install it into a separate folder.
"""

from tinylib.data import LoadSpots, PackSpots, Spots
from tinylib.models import CountingHead, SpotCounter

__all__ = ['CountingHead', 'LoadSpots', 'PackSpots', 'SpotCounter', 'Spots']
