"""The crop, against the paper's description in NumPy."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from ies_mm.methods.efficient_train.crop import low_frequencies

SIDES = [(24, 24, 16, 16), (24, 20, 10, 8), (15, 15, 7, 7), (15, 16, 6, 9)]


def images(height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, height, width, generator=generator)


def literal(plane: NDArray, height: int, width: int) -> NDArray:
    """Shift zero to the centre, crop the centre, shift back, invert."""
    full_height, full_width = plane.shape
    spectrum = np.fft.fftshift(np.fft.fft2(plane))
    top = full_height // 2 - height // 2
    left = full_width // 2 - width // 2
    kept = spectrum[top : top + height, left : left + width]
    kept = kept * (height * width) / (full_height * full_width)
    return np.fft.ifft2(np.fft.ifftshift(kept)).real


@pytest.mark.parametrize(('height', 'width', 'h', 'w'), SIDES)
def test_it_is_the_literal_crop(
    height: int, width: int, h: int, w: int
) -> None:
    batch = images(height, width)
    small = low_frequencies(batch, (h, w))
    assert small.shape == (2, 3, h, w)
    for image, found in zip(batch, small, strict=True):
        for plane, own in zip(image, found, strict=True):
            expected = literal(plane.double().numpy(), h, w)
            assert own.numpy() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(('height', 'width', 'h', 'w'), SIDES)
def test_mean_and_kept_band_are_those_of_the_image(
    height: int, width: int, h: int, w: int
) -> None:
    batch = images(height, width)
    small = low_frequencies(batch, (h, w))
    assert torch.allclose(small.mean((2, 3)), batch.mean((2, 3)), atol=1e-6)
    before = np.fft.fft2(batch.numpy()) / (height * width)
    after = np.fft.fft2(small.numpy()) / (h * w)
    # The last frequency of an even band has no counterpart.
    for y in range(-((h - 1) // 2), (h - 1) // 2 + 1):
        for x in range(-((w - 1) // 2), (w - 1) // 2 + 1):
            close = np.isclose(before[..., y, x], after[..., y, x], atol=1e-6)
            assert close.all()


def test_full_size_is_the_image() -> None:
    batch = images(12, 10)
    assert torch.equal(low_frequencies(batch, (12, 10)), batch)
    # Like a full-size crop, up to rounding.
    plane = batch[0, 0].double().numpy()
    assert literal(plane, 12, 10) == pytest.approx(plane)


@pytest.mark.parametrize('frequency', range(12))
def test_a_cosine_is_resampled_or_vanishes(frequency: int) -> None:
    """16 of 24 pixels remain, so frequencies below 8 are kept."""

    def wave(pixels: int) -> Tensor:
        places = torch.arange(pixels) / pixels
        angles = 2 * torch.pi * frequency * places + 0.7
        return angles.cos().expand(1, 1, pixels, pixels)

    small = low_frequencies(wave(24), (16, 16))
    if frequency < 8:
        assert torch.allclose(small, wave(16), atol=1e-5)
    elif frequency > 8:
        assert small.abs().max() < 1e-5


def test_the_type_of_the_images_stays() -> None:
    batch = images(8, 8).bfloat16()
    assert low_frequencies(batch, (4, 4)).dtype is torch.bfloat16
