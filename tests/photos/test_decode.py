"""Upright pixels: the same for all eight orientations, and right for every way of storing a picture."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from geoloc_cli.errors import NotAPhoto, PhotoTooLarge
from geoloc_cli.photos.decode import decode_gray, decode_rgb
from geoloc_cli.photos.exif import read_photo

# How an upright picture lies in the file when the camera was held so (the inverse of what a viewer does).
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[:, ::-1],
}


def scene(height: int = 90, width: int = 130) -> NDArray[np.uint8]:
    """A colour picture without any symmetry."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 256, (9, 13, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def save(pixels: NDArray[np.uint8], path: Path, orientation: int, **options: object) -> str:
    block = Image.Exif()
    block[0x0112] = orientation
    if "compression" not in options:  # Pillow cannot write the directory into a compressed TIFF
        block.get_ifd(0x8769).update({0xA405: 28, 0xA002: 4 * pixels.shape[1], 0xA003: 4 * pixels.shape[0]})
        block[0x8769] = 0  # its TIFF writer takes the directory only where its tag is set
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.save(path, exif=block, **options)
    return str(path)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("x.png", {}),
        ("x.webp", {"lossless": True}),
        ("x.tif", {}),
        ("x.tiff", {"compression": "tiff_lzw"}),
    ],
)
@pytest.mark.parametrize("max_size", [1000, 57])
def test_eight_orientations_give_the_same_bytes_and_the_same_camera(
    tmp_path: Path, name: str, options: dict[str, object], max_size: int
) -> None:
    upright = scene()
    grays, colours, cameras = [], [], []
    for orientation, stored in STORED.items():
        path = save(stored(upright), tmp_path / f"{orientation}{name}", orientation, **options)
        photo = read_photo(path)
        assert (photo.width, photo.height) == (130, 90)
        gray = decode_gray(path, max_size=max_size)
        assert gray.pixels.flags.c_contiguous
        assert gray.scale == gray.pixels.shape[1] / 130
        grays.append(gray.pixels.tobytes())
        colours.append(decode_rgb(path, max_size=max_size).tobytes())
        cameras.append(photo.camera)
    assert len(set(grays)) == 1
    assert len(set(colours)) == 1
    assert len(set(cameras)) == 1
    assert cameras[0] is not None
    assert cameras[0].source == ("default" if "compression" in options else "exif_35mm")
    if max_size == 1000:
        assert colours[0] == upright.tobytes()


def test_eight_orientations_of_a_jpeg_differ_by_no_more_than_its_rounding(tmp_path: Path) -> None:
    upright = scene(480, 640)
    first = None
    for orientation, stored in STORED.items():
        path = save(stored(upright), tmp_path / f"{orientation}.jpg", orientation, quality=95, subsampling=0)
        pixels = decode_gray(path, max_size=100).pixels.astype(float)
        assert pixels.shape == (75, 100)
        first = pixels if first is None else first
        # The discrete cosine transform of a mirrored block rounds otherwise; a sideways picture would differ by 60.
        assert np.abs(pixels - first).mean() < 1.0


@pytest.mark.realdata
def test_orientations_agree_with_pillows_own_on_real_photographs(realdata: Path) -> None:
    paths = sorted((realdata / "exif" / "jpg" / "orientation").glob("*.jpg"))
    assert len(paths) == 16
    for path in paths:
        with Image.open(path) as image:
            expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        assert np.array_equal(decode_rgb(str(path), max_size=10_000), expected), path.name


def test_draft_mode_agrees_with_resampling_the_whole(tmp_path: Path) -> None:
    # 1201 x 1603 is no multiple of 8: the reduced picture has a part of a pixel too much on two sides, whichever
    # way it is turned. Squeezed in with the rest it would move the picture by up to 0.6 pixels and differ by 1.6.
    upright = scene(1201, 1603)
    expected = np.asarray(
        Image.fromarray(upright).convert("L").resize((150, 112), Image.Resampling.LANCZOS), dtype=float
    )
    for orientation, stored in STORED.items():
        path = save(stored(upright), tmp_path / "big.jpg", orientation, quality=95)
        gray = decode_gray(path, max_size=150)
        assert gray.pixels.shape == (112, 150)
        assert np.abs(gray.pixels - expected).mean() < 0.8, orientation


