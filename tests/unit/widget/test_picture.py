"""The PNG writer, read back by hand: sizes, palette, and what is not finite."""

import struct
import zlib

import numpy as np
import pytest

from workbench.widget.picture import LEVELS, NOT_FINITE, png


def chunks(picture: bytes) -> dict[bytes, bytes]:
    """The chunks of a PNG by kind; checks the signature and every checksum."""
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = {}, 8
    while at < len(picture):
        length, kind = struct.unpack_from(">I4s", picture, at)
        content = picture[at + 8 : at + 8 + length]
        (check,) = struct.unpack_from(">I", picture, at + 8 + length)
        assert check == zlib.crc32(kind + content)
        found[kind] = content
        at += 12 + length
    return found


def pixels(picture: bytes) -> np.ndarray:
    """Rows of red, green, blue."""
    parts = chunks(picture)
    width, height = struct.unpack_from(">II", parts[b"IHDR"])
    lines = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(height, width + 1)
    palette = np.frombuffer(parts[b"PLTE"], np.uint8).reshape(-1, 3)
    return palette[lines[:, 1:]]


def test_one_pixel_for_each_value_of_a_small_array() -> None:
    assert pixels(png(np.zeros((3, 5), np.float32), side=320)).shape == (3, 5, 3)


def test_values_from_0_to_1_are_grey() -> None:
    drawn = pixels(png(np.array([[0.0, 1.0], [0.5, 0.25]]), side=8))

    assert drawn[0].tolist() == [[0, 0, 0], [255, 255, 255]]
    assert (drawn.max(axis=2) == drawn.min(axis=2)).all()


def test_small_values_are_not_drawn_black() -> None:
    drawn = pixels(png(np.array([[0.001, 0.002]]), side=8))

    assert drawn[0].tolist() == [[68, 1, 84], [253, 231, 37]]


def test_other_values_run_from_dark_to_light() -> None:
    row = pixels(png(np.arange(100, dtype=np.int32)[None, :], side=100))[0].astype(float)
    light = row @ [0.299, 0.587, 0.114]

    assert (np.diff(light) > -1.0).all()
    assert light[-1] > light[0] + 150


def test_what_is_not_finite_has_a_colour_of_its_own() -> None:
    drawn = pixels(png(np.array([[np.nan, 2.0, np.inf]], np.float32), side=8))

    assert [tuple(pixel) == NOT_FINITE for pixel in drawn[0].tolist()] == [True, False, True]


def test_a_large_array_is_averaged_down() -> None:
    checks = np.indices((130, 65)).sum(axis=0) % 2
    drawn = pixels(png(checks.astype(np.float32), side=13))

    assert drawn.shape == (13, 7, 3)
    assert abs(int(drawn[0, 0, 0]) - LEVELS // 2) <= 1


@pytest.mark.parametrize("value", [0.0, 0.7, 7.0, np.nan])
def test_an_even_array_can_be_drawn(value: float) -> None:
    drawn = pixels(png(np.full((4, 4), value), side=8))

    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) == 1
