"""Low-frequency cropping of images in the Fourier domain."""

import torch
from torch import Tensor


def low_frequencies(images: Tensor, sides: tuple[int, int]) -> Tensor:
    """Crop images in the Fourier domain (EfficientTrain, section 4.1).

    Keeps the part of the spectrum around zero: exactly the frequencies that
    the smaller image can represent. The mean of the images is preserved.

    Args:
        images (Tensor): float (B, C, H, W).
        sides (tuple of int): Height h <= H and width w <= W of the result.

    Returns:
        Tensor: As ``images``, (B, C, h, w); the images themselves if they
        already have that size.
    """
    full = (images.shape[-2], images.shape[-1])
    if sides == full:
        return images
    # In half precision, an FFT needs a GPU and sides that are powers of two.
    spectrum = torch.fft.fft2(images.float())
    for dim, (side, whole) in enumerate(zip(sides, full, strict=True), -2):
        spectrum = _around_zero(spectrum, dim, side, whole)
    # The inverse divides by the number of cropped, not original pixels.
    scale = sides[0] * sides[1] / (full[0] * full[1])
    # An even band ends in a frequency without its conjugate: drop the
    # resulting imaginary part, as the authors' code does.
    small = torch.fft.ifft2(spectrum).real * scale
    return small.to(images.dtype)


def _around_zero(spectrum: Tensor, dim: int, side: int, whole: int) -> Tensor:
    """Frequencies ``-(side // 2)`` to ``(side - 1) // 2``, in FFT order."""
    above = spectrum.narrow(dim, 0, side - side // 2)
    below = spectrum.narrow(dim, whole - side // 2, side // 2)
    return torch.cat([above, below], dim)
