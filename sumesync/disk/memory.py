"""``.sume/cache/said``: what commands said of a project, and the signs of all that it hung on. Imports next to nothing.

Whoever asks the same again, while every sign is the same, is told the same, and nothing is parsed, hashed or planned.
Disposable: what does not read, or was written by another version, is as good as none. Not believed where git tracks
anything in ``.sume``: the question that tells is asked here, whatever the file says.
"""

from __future__ import annotations

import os
import sys

from sumesync.disk import asking, signs

TYPE_CHECKING = False  # typing itself costs more than all that is imported here
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

PRIVATE = asking.PRIVATE
NAME = os.path.join(PRIVATE, "cache", "said")
MOST_ANSWERS = 8
MOST_BYTES = 32 << 20
_HEAD = b"sumesync said 1 "
_PIPED = 4096
"""Bytes that every pipe takes in at once."""
MANY = 64
"""Folders from which on looking at them is worth a second process."""

Said = tuple[int, list[tuple[bool, str]]]
"""The exit code, and what was said: whether on stderr, and the text."""
Question = tuple[tuple[str, ...], bytes, str]
"""What git is asked, what it is told on stdin, and the digest of its answer."""


class Memory:
    """What was remembered: ``world`` are the digests of folders, by their paths, and of git's answers."""

    __slots__ = ("answers", "asked", "common", "folders", "tool")

    def __init__(
        self,
        tool: str,
        common: str,
        folders: dict[str, str],
        asked: list[Question],
        answers: dict[str, Said],
    ) -> None:
        self.tool, self.common, self.folders, self.asked, self.answers = tool, common, folders, asked, answers

    def same_world(self, other: Memory) -> bool:
        mine = (self.tool, self.common, self.folders, self.asked)
        return mine == (other.tool, other.common, other.folders, other.asked)


def tool() -> str:
    """What answers: this very code, its schemas, the libraries beside it and this Python."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    inside = (os.path.join(package, name) for name in sorted(os.listdir(package)))
    places = [
        package,
        *(place for place in inside if os.path.isdir(place)),
        os.path.join(os.path.dirname(package), "schemas"),
    ]
    places += [place for place in sys.path if place.endswith("site-packages")]
    told = [signs.folder(place, ("__pycache__",))[0] for place in places]
    return signs.digest("\0".join([sys.version, *places, *told]).encode())


def key(arguments: Sequence[str]) -> str:
    """What a command says depends on this, beside the project."""
    names = (
        "NO_COLOR",
        "FORCE_COLOR",
        "TERM",
        "COLUMNS",
        "SUME_API_BASE_URL",
        "GIT_DIR",
        "GIT_INDEX_FILE",
        "GIT_WORK_TREE",
    )
    told = [f"{name}={os.environ.get(name)}" for name in names]
    told += [str(bool(os.environ.get("SUME_API_KEY"))), os.getcwd()]
    # A stream that was closed is None.
    told += [f"{stream.isatty()} {stream.encoding}" if stream else "" for stream in (sys.stdout, sys.stderr)]
    if sys.stdout and sys.stdout.isatty():
        told.append(str(os.get_terminal_size(sys.stdout.fileno()).columns))
    return signs.digest("\0".join([*told, *arguments]).encode("utf-8", "surrogateescape"))


def apart(folder: str, root: str) -> tuple[str, ...]:
    """Names in a folder that do not count: at the top those that change by our own doing, and git's."""
    if folder == root:
        return (PRIVATE, ".git")
    return ("cache",) if folder == os.path.join(root, PRIVATE) else ()


# --- Whether it still holds --------------------------------------------------------------------------


def holds(memory: Memory, root: str, alone: bool = True) -> bool:
    """Whether everything that ``memory`` hangs on is as it was. Only where processes can be made cheaply. ``alone``:
    this process has one thread, and may be copied."""
    if memory.common != asking.common_folder(root) or memory.tool != tool():
        return False
    questions = [arguments for arguments, _, _ in memory.asked]
    if not asking.REPEATABLE.issuperset(questions) or (memory.common and asking.SPECS not in questions):
        return False
    if not hasattr(os, "posix_spawnp"):
        return False
    if not alone and any(len(given) > _PIPED for _, given, _ in memory.asked):
        return False
    running = [(arguments, *_ask(root, arguments, given)) for arguments, given, _ in memory.asked]
    places = list(memory.folders)
    look = _beside if alone and len(places) >= MANY and hasattr(os, "fork") else _at_once
    told = look(places, root)
    same = [_answer(*child) for child in running] == [expected for _, _, expected in memory.asked]
    return told() == [memory.folders[place] for place in places] and same  # no child is left behind


def _at_once(places: list[str], root: str) -> Callable[[], list[str]]:
    return lambda: [signs.folder(place, apart(place, root))[0] for place in places]


def _beside(places: list[str], root: str) -> Callable[[], list[str]]:
    """Two processes look at a half of the folders each, while this one listens to git."""
    middle = len(places) // 2
    children = [_child(places[:middle], root), _child(places[middle:], root)]

    def told() -> list[str]:
        found: list[str] = []
        for pid, reading in children:
            with open(reading, "rb") as file:
                found += file.read().decode().split("\n")
            os.waitpid(pid, 0)
        return found

    return told


def _child(places: list[str], root: str) -> tuple[int, int]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        told = "\n".join(signs.folder(place, apart(place, root))[0] for place in places)
        with open(writing, "wb") as file:
            file.write(told.encode())
    finally:
        os._exit(0)


