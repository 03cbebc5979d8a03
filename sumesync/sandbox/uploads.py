"""Files that were sent to the sandbox: where each may be sent, what has come, and what later requests may say of it.

An upload has two names. The object key is in the upload URL alone, and is the storage's own; the media URL, without a
signature, is what a create request names. Neither opens the file without a signature.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sumesync.model import Json
from sumesync.sandbox.answers import Refusal
from sumesync.sandbox.kinds import Field
from sumesync.sandbox.validate import LOOPBACK

PURPOSES: Mapping[str, str] = {
    "reference_image": "image",
    "reference_video": "video",
    "face_swap_source_video": "video",
    "asset": "",
}
"""What an upload may be for, and the family of media that it takes; "" is any."""
FIELDS = (
    Field("file_name", "string", required=True, low=1, high=255),
    Field("content_type", "string", required=True, pattern=r"(image|video)/[a-z0-9][a-z0-9.+\-]{0,60}"),
    Field("size_bytes", "integer", required=True, low=1),
    Field("purpose", "string", required=True, choices=tuple(PURPOSES)),
)
"""Of the body of ``POST /uploads/presign``: like those of a create, not documented by name."""
_CHUNK = 256 * 1024
_FILE = re.compile(r"/media/files/(?P<id>[^/]+)/[^/]+")
_JOBS = re.compile(r"/media/[^/]+/job_[^/]+/.+")
_PUT = re.compile(r"/media/[^/]+/(?P<object>[^/]+)/raw")
# What HTTP clients send by themselves; all else must have been asked for.
_USUAL = frozenset({"host", "content-length", "connection", "user-agent", "accept", "accept-encoding", "expect"})


@dataclass(frozen=True)
class Upload:
    """``sha256`` is "" until all of it has come. Times are seconds since the epoch."""

    id: str
    object: str
    """What the storage calls it: secret."""
    file_name: str
    content_type: str
    size: int
    purpose: str
    created_at: float
    sha256: str = ""

    @property
    def completed(self) -> bool:
        return bool(self.sha256)

    @property
    def family(self) -> str:
        return self.content_type.partition("/")[0]

    @property
    def path(self) -> str:
        """Of its media URL. Unsigned it names the file; signed it also opens it."""
        return f"/media/files/{self.id}/{re.sub(r'[^A-Za-z0-9._-]', '-', self.file_name)[-80:].lstrip('.') or 'file'}"

    def put_path(self, workspace_id: str) -> str:
        """Where it is sent to, with the object key in it."""
        return f"/media/{workspace_id}/{self.object}/raw"

    @property
    def required_headers(self) -> dict[str, str]:
        return {
            "Content-Type": self.content_type,
            "x-sume-upload": hashlib.sha256(self.object.encode()).hexdigest()[:24],
        }


@dataclass(frozen=True)
class Asset:
    """What an ingest job that has completed put into the library."""

    id: str
    job_id: str
    upload: Upload
    title: str
    created_at: float


def to_json(upload: Upload) -> dict[str, Json]:
    return asdict(upload)


def from_json(record: Mapping[str, Json]) -> Upload:
    """Raises ValueError for anything that ``to_json`` does not make."""
    allowed: dict[str, tuple[type, ...]] = {"size": (int,), "created_at": (int, float)}
    if set(record) != {field.name for field in fields(Upload)}:
        raise ValueError("not the fields of an upload")
    for name, value in record.items():
        if not isinstance(value, allowed.get(name, (str,))):
            raise ValueError(f"an upload's {name} is {value!r}")
    return Upload(**record)  # type: ignore[arg-type]  # the loop above looked at each type


def object_of(path: str) -> str:
    """The object that a PUT to ``path`` is for; "" where it is none."""
    match = _PUT.fullmatch(unquote(path))
    return match["object"] if match else ""


def same_path(one: str, other: str) -> bool:
    """Whether two paths are one, however they are percent-encoded."""
    return unquote(one) == unquote(other)


def id_of(path: str) -> str:
    """The upload that the path of a media URL names; "" where it names none."""
    match = _FILE.fullmatch(unquote(path))
    return match["id"] if match else ""


def misfit(file_name: str, content_type: str, size: int, purpose: str, largest: int) -> list[Json]:
    """What is wrong with an upload that was asked for, beyond its fields."""
    errors: list[Json] = []
    family = PURPOSES[purpose]
    if family and content_type.partition("/")[0] != family:
        errors.append({"path": "content_type", "message": f"must be {family}/* for the purpose {purpose}"})
    if size > largest:
        errors.append({"path": "size_bytes", "message": f"must be at most {largest}"})
    if "/" in file_name or "\\" in file_name or not file_name.isprintable():
        errors.append({"path": "file_name", "message": "must be a name without folders"})
    return errors


def refuse_headers(upload: Upload, headers: Mapping[str, str], length: int) -> None:
    """Raises Refusal for a PUT that is not what was signed: another type or size, a header too many or too few."""
    wanted = {name.lower(): value for name, value in upload.required_headers.items()}
    if any(headers.get(name) != value for name, value in wanted.items()):
        raise Refusal(403, "A required header is missing or differs.")
    if set(headers) - set(wanted) - _USUAL:
        raise Refusal(403, "Only the required headers may be sent.")
    if length != upload.size:
        raise Refusal(400, "Content-Length is not the size that was asked for.")


class Files:
    """The bytes of uploads, each a file: none of them is ever held whole."""

    def __init__(self, folder: Path | None) -> None:
        """Without ``folder`` they stand in one that goes with this object."""
        self._folder = folder

    def path(self, upload: Upload) -> Path:
        return self._home() / upload.id

    def _home(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="sumesync-uploads-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    def take(self, upload: Upload, word: str, read: Callable[[int], bytes]) -> str:
        """Stream the file in; its sha256. ``word`` tells two senders of one upload apart. Raises Refusal 400 when fewer
        bytes come than were said; what ``read`` raises passes through, and nothing is left."""
        target = self.path(upload)
        part = target.with_name(f".{target.name}.{word}.part")
        digest, left = hashlib.sha256(), upload.size
        try:
            with part.open("wb") as file:
                while left and (chunk := read(min(_CHUNK, left))):
                    digest.update(chunk)
                    file.write(chunk)
                    left -= len(chunk)
                file.flush()
                os.fsync(file.fileno())
            if left:
                raise Refusal(400, "The body is shorter than the size that was asked for.")
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return digest.hexdigest()


Find = Callable[[str], "Upload | None"]
Opens = Callable[[str, Mapping[str, str]], bool]


def check(names: tuple[Field, ...], body: Mapping[str, Json], find: Find, opens: Opens) -> None:
    """Raises Refusal for a body that names a file which Sume does not have, or not for this: 404 for an upload that is
    none, 409 for one that has not come yet, else 422 with each such field."""
    errors: list[Json] = []
    for field in names:
        given = body.get(field.name)
        if field.type == "upload_id" and isinstance(given, str):
            errors += _wrong_upload(field, find(given))
        listed = given if isinstance(given, list) else [given]
        for place, url in enumerate(listed) if field.type in ("urls", "uploaded_url") else ():
            where = f"{field.name}.{place}" if isinstance(given, list) else field.name
            what = _wrong_url(field, str(url), find, opens) if url is not None else ""
            errors += [{"path": where, "message": what}] if what else []
    if errors:
        raise Refusal(422, "The request names media that cannot be used.", details={"errors": errors})


def _wrong_upload(field: Field, upload: Upload | None) -> list[Json]:
    if upload is None:
        raise Refusal(404, "No such upload.", details={"errors": [{"path": field.name, "message": "no such upload"}]})
    if not upload.completed:
        raise Refusal(409, "The upload is not complete.", code="upload_incomplete", details={"status": "pending"})
    if upload.purpose != field.purpose:
        return [{"path": field.name, "message": f"its purpose must be {field.purpose}, and is {upload.purpose}"}]
    return []


def _wrong_url(field: Field, url: str, find: Find, opens: Opens) -> str:
    """Of a URL in a body. A stranger's may be anything, unless the field wants what was uploaded."""
    parts = urlsplit(url)
    # By its path alone: the port of a sandbox inside a command is another one in each run.
    ours = parts.hostname in LOOPBACK
    upload = find(id_of(parts.path)) if ours else None
    if upload is None:
        if field.type == "uploaded_url":
            return f"must be the media URL of an upload whose purpose is {field.purpose}"
        if ours and _JOBS.fullmatch(parts.path) and not opens(parts.path, _query(parts.query)):
            return "cannot be fetched: the URL has expired or is not signed"
        return "is no upload that is there" if ours and id_of(parts.path) else ""
    if not upload.completed:
        return "its upload is not complete"
    wanted = field.purpose
    return f"its upload's purpose must be {wanted}, and is {upload.purpose}" if wanted != upload.purpose else ""


def _query(text: str) -> dict[str, str]:
    return dict(part.partition("=")[::2] for part in text.split("&"))
