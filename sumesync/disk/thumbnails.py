"""Small pictures of media files. What a stranger's file claims to be is never worth more than the memory set here."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from PIL.Image import Image

LONGEST: Final = 640
"""Pixels of a thumbnail's longer side: sharp on a card of a screen with twice the pixels."""
MOST_PIXELS: Final = 50_000_000
"""Of a picture that is decoded; an 8K frame has 33 million. As RGBA this is 200 MB."""
_PACKETS: Final = 200
"""Read of a film until its first frame is there."""
_PICTURES: Final = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/avif": "AVIF",
}
# Named, so that a file cannot choose a format that reads other files or asks a network.
_FILMS: Final = {
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "video/webm": "matroska",
    "video/x-matroska": "matroska",
}
_BACKGROUND: Final = (238, 236, 232)
"""Behind what is transparent: a JPEG has no alpha."""


def make(source: Path, media_type: str, into: Path) -> tuple[int, int] | None:
    """Write the thumbnail of ``source`` to ``into``, as JPEG: the size of the whole picture; None, and no file, where
    it cannot be shown small."""
    try:
        if media_type in _PICTURES:
            image, size = _of_picture(source, _PICTURES[media_type])
        elif media_type in _FILMS:
            image, size = _of_film(source, _FILMS[media_type])
        else:
            return None
        image.save(into, "JPEG", quality=82, optimize=True, progressive=True)
    except Exception:  # noqa: BLE001 - decoders of strangers' bytes raise whatever they like
        into.unlink(missing_ok=True)
        return None
    return size


def _of_picture(source: Path, form: str) -> tuple[Image, tuple[int, int]]:
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow's own, higher limit, and of harmless flaws
        with Image.open(source, formats=[form]) as opened:
            width, height = opened.size
            _bounded(width, height)
            opened.draft("RGB", (LONGEST, LONGEST))  # a JPEG is decoded at an eighth, where that is enough
            turned = opened.getexif().get(0x0112, 1) >= 5
            image = ImageOps.exif_transpose(_small(opened))
    return image, (height, width) if turned else (width, height)


def _small(image: Image) -> Image:
    from PIL import Image

    if image.mode not in ("RGB", "RGBA", "L"):
        image = image.convert("RGBA" if "transparency" in image.info or "A" in image.mode else "RGB")
    image.thumbnail((LONGEST, LONGEST), reducing_gap=2.0)
    if image.mode == "RGBA":
        behind = Image.new("RGB", image.size, _BACKGROUND)
        behind.paste(image, mask=image.getchannel("A"))
        behind.info.update(image.info)
        return behind
    return image.convert("RGB")


def _of_film(source: Path, form: str) -> tuple[Image, tuple[int, int]]:
    import av

    with open(source, "rb") as file, av.open(file, mode="r", format=form) as container:
        stream = container.streams.video[0]
        _bounded(stream.codec_context.width, stream.codec_context.height)
        stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
        for number, packet in enumerate(container.demux(stream)):
            for frame in packet.decode():
                size = (frame.width, frame.height)
                image: Image = frame.to_image()  # type: ignore[no-untyped-call]  # PyAV has no types for it
                return _small(image), size
            if number >= _PACKETS:
                break
    raise ValueError("no frame")


def _bounded(width: int, height: int) -> None:
    if width < 1 or height < 1 or width * height > MOST_PIXELS:
        raise ValueError("too many pixels")
