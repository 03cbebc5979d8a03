"""The results of a run: downloaded side by side, put in their places one at a time, recorded last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sumesync.apply import delivery, free
from sumesync.apply.ground import RETRY_SECONDS, TRIES, Errand, Ground, heard
from sumesync.apply.inputs import Inputs, needed
from sumesync.core import documents, metadata
from sumesync.core.action import Standing, Verb
from sumesync.core.advance import placed, turn_to
from sumesync.core.documents import DocumentFault
from sumesync.core.paths import suffix_of
from sumesync.core.placement import target_of
from sumesync.errors import ApiError, MediaError, MediaRefused
from sumesync.model import EntryKey, JobRecord, JobState, Json, News, Output, Past, Wanted

_AT_ONCE = 8


class Deliveries:
    """Errands whose jobs have ended, on their way to the disk."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._own = ground.task.own
        self._inputs = Inputs(ground.task, ground.tools, ground.task.stopping)
        self._arrived: list[tuple[float, Errand]] = []
        self._loading: list[Errand] = []

    @property
    def open(self) -> list[Errand]:
        """Errands whose media are not in their places yet."""
        return [*(errand for _, errand in self._arrived), *self._loading]

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
            if due > now or len(self._loading) >= _AT_ONCE:
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
        whole = [haul for haul in hauls if not haul.gone]
        try:
            if whole:
                self._deliver(errand, whole)
        except MediaError as error:  # its places are taken, or the download was swept away under our hands
            self._again(errand, error)

    def _gone(self, errand: Errand, job: JobRecord) -> None:
        self._ground.note(errand, replace(job, state=JobState.GONE))
        spec = errand.key.path if errand.key else ""
        hint = f"restore the file from git, or pay again: sumesync apply --regenerate {spec}"
        self._ground.fail(errand.key, f"Sume no longer has the result of {job.id}", hint)
        for wanted in errand.targets:
            self._ground.record.metadata(wanted)

    def _deliver(self, errand: Errand, hauls: list[delivery.Haul]) -> None:
        """Ledger, then media, then metadata; the lock says it last."""
        landings: list[Output] = []
        for haul in hauls:
            landings += self._land(errand, haul) if haul.document is None else self._hold(errand, haul, haul.document)
        words = [documents.told(errand.kind, haul.document) for haul in hauls if haul.document is not None]
        self._finish(errand, errand.targets[0], landings, ", ".join(words))
        for twin in errand.targets[1:]:
            copies = self._copy(errand, twin, landings)
            if len(copies) == len(landings):
                self._finish(errand, twin, copies, ", ".join(words))

    def _land(self, errand: Errand, haul: delivery.Haul) -> tuple[Output, ...]:
        ground, first = self._ground, errand.targets[0]
        outputs = delivery.outputs_of(haul, first)
        # Before the rename: if we die between the two, the next run knows these bytes as ours.
        ground.record.fact(errand.fingerprint, errand.kind, first.key, delivery.recorded(haul, outputs), written=True)
        self._own = delivery.widened(self._own, outputs)
        replaced, kept = self._replaceable(first.key), self._kept(first.key)
        landed = []
        for item, output in zip(haul.loaded, outputs, strict=True):
            if output.index in kept:
                item.part.discard()
                landed.append(kept[output.index])
                continue
            force = output.path in replaced
            landed.append(delivery.put(item.part, output, first, haul.job.id, self._own, ground.tools, force))
        for want, got in zip(outputs, landed, strict=True):
            if want.path != got.path and want.index not in kept:
                text = f"{want.path} is taken by a file that is not ours: it is {got.path}"
                ground.tools.tell(News.NOTE, first.key, text)
        made = tuple(got if want.sha256 == got.sha256 else want for want, got in zip(outputs, landed, strict=True))
        errand.jobs[haul.job.id] = delivery.recorded(haul, made)
        ground.spent(errand.jobs[haul.job.id])
        return tuple(landed)

    def _hold(self, errand: Errand, haul: delivery.Haul, document: Mapping[str, Json]) -> tuple[Output, ...]:
        """A document is in hand: its metadata are its place. One that is not as it was recorded takes its place: what
        Sume tells of a job may change in a word."""
        ground, first = self._ground, errand.targets[0]
        outputs = delivery.outputs_of(haul, first)
        made = delivery.recorded(haul, outputs)
        told = errand.jobs[haul.job.id].credits is not None
        errand.jobs[haul.job.id] = made
        ground.record.document(document)
        if not ground.task.kinds[errand.kind].free:
            ground.record.fact(errand.fingerprint, errand.kind, first.key, made, written=True)
            if not told:
                ground.spent(made)
        return outputs

    def _kept(self, key: EntryKey) -> dict[int, Output]:
        """Outputs of a variant that stay as they are while others of it are fetched, by index: what stands in its
        place, a person's too, and what a person has edited."""
        actions = (action for action in self._ground.task.plan.of(Verb.FETCH) if action.key == key)
        places = (place for action in actions for place in action.places if place.target not in action.forced)
        return {
            place.output.index: replace(place.output, path=place.source or place.output.path)
            for place in places
            if place.standing in (Standing.HERE, Standing.EDITED) and not place.output.is_document
        }

    def _replaceable(self, key: EntryKey) -> frozenset[str]:
        """Files edited by hand that a person has agreed to lose, of this variant alone."""
        return frozenset(
            path for action in self._ground.task.plan.actions if action.key == key for path in action.forced
        )

    def _copy(self, errand: Errand, twin: Wanted, outputs: list[Output]) -> list[Output]:
        """The same bytes for another spec of the same request."""
        copies = []
        job_id = next(iter(errand.jobs))
        tools = self._ground.tools
        kept = self._kept(twin.key)
        for output in outputs:
            if output.is_document:
                copies.append(replace(output, path=metadata.path_of(twin.key)))
                continue
            if output.index in kept:
                copies.append(kept[output.index])
                continue
            part = tools.media.copy(output.path, twin.folder, output.sha256)
            if part is None:
                self._ground.fail(twin.key, f"{output.path} changed meanwhile", "run apply again")
                continue
            wanted = replace(output, path=target_of(twin, output.index, suffix_of(output.path)))
            copies.append(delivery.put(part, wanted, twin, job_id, self._own, tools))
        return copies

    def _finish(self, errand: Errand, wanted: Wanted, outputs: list[Output], told: str = "") -> None:
        """Metadata, then the lock entry, then what the entry left behind elsewhere."""
        ground, key = self._ground, wanted.key
        made = {output.sha256 for job in errand.jobs.values() for output in job.outputs}
        blessed = tuple(outputs) if any(output.sha256 not in made for output in outputs) else ()
        jobs = tuple(errand.jobs.values()) if blessed else placed(errand.jobs.values(), outputs)
        past = Past(errand.fingerprint, errand.kind, ground.task.policy.endpoint, jobs, blessed)
        document = any(output.is_document for output in outputs)
        if document and (fault := ground.record.metadata(wanted, turn_to(ground.record.entries.get(key), key, past))):
            ground.fail(key, fault, "move it, then run apply again")
            return
        ground.record.change(key, lambda entry: turn_to(entry, key, past))
        if not document and (fault := ground.record.metadata(wanted)):
            ground.fail(key, fault, "move it, then run apply again")
        kept = {output.path for output in self._kept(key).values()}
        ground.outcome.written += [output.path for output in outputs if output.path not in kept]
        ground.outcome.done.append(key)
        self._sweep(key, outputs)
        ground.tools.tell(News.DONE, key, told or ", ".join(output.path for output in outputs))

    def _sweep(self, key: EntryKey, outputs: list[Output]) -> None:
        """An update that gave another name or ending leaves no old file behind, where that is ours."""
        entries = self._ground.record.entries
        kept = {output.path for output in outputs}
        kept |= {o.path for other, entry in entries.items() if entry and other != key for o in entry.outputs}
        for old in free.leftovers(entries.get(key), kept, self._own):
            if self._ground.tools.media.remove(old.path, old.sha256):
                self._ground.outcome.removed.append(old.path)