def test_deep_and_float_pictures_keep_their_tones(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0.0, 1.0, 64), (16, 1))
    expected = np.rint(ramp * 255)
    kinds = {
        "16.png": Image.fromarray(np.rint(ramp * 65535).astype(np.uint16)),
        "12.tif": Image.fromarray(np.rint(ramp * 4095).astype(np.uint16)),
        "unit.tif": Image.fromarray(ramp.astype(np.float32)),
        "byte.tif": Image.fromarray((ramp * 255).astype(np.float32)),
    }
    for name, image in kinds.items():
        image.save(tmp_path / name)
        pixels = decode_gray(str(tmp_path / name), max_size=64).pixels
        assert np.abs(pixels - expected).max() <= 1, name
    # Temperatures in kelvin with a hole: stretched, the hole is black, and the order of the rest is kept.
    kelvin = (280.0 + 20.0 * ramp).astype(np.float32)
    kelvin[0, 0] = np.nan
    Image.fromarray(kelvin).save(tmp_path / "kelvin.tif")
    pixels = decode_gray(str(tmp_path / "kelvin.tif"), max_size=64).pixels
    assert pixels[0, 0] == 0
    assert int(pixels[8, 63]) - int(pixels[8, 0]) > 200
    assert (np.diff(pixels[8].astype(int)) >= 0).all()


def test_alpha_lies_on_mid_grey_however_it_is_stored(tmp_path: Path) -> None:
    rgba = np.zeros((10, 20, 4), dtype=np.uint8)
    rgba[:, 10:] = (255, 255, 255, 255)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    Image.fromarray(rgba).save(tmp_path / "a.webp", lossless=True)
    Image.fromarray(rgba).convert("LA").save(tmp_path / "la.png")
    palette = Image.fromarray(rgba[..., :3]).quantize(2)
    palette.save(tmp_path / "p.png", transparency=palette.getpixel((0, 0)))
    for name in ("a.png", "a.webp", "la.png", "p.png"):
        pixels = decode_gray(str(tmp_path / name), max_size=20).pixels
        assert (pixels[:, :10] == 128).all(), name
        assert (pixels[:, 10:] == 255).all(), name


def test_cmyk_palette_bilevel_and_lab_are_pictures_too(tmp_path: Path) -> None:
    picture = Image.fromarray(scene())
    gray = np.asarray(picture.convert("L"), dtype=float)
    for name, image, close in (
        ("cmyk.jpg", picture.convert("CMYK"), 4.0),
        ("cmyk.tif", picture.convert("CMYK"), 2.0),
        ("palette.png", picture.quantize(256), 8.0),
        ("gray.jpg", picture.convert("L"), 4.0),
    ):
        image.save(tmp_path / name)
        pixels = decode_gray(str(tmp_path / name), max_size=130).pixels
        assert np.abs(pixels - gray).mean() < close, name
        assert decode_rgb(str(tmp_path / name), max_size=130).shape == (90, 130, 3)
    picture.convert("1").save(tmp_path / "fax.tif", compression="group4")
    assert set(np.unique(decode_gray(str(tmp_path / "fax.tif"), max_size=130).pixels)) == {0, 255}
    lab = Image.merge("LAB", [picture.convert("L"), Image.new("L", (130, 90), 128), Image.new("L", (130, 90), 128)])
    lab.save(tmp_path / "lab.tif")
    assert np.array_equal(decode_gray(str(tmp_path / "lab.tif"), max_size=130).pixels, gray.astype(np.uint8))


def test_first_frame_stands_for_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (20, 10), (level, level, level)) for level in (40, 200)]
    for name, options in (("a.webp", {"lossless": True}), ("a.png", {}), ("a.tif", {})):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **options)
        assert (decode_gray(str(tmp_path / name), max_size=20).pixels == 40).all(), name


@pytest.mark.realdata
def test_heic_decodes_to_the_size_that_its_header_states(realdata: Path) -> None:
    pytest.importorskip("pi_heif")
    path = str(realdata / "immich" / "formats" / "heic" / "IMG_2682.heic")
    gray = decode_gray(path, max_size=400)
    assert gray.pixels.shape == (300, 400)
    assert gray.scale == pytest.approx(400 / 4032)
    assert gray.pixels.std() > 20


