"""The results of a run: downloaded and put in their places side by side, recorded last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sumesync.apply import delivery, free
from sumesync.apply.ground import RETRY_SECONDS, TRIES, Errand, Ground, heard
from sumesync.apply.inputs import Inputs, needed
from sumesync.apply.landing import Ended, Landed, Landing, Place, land
from sumesync.core import documents
from sumesync.core.action import Plan, Standing, Verb
from sumesync.core.advance import turn_to
from sumesync.core.documents import DocumentFault
from sumesync.errors import ApiError, MediaError, MediaRefused
from sumesync.model import Change, EntryKey, JobRecord, JobState, News, Output, Past

_AT_ONCE = 48


class Deliveries:
    """Errands whose jobs have ended, on their way to the disk."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._inputs = Inputs(ground.task, ground.tools, ground.task.stopping)
        self._arrived: list[tuple[float, Errand]] = []
        self._loading: list[Errand] = []
        self._landing: list[Errand] = []
        self._kept = _kept(ground.task.plan)
        self._forced = {action.key: frozenset(action.forced) for action in ground.task.plan.actions if action.forced}

    @property
    def open(self) -> list[Errand]:
        """Errands whose media are not in their places yet."""
        return [*(errand for _, errand in self._arrived), *self._loading, *self._landing]

    @property
    def landing(self) -> int:
        """How many are being put in their places now."""
        return len(self._landing)

    def earliest(self) -> float | None:
        """When the next download may start, in monotonic seconds; None: none waits."""
        return min((at for at, _ in self._arrived), default=None)

    def take(self, errand: Errand) -> None:
        """An errand whose jobs have all ended."""
        if errand.targets and any(job.state in (JobState.COMPLETED, JobState.GONE) for job in errand.latest):
            self._arrived.append((0.0, errand))
        elif not errand.targets:
            text = f"{', '.join(errand.jobs)} ended; no spec asks for it now, its id is kept"
            self._ground.tools.tell(News.NOTE, None, text)

    def start(self, now: float) -> None:
        for due, errand in list(self._arrived):
            if len(self._loading) + len(self._landing) >= _AT_ONCE:
                return
            if due > now:
                continue
            self._arrived.remove((due, errand))
            self._loading.append(errand)
            self._ground.tools.tell(News.DOWNLOADING, errand.key)
            self._ground.tools.workers.start(("load", errand), self._load(errand))

    def _load(self, errand: Errand) -> Callable[[], list[delivery.Haul]]:
        wanted = errand.targets[0]
        inputs, entries = self._inputs, needed(wanted, self._ground.record.entries)
        kind = self._ground.task.kinds[errand.kind]
        jobs, tools = list(errand.latest), self._ground.tools
        if kind.free:
            return lambda: [delivery.search(wanted, tools)]

        def load() -> list[delivery.Haul]:
            hauls: list[delivery.Haul] = []
            sent = inputs.named(wanted, entries) if errand.named is None else errand.named
            index = 1
            for job in jobs:
                if job.state.ended_badly:
                    index += 1  # its output keeps its number, for the day when it is tried again
                    continue
                haul = delivery.download(job, index, wanted.folder, kind.media, sent, tools)
                index += len(haul.loaded) or 1
                hauls.append(haul)
            return hauls

        return load

    def broke(self, errand: Errand, error: BaseException) -> None:
        """A download that raised. Asks for a fresh URL and tries again; it never generates again. What is not
        the network's fault is raised further."""
        self._loading.remove(errand)
        if not isinstance(error, ApiError):
            raise error
        self._again(errand, error)

    def _again(self, errand: Errand, error: ApiError) -> None:
        errand.tries += 1
        # A media host's 403 is an expired URL; the API's is about the key, and asking again would not help.
        key_refused = error.status in (401, 403) and not isinstance(error, MediaError)
        search_refused = self._ground.task.kinds[errand.kind].free and error.status in (400, 404, 422)
        final = key_refused or search_refused or isinstance(error, DocumentFault | MediaRefused)
        if errand.tries < TRIES and not final:
            wait = RETRY_SECONDS * 2 ** (errand.tries - 1)
            self._ground.tools.tell(News.NOTE, errand.key, f"{error.what}; trying again in {wait:.0f} s")
            self._arrived.append((self._ground.now() + wait, errand))
            return
        todo = "change the search" if search_refused else "run apply again: it downloads for free"
        self._ground.fail(errand.key, error.what, error.hint or todo, heard(error))

    def loaded(self, errand: Errand, hauls: list[delivery.Haul]) -> None:
        self._loading.remove(errand)
        for haul in hauls:
            if haul.gone:
                self._gone(errand, haul.job)
        if whole := [haul for haul in hauls if not haul.gone]:
            self._land(errand, whole)

    def _gone(self, errand: Errand, job: JobRecord) -> None:
        self._ground.note((errand, replace(job, state=JobState.GONE)))
        spec = errand.key.path if errand.key else ""
        hint = f"restore the file from git, or pay again: sumesync apply --regenerate {spec}"
        self._ground.fail(errand.key, f"Sume no longer has the result of {job.id}", hint)
        for wanted in errand.targets:
            self._ground.record.metadata(wanted)

    def _land(self, errand: Errand, hauls: list[delivery.Haul]) -> None:
        """Put what came into its places, in a worker thread: each step waits for the disk."""
        ground, entries = self._ground, self._ground.record.entries
        for haul in hauls:
            if haul.document is not None:
                ground.record.document(haul.document)
        places = tuple(
            Place(
                wanted,
                entries.get(wanted.key),
                self._kept.get(wanted.key, {}),
                self._forced.get(wanted.key, frozenset()),
            )
            for wanted in errand.targets
        )
        free_kind = ground.task.kinds[errand.kind].free
        landing = Landing(errand, tuple(hauls), places, ground.task.own, ground.task.policy.endpoint, free_kind)
        self._landing.append(errand)
        ground.tools.workers.start(("land", landing), lambda: land(landing, ground.record, ground.tools))

    def aground(self, landing: Landing, error: BaseException) -> None:
        """A landing that raised. What is not about its places is raised further."""
        self._landing.remove(landing.errand)
        if not isinstance(error, MediaError):
            raise error
        self._again(landing.errand, error)  # its places are taken, or the download was swept away under our hands

    def landed(self, landing: Landing, ended: Ended) -> None:
        """Media and metadata are durable: the lock may say so."""
        ground, errand = self._ground, landing.errand
        self._landing.remove(errand)
        told_before = {job_id for job_id, job in errand.jobs.items() if job.credits is not None}
        errand.jobs.update(ended.jobs)
        for haul in landing.hauls:
            if haul.document is None or (not landing.free and haul.job.id not in told_before):
                ground.spent(errand.jobs[haul.job.id])
        for text in ended.notes:
            ground.tools.tell(News.NOTE, errand.key, text)
        for place, path in ended.changed:
            ground.fail(place.wanted.key, f"{path} changed meanwhile", "run apply again")
        words = [documents.told(errand.kind, haul.document) for haul in landing.hauls if haul.document is not None]
        for each in ended.landed:
            self._finish(each, ", ".join(words))

    def _finish(self, landed: Landed, told: str) -> None:
        """The lock entry, then what the entry left behind elsewhere."""
        ground, wanted = self._ground, landed.place.wanted
        key, fault = wanted.key, landed.fault
        if not (fault and landed.document):
            before = ground.record.entries.get(key)
            ground.record.change(key, _turning(key, landed.past))
            if before != landed.place.entry and not fault:  # it grew meanwhile: its metadata are to say the same
                fault = ground.record.metadata(wanted)
        if fault:
            ground.fail(key, fault, "move it, then run apply again")
            return
        kept = {output.path for output in landed.place.kept.values()}
        ground.outcome.written += [output.path for output in landed.outputs if output.path not in kept]
        ground.outcome.done.append(key)
        self._sweep(key, landed.outputs)
        ground.tools.tell(News.DONE, key, told or ", ".join(output.path for output in landed.outputs))

    def _sweep(self, key: EntryKey, outputs: tuple[Output, ...]) -> None:
        """An update that gave another name or ending leaves no old file behind, where that is ours."""
        ground, entries = self._ground, self._ground.record.entries
        left = free.leftovers(entries.get(key), {output.path for output in outputs}, ground.task.own)
        if not left:
            return
        others = {o.path for other, entry in entries.items() if entry and other != key for o in entry.outputs}
        for old in left:
            if old.path not in others and ground.tools.media.remove(old.path, old.sha256):
                ground.outcome.removed.append(old.path)


def _kept(plan: Plan) -> dict[EntryKey, dict[int, Output]]:
    """Outputs of variants that stay as they are while others of them are fetched, by index: what stands in its place,
    a person's too, and what a person has edited."""
    kept: dict[EntryKey, dict[int, Output]] = {}
    for action in plan.of(Verb.FETCH):
        for place in action.places:
            stays = place.standing in (Standing.HERE, Standing.EDITED) and not place.output.is_document
            if stays and place.target not in action.forced:
                output = replace(place.output, path=place.source or place.output.path)
                kept.setdefault(action.key, {})[output.index] = output
    return kept


def _turning(key: EntryKey, past: Past) -> Change:
    return lambda entry: turn_to(entry, key, past)
