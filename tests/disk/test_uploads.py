"""uploads.jsonl: what is kept of an upload, what survives, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sumesync.answers import Uploaded
from sumesync.disk import atomic
from sumesync.disk.uploads import NAME, LocalUploads
from sumesync.errors import LocalStateError

WORKSPACE = "sha256:" + "a" * 64
SHA, OTHER = "1" * 64, "2" * 64
CLIP = Uploaded(SHA, "asset", "up_1", "https://media.sume.so/u/up_1.mp4")


def uploads(folder: Path, workspace: str | None = WORKSPACE) -> LocalUploads:
    return LocalUploads(folder, workspace)


def text(folder: Path) -> str:
    return (folder / NAME).read_text()


def test_an_upload_is_found_by_its_bytes_and_what_they_are_for(tmp_path: Path) -> None:
    uploads(tmp_path).record(CLIP)
    known = uploads(tmp_path)
    assert known.find(SHA, "asset") == CLIP
    assert known.find(SHA, "reference_image") is None
    assert known.find(OTHER, "asset") is None


def test_what_was_begun_is_not_there_yet(tmp_path: Path) -> None:
    known = uploads(tmp_path)
    known.begin(SHA, "asset", "up_1")
    assert '"begun"' in text(tmp_path)
    assert known.find(SHA, "asset") is None
    assert uploads(tmp_path).find(SHA, "asset") is None
    known.record(CLIP)
    known.begin(SHA, "asset", "up_2")
    assert known.find(SHA, "asset") == CLIP


def test_what_was_dropped_is_not_found_again(tmp_path: Path) -> None:
    known = uploads(tmp_path)
    known.record(CLIP)
    later = Uploaded(SHA, "asset", "up_2")
    known.record(later)
    assert known.find(SHA, "asset") == later
    known.drop("up_2")
    assert known.find(SHA, "asset") == CLIP
    known.drop("up_1")
    known.drop("up_9")
    assert uploads(tmp_path).find(SHA, "asset") is None


def test_another_workspaces_uploads_are_not_used(tmp_path: Path) -> None:
    uploads(tmp_path).record(CLIP)
    assert uploads(tmp_path, "sha256:" + "b" * 64).find(SHA, "asset") is None
    assert uploads(tmp_path, None).find(SHA, "asset") is None
    uploads(tmp_path, None).record(Uploaded(OTHER, "asset", "up_7"))
    assert uploads(tmp_path).find(OTHER, "asset") is None


@pytest.mark.parametrize("signed", ["https://m/up_1?X-Amz-Signature=secret", "https://m/up_1#secret"])
def test_nothing_signed_is_stored(tmp_path: Path, signed: str) -> None:
    known = uploads(tmp_path)
    known.record(Uploaded(SHA, "asset", "up_1", signed))
    assert "secret" not in text(tmp_path)
    assert known.find(SHA, "asset") == Uploaded(SHA, "asset", "up_1")


def test_half_a_line_counts_as_never_written(tmp_path: Path) -> None:
    uploads(tmp_path).record(CLIP)
    whole = text(tmp_path)
    for length in range(len(whole)):
        (tmp_path / NAME).write_text(whole[:length])
        assert uploads(tmp_path).find(SHA, "asset") is None
        uploads(tmp_path).record(CLIP)
        assert text(tmp_path) == whole


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "null",
        "\xff",
        "",
        json.dumps({"format_version": 1}),
        json.dumps(
            {"format_version": 1, "step": "whole", "sha256": 1, "purpose": "", "upload_id": "", "media_url": ""}
        ),
        json.dumps(
            {
                "format_version": 1,
                "step": "whole",
                "sha256": 1,
                "purpose": "",
                "upload_id": "",
                "media_url": "",
                "workspace": None,
            }
        ),
        "[" * 100_000,
    ],
)
def test_what_does_not_read_is_refused_and_says_that_it_can_go(tmp_path: Path, line: str) -> None:
    (tmp_path / NAME).write_bytes(line.encode("latin-1") + b"\n")
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(LocalStateError, match=r"uploads\.jsonl:1: not a list") as caught:
        uploads(tmp_path).find(SHA, "asset")
    assert "remove the file" in caught.value.hint
    with pytest.raises(LocalStateError):
        uploads(tmp_path).record(CLIP)
    assert (tmp_path / NAME).read_bytes() == before


@pytest.mark.parametrize("step", ["", "finished"])
def test_a_step_that_there_is_not_is_refused(tmp_path: Path, step: str) -> None:
    uploads(tmp_path).record(CLIP)
    (tmp_path / NAME).write_text(text(tmp_path).replace('"whole"', f'"{step}"'))
    with pytest.raises(LocalStateError, match="a step that there is not"):
        uploads(tmp_path).find(SHA, "asset")


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    uploads(tmp_path).record(CLIP)
    (tmp_path / NAME).write_text(text(tmp_path).replace('"format_version": 1', '"format_version": 2'))
    with pytest.raises(LocalStateError, match="newer than this sumesync") as caught:
        uploads(tmp_path).find(SHA, "asset")
    assert "pip install" in caught.value.hint


def test_each_step_is_durable_when_it_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    appended: list[bytes] = []
    real = atomic.append

    def append(path: Path, data: bytes) -> None:
        appended.append(data)
        real(path, data)

    monkeypatch.setattr(atomic, "append", append)
    known = uploads(tmp_path)
    known.begin(SHA, "asset", "up_1")
    known.record(CLIP)
    known.drop("up_1")
    steps = [json.loads(data)["step"] for data in appended]
    assert steps == ["begun", "whole", "dropped"]


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LocalStateError):
        uploads(tmp_path).find(SHA, "asset")