def _ask(root: str, arguments: tuple[str, ...], given: bytes) -> tuple[int, int, int]:
    """git on its way: its process, where its answer can be read, and the process that tells it ``given``, or 0."""
    reading, writing = os.pipe()
    asks, teller = _written(given) if given else (os.open(os.devnull, os.O_RDONLY), 0)
    null = os.open(os.devnull, os.O_WRONLY)
    redirected = [(os.POSIX_SPAWN_DUP2, asks, 0), (os.POSIX_SPAWN_DUP2, writing, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
    try:
        pid = os.posix_spawnp("git", asking.command(root, arguments), asking.environment(), file_actions=redirected)
    finally:
        for descriptor in (asks, writing, null):
            os.close(descriptor)
    return pid, reading, teller


def _written(given: bytes) -> tuple[int, int]:
    """A pipe that ``given`` comes out of; what is too long for one is filled in by a process of its own, else 0."""
    reading, writing = os.pipe()
    pid = 0
    if len(given) <= _PIPED:
        os.write(writing, given)
    elif (pid := os.fork()) == 0:
        try:
            os.close(reading)
            with open(writing, "wb") as file:
                file.write(given)
        finally:
            os._exit(0)
    os.close(writing)
    return reading, pid


def _answer(arguments: tuple[str, ...], pid: int, reading: int, teller: int) -> str:
    """The digest of the answer; "" where it tells that what we remember came with a commit."""
    with open(reading, "rb") as file:
        said = file.read()
    _, status = os.waitpid(pid, 0)
    if teller:
        os.waitpid(teller, 0)
    if arguments == asking.SPECS and _tracked(said):
        return ""
    return answered(said, os.waitstatus_to_exitcode(status))


def _tracked(said: bytes) -> bool:
    """Whether git's answer to SPECS tells that it tracks something in ``.sume``."""
    names = (line[2:] for line in said.split(b"\0") if line[:1] not in (b"", b"?"))
    return any(name.split(b"/")[0].lower() == PRIVATE.encode() for name in names)


def answered(said: bytes, code: int) -> str:
    """The digest of git's answer."""
    return signs.digest(b"%d " % code + said)


# --- The file ----------------------------------------------------------------------------------------


def read(root: str) -> Memory | None:
    """What is remembered of the project at ``root``; None where nothing is that reads."""
    try:
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        with open(os.open(os.path.join(root, NAME), flags), "rb") as file:
            return decoded(file.read(2 * MOST_BYTES))
    except OSError:
        return None


def decoded(data: bytes) -> Memory | None:
    """The inverse of ``rendered``; None for what that did not write."""
    start = len(_HEAD) + 32
    if data[:start] != _HEAD + signs.digest(data[start:]).encode():
        return None
    try:
        return _decoded(_fields(data[start:]))
    except (ValueError, StopIteration, RuntimeError):
        return None


def rendered(memory: Memory) -> bytes:
    """The file's bytes: fields, each with its length before it, after a digest of them all."""
    fields: list[str | bytes] = [memory.tool, memory.common, str(len(memory.folders))]
    for place, told in memory.folders.items():
        fields += (place, told)
    fields.append(str(len(memory.asked)))
    for arguments, given, told in memory.asked:
        fields += (str(len(arguments)), *arguments, given, told)
    fields.append(str(len(memory.answers)))
    for name, (code, said) in memory.answers.items():
        fields += (name, str(code), str(len(said)))
        for is_talk, text in said:
            fields += ("2" if is_talk else "1", text)
    encoded = [field if isinstance(field, bytes) else field.encode("utf-8", "surrogateescape") for field in fields]
    data = b"".join(b"%d:%b" % (len(field), field) for field in encoded)
    return _HEAD + signs.digest(data).encode() + data


def _fields(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        colon = data.index(b":", at)
        if not data[at:colon].isdigit():
            raise ValueError("a length is missing")
        end = colon + 1 + int(data[at:colon])
        found.append(data[colon + 1 : end])
        at = end
    return found


def _decoded(fields: list[bytes]) -> Memory:
    taken = iter(fields)

    def text() -> str:
        for field in taken:
            return field.decode("utf-8", "surrogateescape")
        raise ValueError("too short")

    def number() -> int:
        return int(text())

    tool_, common = text(), text()
    folders = {text(): text() for _ in range(number())}
    asked = [(tuple(text() for _ in range(number())), _raw(text()), text()) for _ in range(number())]
    answers = {text(): (number(), [(text() == "2", text()) for _ in range(number())]) for _ in range(number())}
    return Memory(tool_, common, folders, asked, answers)


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def with_answer(old: Memory | None, new: Memory, most: int = MOST_ANSWERS) -> Memory:
    """``new``, with the answers of ``old`` where these hang on the same world; the oldest give way."""
    answers = dict(old.answers) if old is not None and new.same_world(old) else {}
    for name, said in new.answers.items():
        answers.pop(name, None)
        answers[name] = said
    kept: dict[str, Said] = {}
    room = MOST_BYTES
    for name in reversed(list(answers)[-most:]):
        room -= sum(len(text) for _, text in answers[name][1])
        if room < 0:
            break
        kept[name] = answers[name]
    return Memory(new.tool, new.common, new.folders, new.asked, dict(reversed(list(kept.items()))))


def newest(folders: Iterable[str], root: str) -> tuple[dict[str, str], int]:
    """The digests of ``folders`` now, and the latest time in any of them."""
    found = {place: signs.folder(place, apart(place, root)) for place in folders}
    return {place: told for place, (told, _) in found.items()}, max((time for _, time in found.values()), default=0)
