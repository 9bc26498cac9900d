"""The library's adapter for ies_mm, registered as an entry point."""

from contextlib import contextmanager

from ies_mm.losses import (
    asked_by_image,
    entry_of,
    image_of,
    register_adapter,
    terms_of,
)
from tinylib.models import CountingHead


def slices(call):
    """Each image's features and samples, as ``CountingHead.loss`` takes."""
    (feats, samples), kwargs = call
    images = len(samples)
    return [
        ((image_of(feats, i, images), entry_of(samples, i)), kwargs)
        for i in range(images)
    ]


@register_adapter(CountingHead, relies_on=('loss',))
@contextmanager
def counting_head(name, head, want, note):
    """Calls the head's own loss again for every image."""
    with asked_by_image(head, 'loss', slices, terms_of, want, note):
        yield
