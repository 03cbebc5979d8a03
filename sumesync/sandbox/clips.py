"""MP4 clips of a prompt: H.264 in yuv420p with the index in front, so that browsers play them at once.

The background is drawn once, larger than the frame, and each frame is a crop of it: the clip pans. All
of it happens in YUV planes, because converting each frame from RGB costs more than encoding it.
"""

from __future__ import annotations

import math
import tempfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sumesync.sandbox import pictures

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.video.frame import VideoFrame
    from PIL.Image import Image

_RATE = 10
"""Frames a second."""
_SAMPLES = 44_100
_AUDIO_FRAME = 1024
_TONE = 225
"""Hz; divides the sample rate, so that one period can be repeated without a click."""
_ZOOM = 1.22
_WHITE_Y, _GREY = 235, 128
"""White in limited-range YUV: full luma, neutral chroma."""


@dataclass(frozen=True)
class Clip:
    """A scene that moves for ``seconds``. The scene's size is even on both sides, as yuv420p wants."""

    scene: pictures.Scene
    seconds: float
    audio: bool = False


def mp4(clip: Clip) -> bytes:
    """The clip as an MP4 file; the same bytes for the same clip on one machine."""
    import av

    width, height = clip.scene.size
    # A real file: the muxer reopens its output to move the index to the front.
    with tempfile.TemporaryDirectory(prefix="sumesync-clip-") as folder:
        path = Path(folder) / "clip.mp4"
        with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
            video = container.add_stream("libx264", rate=_RATE, options={"preset": "ultrafast", "crf": "26"})
            video.width, video.height, video.pix_fmt = width, height, "yuv420p"
            video.codec_context.gop_size = 2 * _RATE
            video.codec_context.thread_count = 1
            sound = container.add_stream("aac", rate=_SAMPLES, layout="mono") if clip.audio else None
            for frame in _frames(clip):
                container.mux(video.encode(frame))
            container.mux(video.encode())
            if sound is not None:
                for heard in _tone(clip.seconds):
                    container.mux(sound.encode(heard))
                container.mux(sound.encode())
        return path.read_bytes()


def _frames(clip: Clip) -> Iterator[VideoFrame]:
    import av

    stage = _Stage(clip)
    width, height = clip.scene.size
    count = max(1, round(clip.seconds * _RATE))
    for number in range(count):
        frame = av.VideoFrame(width, height, "yuv420p")
        frame.pts = number
        for plane, image in zip(frame.planes, stage.at(number / count, (number + 1) / count), strict=True):
            plane.update(_padded(image, plane.line_size, plane.buffer_size))
        yield frame


class _Stage:
    """The planes of a clip's background and its text, drawn once."""

    def __init__(self, clip: Clip) -> None:
        self.width, self.height = clip.scene.size
        wide = (round(self.width * _ZOOM / 2) * 2, round(self.height * _ZOOM / 2) * 2)
        self.slack = (wide[0] - self.width, wide[1] - self.height)
        luma, blue, red = pictures.background(clip.scene, wide).convert("YCbCr").split()
        self.luma = luma.point(_limited(16, 219))
        self.chroma = [plane.reduce(2).point(_limited(16, 224)) for plane in (blue, red)]
        self.ink = pictures.text_mask(clip.scene)
        self.half_ink = self.ink.reduce(2)
        self.bar = max(4, self.height // 120) // 2 * 2

    def at(self, time: float, progress: float) -> tuple[Image, Image, Image]:
        """The three planes at ``time``, 0 to 1, with the bar at ``progress``."""
        # An ellipse, not a line: the clip loops without a jump and moves all the time.
        x = round(self.slack[0] / 4 * (1 + math.cos(math.tau * time))) * 2
        y = round(self.slack[1] / 4 * (1 + math.sin(math.tau * time))) * 2
        width, height = self.width, self.height
        luma = self.luma.crop((x, y, x + width, y + height))
        luma.paste(_WHITE_Y, (0, 0), self.ink)
        done = round(width * progress / 2) * 2
        luma.paste(_WHITE_Y, (0, height - self.bar, done, height))
        box = (x // 2, y // 2, x // 2 + width // 2, y // 2 + height // 2)
        blue, red = (plane.crop(box) for plane in self.chroma)
        for plane in (blue, red):
            plane.paste(_GREY, (0, 0), self.half_ink)
            plane.paste(_GREY, (0, (height - self.bar) // 2, done // 2, height // 2))
        return luma, blue, red


def _limited(low: int, span: int) -> list[int]:
    """Full range (JPEG's) to the limited range that video players assume."""
    return [low + round(value * span / 255) for value in range(256)]


def _padded(image: Image, line_size: int, size: int) -> bytes:
    """The plane's bytes with every line as long as the encoder's buffer wants it."""
    width, height = image.size
    data = image.tobytes()
    if line_size != width:
        gap = bytes(line_size - width)
        data = b"".join(data[row * width : (row + 1) * width] + gap for row in range(height))
    return data.ljust(size, b"\0")


def _tone(seconds: float) -> Iterator[AudioFrame]:
    """A quiet hum."""
    import av

    period = _SAMPLES // _TONE
    wave = array("f", (0.04 * math.sin(math.tau * n / period) for n in range(period)))
    waves = wave * (_AUDIO_FRAME // period + 2)
    for number in range(math.ceil(seconds * _SAMPLES / _AUDIO_FRAME)):
        start = number * _AUDIO_FRAME
        frame = av.AudioFrame(format="fltp", layout="mono", samples=_AUDIO_FRAME)
        frame.sample_rate, frame.pts = _SAMPLES, start
        frame.planes[0].update(waves[start % period : start % period + _AUDIO_FRAME].tobytes())
        yield frame
