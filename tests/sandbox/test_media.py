"""The media: real files of the right size, the same for one job and different between jobs."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from sumesync.sandbox import pictures, typeset
from sumesync.sandbox.clips import Clip, mp4
from sumesync.sandbox.media import Shelf
from sumesync.sandbox.pictures import Scene
from sumesync.sandbox.world import World

from .client import CAT, Clock, make_world, site

PROMPTS = {
    "empty": "",
    "spaces": " \n\t ",
    "long": "a very long prompt " * 5000,
    "one word": "x" * 20_000,
    "hebrew and arabic": "קפה טעים בבוקר — شاي بالنعناع",
    "emoji": "A 🌅 over the 🏔️ with 👩‍👩‍👧‍👦 and 🇫🇷",
    "chinese": "水彩画の猫が窓辺で眠っている" * 20,
    "thai and hindi": "กาแฟยามเช้า सुबह की चाय",
    "marks": "Z̸̢̛a̷͇͝l̴̰̕g̵̠̀o̸̖͂",
    "controls": "a\x00b\u202ec\ud800d\x1b[31m\uffff\U0010ffff",
    "lines": "one\ntwo\r\nthree",
}


def opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image


def scene(prompt: str = "A cat.", job: str = "job_1", size: tuple[int, int] = (320, 400)) -> Scene:
    return Scene(prompt, job, f"image · 4:5 · {job}", size)


@pytest.mark.parametrize("name", PROMPTS)
def test_any_prompt_makes_a_picture(name: str) -> None:
    image = opened(pictures.png(scene(PROMPTS[name])))
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (320, 400))


@pytest.mark.parametrize("size", [(16, 16), (64, 2000), (2000, 64)])
def test_any_size_makes_a_picture(size: tuple[int, int]) -> None:
    assert opened(pictures.png(scene("Some words.", size=size))).size == size


def test_pictures_are_the_same_for_a_job_and_differ_between_jobs_and_prompts() -> None:
    assert pictures.png(scene()) == pictures.png(scene())
    looks = [scene(), scene(job="job_2"), scene("A dog.")]
    small = [pictures.background(each, (16, 16)).tobytes() for each in looks]
    for one, other in itertools.combinations(small, 2):
        assert sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one) > 4


def test_text_stands_out() -> None:
    """White text needs a background that is not light, whatever the prompt."""
    for number in range(40):
        grey = pictures.background(scene(f"prompt {number}", f"job_{number}"), (24, 24)).convert("L")
        assert max(grey.tobytes()) < 190


def test_setting_text() -> None:
    block = typeset.fit("A short one.", 600, 600, 70, 16)
    assert (block.lines, block.size) == (("A short one.",), 70)
    long = typeset.fit("word " * 5000, 300, 200, 70, 16)
    assert long.size == 16
    assert long.height <= 200
    assert long.lines[-1].endswith("…")
    face = typeset.font(long.face, long.size)
    assert all(face.getlength(line) <= 303 for line in long.lines)


def test_what_no_font_has_is_spelled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typeset, "_installed", lambda: ())
    assert " ".join(typeset.fit("a 🌅 水", 900, 900, 40, 16).lines) == r"a [sunrise] \u6c34"
    assert typeset.fit("naïve café — “quoted”", 900, 900, 40, 16).lines == ("naive cafe - “quoted”",)


# --- Clips ----------------------------------------------------------------------------------------------


def probe(data: bytes) -> tuple[Any, ...]:
    with av.open(io.BytesIO(data), "r") as container:
        video = container.streams.video[0]
        frames = [bytes(frame.reformat(24, 24, "gray").planes[0]) for frame in container.decode(video=0)]
        context = video.codec_context
        seconds = (container.duration or 0) / 1_000_000
        size = (context.width, context.height)
        return context.name, context.pix_fmt, size, seconds, frames, len(container.streams.audio)


def test_a_clip_is_h264_of_its_length_and_moves() -> None:
    data = mp4(Clip(scene(size=(270, 480)), 4))
    codec, pixels, size, seconds, frames, sounds = probe(data)
    assert (codec, pixels, size, sounds) == ("h264", "yuv420p", (270, 480), 0)
    assert abs(seconds - 4) < 0.11
    assert len(set(frames)) == len(frames) == 40
    assert data.index(b"moov") < data.index(b"mdat"), "browsers play it before it has all arrived"
    assert data == mp4(Clip(scene(size=(270, 480)), 4))


def test_a_clip_with_sound() -> None:
    data = mp4(Clip(scene(size=(96, 96)), 4.5, audio=True))
    assert probe(data)[-1] == 1
    with av.open(io.BytesIO(data), "r") as container:
        sound = container.streams.audio[0]
        assert sound.codec_context.name == "aac"
        assert abs(sum(int(frame.samples) for frame in container.decode(sound)) / 44_100 - 4.5) < 0.1


@pytest.mark.parametrize(("kind", "body", "size"), [
    ("image", {}, (768, 768)),
    ("image", {"aspect_ratio": "4:5"}, (768, 960)),
    ("image", {"aspect_ratio": "9:16"}, (720, 1280)),
    ("image", {"aspect_ratio": "16:9"}, (1066, 600)),
    ("image", {"aspect_ratio": "999:1"}, (1600, 400)),
    ("video", {}, (480, 854)),
    ("video", {"aspect_ratio": "16:9", "resolution": "720p"}, (1280, 720)),
    ("video", {"aspect_ratio": "1:1"}, (480, 480)),
    ("video", {"aspect_ratio": "4:5", "duration": 4}, (480, 600)),
])  # fmt: skip
def test_sizes_by_aspect_ratio(kind: str, body: dict[str, Any], size: tuple[int, int]) -> None:
    with site() as s:
        result = s.result(s.finished(f"/{kind}s/generations", {**CAT, **body}))
        if kind == "image":
            image = result["images"][0]
            assert (image["width"], image["height"]) == size
            got = s.send("GET", image["url"])
            assert (opened(got.data).size, got.headers["Content-Type"]) == (size, "image/png")
        else:
            got = s.send("GET", result["video_url"])
            assert got.headers["Content-Type"] == "video/mp4"
            assert probe(got.data)[2] == size == (result["width"], result["height"])
            assert abs(probe(got.data)[3] - result["duration"]) < 0.11


def test_images_of_one_job_differ() -> None:
    with site() as s:
        images = s.result(s.finished(body={**CAT, "image_count": 2}))["images"]
        assert len({s.send("GET", image["url"]).data for image in images}) == 2


def test_a_thumbnail_is_a_small_jpeg() -> None:
    with site() as s:
        for route in ("/images/generations", "/videos/generations"):
            got = s.send("GET", s.result(s.finished(route))["thumbnail_url"])
            image = opened(got.data)
            assert (image.format, max(image.size)) == ("JPEG", 256)
            assert got.headers["Content-Type"] == "image/jpeg"


# --- The shelf --------------------------------------------------------------------------------------------


def test_media_are_drawn_when_first_asked_for_and_kept(tmp_path: Path) -> None:
    clock = Clock()
    world = World.open(tmp_path, now=clock)
    with site(world=world, clock=clock) as s:
        job_id = s.finished()
        assert not (tmp_path / "media").exists()
        first = s.send("GET", s.result(job_id)["images"][0]["url"]).data
        assert [path.name for path in (tmp_path / "media" / job_id).iterdir()] == ["1.png"]
    again = World.open(tmp_path, now=clock)
    with site(world=again, clock=clock) as s:
        assert s.send("GET", s.result(job_id)["images"][0]["url"]).data == first
        assert again.shelf.drawn == 0
        (tmp_path / "media" / job_id / "1.png").write_bytes(b"")
        assert s.send("GET", s.result(job_id)["images"][0]["url"]).data == first


def test_a_folder_that_takes_no_media_is_a_500(tmp_path: Path) -> None:
    clock = Clock()
    with site(world=World.open(tmp_path, now=clock), clock=clock) as s:
        (tmp_path / "media").write_text("")
        assert s.send("GET", s.result(s.finished())["images"][0]["url"]).status == 500


@pytest.mark.parametrize("on_disk", [False, True])
def test_requests_that_come_together_draw_once(tmp_path: Path, on_disk: bool) -> None:
    from sumesync.sandbox.kinds import of

    job = make_world().create("image", CAT)
    shelf = Shelf(tmp_path if on_disk else None)
    piece = of("image").pieces(CAT)[0]
    got: list[bytes] = []
    threads = [threading.Thread(target=lambda: got.append(shelf.fetch(job, piece))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert len(set(got)) == shelf.drawn == 1


def test_the_server_needs_no_drawing_library_until_something_is_drawn() -> None:
    code = (
        "import sys; import sumesync.sandbox.server;print(sorted({'PIL', 'av', 'click', 'urllib3'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_drawing_is_quick() -> None:
    """Processor time, measured: 45 ms a picture, 170 ms a clip of 5 s at 480p. It grows on a busy machine, too."""
    big = scene("A woman walks through a sunlit market in Lisbon. " * 4, size=(768, 960))
    mp4(Clip(scene(size=(480, 854)), 0.2))
    began = time.process_time()
    pictures.png(big)
    middle = time.process_time()
    mp4(Clip(scene(size=(480, 854)), 5))
    assert middle - began < 0.5
    assert time.process_time() - middle < 2.0
