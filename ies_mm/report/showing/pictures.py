"""The gallery's pictures: a thumbnail, and the course of an image's loss."""

import base64
import io
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from ies_mm.report.reading.run_instances import Instances
from ies_mm.report.showing.curves import COLOURS, STYLE, as_png

THUMBNAIL = (192, 144)


def data_uri(picture: bytes, kind: str = 'png') -> str:
    """A picture as an address that holds it."""
    return f'data:image/{kind};base64,{base64.b64encode(picture).decode()}'


def thumbnail(path: Path) -> bytes | None:
    """A small JPEG of an image file, None where there is no such any more."""
    file = io.BytesIO()
    if not path.is_file():  # Some things that are none block for ever.
        return None
    try:
        with Image.open(path) as image:
            small = image.convert('RGB')
            small.thumbnail(THUMBNAIL)
            small.save(file, format='JPEG', quality=85)
    except Exception:  # a broken file has Pillow raise nearly anything
        return None
    return file.getvalue()


def loss_curve(instances: Instances, image: int) -> bytes:
    """A PNG: loss over epochs, with the epochs without the image shaded."""
    losses = instances.losses[:, image]
    seen = np.isfinite(losses)
    with matplotlib.rc_context(STYLE | {'font.size': 8}):
        figure = Figure(figsize=(2.7, 1.35), layout='constrained')
        axes = figure.add_subplot()
        for epoch in instances.epochs[instances.excluded[:, image]]:
            axes.axvspan(
                epoch - 0.5, epoch + 0.5, color='#F3D9B8', linewidth=0
            )
        axes.plot(
            instances.epochs[seen],
            losses[seen],
            '.-',
            color=COLOURS[0],
            linewidth=1,
            markersize=3,
        )
        axes.set_xlim(instances.epochs[0] - 0.5, instances.epochs[-1] + 0.5)
        if (losses[seen] >= 0).all():
            axes.set_ylim(bottom=0)  # mastered is flat, however low
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(3))
        axes.grid(visible=False)
        return as_png(figure, dpi=170)