def test_never_enlarged_and_never_thinner_than_a_pixel(tmp_path: Path) -> None:
    Image.new("L", (1, 1), 7).save(tmp_path / "one.png")
    one = decode_gray(str(tmp_path / "one.png"), max_size=1000)
    assert (one.pixels.tolist(), one.scale) == ([[7]], 1.0)
    Image.new("L", (3000, 2), 7).save(tmp_path / "thin.png")
    assert decode_gray(str(tmp_path / "thin.png"), max_size=100).pixels.shape == (1, 100)


def test_huge_headers_are_refused_before_anything_is_decoded(tmp_path: Path) -> None:
    Image.new("1", (64, 64)).save(tmp_path / "bomb.png")
    data = bytearray((tmp_path / "bomb.png").read_bytes())
    data[16:24] = (50_000).to_bytes(4, "big") * 2
    # Pillow checks the header's checksum, and so does this picture pass it.
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(data)
    Image.new("L", (64, 64)).save(tmp_path / "bomb.jpg")
    jpeg = (tmp_path / "bomb.jpg").read_bytes()
    frame = jpeg.index(b"\xff\xc0") + 5
    (tmp_path / "bomb.jpg").write_bytes(jpeg[:frame] + (50_000).to_bytes(2, "big") * 2 + jpeg[frame + 4 :])
    for name in ("bomb.png", "bomb.jpg"):
        for read in (read_photo, lambda path: decode_gray(path, max_size=64)):
            with pytest.raises(PhotoTooLarge, match=f"{name} is 50000 x 50000 pixels"):
                read(str(tmp_path / name))
    # 100 million pixels in a few hundred bytes pass the limit, but no photo is made so.
    (tmp_path / "blank.jpg").write_bytes(jpeg[:frame] + (10_000).to_bytes(2, "big") * 2 + jpeg[frame + 4 :])
    with pytest.raises(PhotoTooLarge, match="as no photo does"):
        decode_gray(str(tmp_path / "blank.jpg"), max_size=64)


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.webp", "x.tif"])
def test_truncated_pictures_are_refused_with_their_name_at_every_length(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    Image.fromarray(scene()).save(path)
    data = path.read_bytes()
    for length in (*range(1, 40), len(data) // 4, len(data) // 2, len(data) * 9 // 10):
        path.write_bytes(data[:length])
        with pytest.raises(NotAPhoto, match=name):
            decode_gray(str(path), max_size=64)


def test_exif_that_cannot_be_written_back_does_not_stop_the_turning(tmp_path: Path) -> None:
    # A signed rational of -2/0, as some phones write it, makes Pillow's exif_transpose raise (Pillow issue 8965).
    upright = scene()
    block = Image.Exif()
    block[0x0112] = 6
    block.get_ifd(0x8769)[0x9201] = 1.5
    data = bytearray(block.tobytes())
    path = tmp_path / "minus.jpg"
    at = data.index(b"\x92\x01") if b"MM" in data[:10] else data.index(b"\x01\x92")
    little = b"II" in data[:10]
    order = "little" if little else "big"
    offset = 6 + int.from_bytes(data[at + 8 : at + 12], order)
    data[at + 2 : at + 4] = (10).to_bytes(2, order)
    data[offset : offset + 8] = (-2).to_bytes(4, order, signed=True) + (0).to_bytes(4, order)
    Image.fromarray(np.ascontiguousarray(STORED[6](upright))).save(path, exif=bytes(data), quality=95, subsampling=0)
    assert np.abs(decode_rgb(str(path), max_size=200).astype(float) - upright).mean() < 3.0


def test_libtiff_and_pillow_say_nothing_on_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "lzw.tif"
    Image.fromarray(scene()).save(path, compression="tiff_lzw")
    data = bytearray(path.read_bytes())
    for at in range(200, 900, 7):
        data[at] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(NotAPhoto):
        decode_gray(str(path), max_size=64)
    assert capfd.readouterr() == ("", "")
