"""What a reference analysis says of a clip: made up of its address, and the same for the same address.

The documentation says only "analysis output", so no name in it may be leaned on. Its URLs are signed, and some stand
inside of texts: whoever keeps the document must take the signatures out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from urllib.parse import urlsplit

from sumesync.model import Json

FRAMES = ("frame-1.jpg", "frame-2.jpg", "frame-3.jpg")

_HOOKS = (
    ("question", "You have been washing your face wrong, haven't you?"),
    ("claim", "I tried every serum under thirty, and only one stayed."),
    ("curiosity", "Nobody tells you what happens on day nine."),
    ("before and after", "This is my skin in March. This is my skin now."),
)
_SCENES = (
    ("hook", "A face close to the camera, morning light.", "Wait. Look at this."),
    ("problem", "The shelf, too many bottles, a hand that puts one away.", "I had bought all of them."),
    ("demonstration", "Two drops on the back of a hand, slowly.", "Two drops. That is all it takes."),
    ("proof", "The same face, a calendar beside it.", "Nine days, no filter."),
    ("call to action", "The bottle alone on white, a finger points down.", "The link is below."),
)
_TAGS = ("skincare", "testimonial", "close-up", "handheld", "captions", "fast cuts", "voice-over")
_STEP = 0.25


def document(url: str, link: Callable[[str], str]) -> dict[str, Json]:
    """The analysis of what stands at ``url``. ``link`` signs the URL of a frame."""
    chance = hashlib.sha256(url.encode("utf-8", "replace")).digest()
    name, words = _HOOKS[chance[0] % len(_HOOKS)]
    scenes = [_SCENES[0], *(_SCENES[1:-1] if chance[1] % 2 else _SCENES[2:-1]), _SCENES[-1]]
    beats: list[Json] = []
    transcript: list[Json] = []
    start = 0.0
    for number, (label, seen, said) in enumerate(scenes):
        end = start + 2 + chance[2 + number] % 8 * _STEP
        frame = link(FRAMES[number % len(FRAMES)])
        beats.append(
            {
                "index": number + 1,
                "label": label,
                "start_time_seconds": start,
                "end_time_seconds": end,
                "visual_summary": seen,
                "frame_url": frame,
            }
        )
        transcript.append({"start": start, "end": end, "speaker": "A", "text": said})
        start = end
    first = link(FRAMES[0])
    return {
        "source": {"platform": _platform(url), "url": url, "duration_seconds": start, "thumbnail_url": first},
        "hook": {"type": name, "text": words, "score": chance[8] % 50 / 100 + 0.5, "evidence": f"see {first}"},
        "beats": beats,
        "transcript": transcript,
        "tags": [*sorted({_TAGS[byte % len(_TAGS)] for byte in chance[9:13]})],
        "cta_present": True,
        "pacing": {"cuts": len(beats) - 1, "mean_shot_seconds": round(start / len(beats), 2)},
        "summary": f"A {name} opens it; {len(beats)} beats in {start:g} seconds. Still: {first} (as seen).",
    }


def _platform(url: str) -> str:
    return "tiktok" if "tiktok" in (urlsplit(url).hostname or "") else "instagram"
