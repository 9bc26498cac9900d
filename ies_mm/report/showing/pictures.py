"""The gallery's pictures: an image with its objects, and its loss curve."""

import base64
import io
import zlib
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageDraw

from ies_mm.report.reading.annotations import Annotation
from ies_mm.report.reading.run_instances import Instances
from ies_mm.report.showing.style import COLOURS, STYLE, as_png

SIZE = (480, 360)
"""Maximum size of a picture: a page may have hundreds."""
LARGER = 3.0
"""Maximum enlargement of a small image."""
IGNORED = 255
"""Pixels of a segmentation map without a class."""


def data_uri(picture: bytes, kind: str = 'png') -> str:
    """A picture as a data URI."""
    return f'data:image/{kind};base64,{base64.b64encode(picture).decode()}'


def drawn(path: Path, annotation: Annotation | None) -> bytes | None:
    """A JPEG of an image file with its objects; None without the file."""
    file = io.BytesIO()
    if not path.is_file():  # opening a pipe, for example, blocks forever
        return None
    try:
        with Image.open(path) as image:
            picture = _annotated(image.convert('RGB'), annotation)
            picture.save(file, format='JPEG', quality=80)
    except Exception:  # Pillow raises almost anything on a broken file
        return None
    return file.getvalue()


def _annotated(
    image: Image.Image, annotation: Annotation | None
) -> Image.Image:
    """Draw the annotation after resizing, so that lines have one width."""
    scale = min(SIZE[0] / image.width, SIZE[1] / image.height, LARGER)
    size = (round(image.width * scale) or 1, round(image.height * scale) or 1)
    image = image.resize(size, Image.Resampling.BICUBIC)
    if annotation is None:
        return image
    if annotation.seg_map is not None:
        return _with_map(image, annotation.seg_map)
    _draw_boxes(image, annotation, scale)
    return image


def _draw_boxes(
    image: Image.Image, annotation: Annotation, scale: float
) -> None:
    draw = ImageDraw.Draw(image)
    for box, label in zip(annotation.boxes, annotation.labels, strict=False):
        # A class has the same colour in every picture.
        colour = COLOURS[zlib.crc32(label.encode()) % len(COLOURS)]
        corners = [scale * edge for edge in box]
        draw.rectangle(corners, outline=colour, width=2)
        place = draw.textbbox((corners[0] + 2, corners[1]), label)
        draw.rectangle(place, fill=colour)
        draw.text((corners[0] + 2, corners[1]), label, fill='white')


def _with_map(image: Image.Image, file: Path) -> Image.Image:
    """Blend each pixel equally with the colour of its class."""
    with Image.open(file) as stored:
        resized = stored.resize(image.size, Image.Resampling.NEAREST)
        labels = np.asarray(resized)
    if labels.ndim != 2:
        return image
    # Seeded, so that a class has the same colour in every picture.
    colours = np.random.default_rng(0).integers(40, 256, (256, 3))
    pixels = np.asarray(image)
    # A 16-bit map may have more classes; some then share a colour.
    mixed = (pixels + colours[labels.astype(int) % len(colours)]) // 2
    known = (labels != IGNORED)[..., None]
    return Image.fromarray(np.where(known, mixed, pixels).astype(np.uint8))


def loss_curve(instances: Instances, image: int) -> bytes:
    """Draw the loss over epochs as a PNG; epochs without the image shaded."""
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
            # Mastered means flat at any level; keep flat curves off the top.
            axes.set_ylim(0, 1.08 * losses[seen].max(initial=0) or 1)
        # A single epoch gets a single tick.
        ticks = MaxNLocator(5, integer=True, min_n_ticks=1)
        axes.xaxis.set_major_locator(ticks)
        axes.yaxis.set_major_locator(MaxNLocator(3))
        axes.grid(visible=False)
        return as_png(figure, dpi=170)
