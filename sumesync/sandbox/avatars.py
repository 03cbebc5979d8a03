"""The avatars of a sandbox, the same in each, and what each can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sumesync.model import Json
from sumesync.sandbox.answers import Refusal
from sumesync.sandbox.kinds import Field


@dataclass(frozen=True)
class Avatar:
    id: str
    name: str
    talking_head: bool
    ugc_ad: bool
    face_swap: bool

    @property
    def capabilities(self) -> dict[str, bool]:
        return {"talking_head": self.talking_head, "ugc_ad": self.ugc_ad, "face_swap": self.face_swap}


AVATARS = (
    Avatar("avatar_mara", "Mara", talking_head=True, ugc_ad=True, face_swap=True),
    Avatar("avatar_jonas", "Jonas", talking_head=True, ugc_ad=False, face_swap=True),
    Avatar("avatar_aiko", "Aiko", talking_head=True, ugc_ad=True, face_swap=False),
    Avatar("avatar_femi", "Femi", talking_head=False, ugc_ad=False, face_swap=True),
)


def refuse(fields: Iterable[Field], body: Mapping[str, Json]) -> None:
    """Raises Refusal for a body that names avatars which are not there (404), or not for this (422)."""
    can = {avatar.id: avatar.capabilities for avatar in AVATARS}
    unknown: list[Json] = []
    unable: list[Json] = []
    for field in fields:
        for where, ident in _named(field, body.get(field.name)):
            if ident not in can:
                unknown.append({"path": where, "message": "no such avatar"})
            elif not can[ident][field.ability]:
                unable.append({"path": where, "message": f"the avatar cannot do {field.ability}"})
    if unknown:
        raise Refusal(404, "No such avatar.", details={"errors": unknown})
    if unable:
        raise Refusal(422, "The avatar is not for this.", details={"errors": unable})


def _named(field: Field, given: Json) -> Iterator[tuple[str, str]]:
    """The avatars that a field names, each with its place."""
    if field.ability and isinstance(given, list):
        yield from ((f"{field.name}.{place}", str(ident)) for place, ident in enumerate(given))
    elif field.ability and given is not None:
        yield field.name, str(given)
