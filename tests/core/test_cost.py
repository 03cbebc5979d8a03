"""What a plan is likely to cost, by what earlier jobs cost."""

from __future__ import annotations

from typing import Any

import pytest

from sumesync.core import cost
from sumesync.core.action import Observed
from sumesync.core.cost import Estimate, Quote
from sumesync.core.view import Project, State
from sumesync.model import SANDBOX, SUME, JobState, Wanted
from tests.builders import KINDS, document, entry, fact, job, lock, planned, wanted

VIDEO: dict[str, Any] = {"kind": "video", "duration": 5, "resolution": "720p"}
NEW = wanted("new.sume.toml", "brand new", **VIDEO)
A, B, C = (wanted(f"{name}.sume.toml", name, **VIDEO) for name in "abc")


def quoted(
    *paid_for: tuple[Wanted, float | None],
    new: tuple[Wanted, ...] = (NEW,),
    endpoint: str = SUME,
    state: JobState = JobState.COMPLETED,
    specs: bool = True,
) -> Quote:
    """A plan for ``new`` where these were paid for. ``specs``: they are still there, else only metadata know them."""
    entries = [entry(spec, job(f"job_{spec.key.path}", state, credits_=told)) for spec, told in paid_for]
    pairs = [] if specs else zip(paid_for, entries, strict=True)
    documents = {each.key.path: document(spec, each) for (spec, _), each in pairs}
    project = Project((*new, *(spec for spec, _ in paid_for if specs)))
    found = planned(*new)
    known = cost.prices(project, State(lock(*entries)), Observed(metadata=documents), endpoint, KINDS)
    return cost.quote(found, project, KINDS, known)


PRICED = Estimate(40, 0, ("40 a job, as 1 earlier video of 5 s, 720p",), 1)
UNKNOWN = Estimate(unknown=1)


@pytest.mark.parametrize(
    ("quote", "total"),
    [
        pytest.param(quoted(), UNKNOWN, id="nothing is known"),
        pytest.param(quoted((A, 40)), PRICED, id="the same settings"),
        pytest.param(quoted((A, 40), specs=False), PRICED, id="by its metadata alone"),
        pytest.param(quoted((A, None)), UNKNOWN, id="Sume did not tell"),
        pytest.param(quoted((A, 0)), Estimate(0, 0, ("0 a job, as 1 earlier video of 5 s, 720p",), 1), id="free"),
        pytest.param(quoted((A, -4)), UNKNOWN, id="no price"),
        pytest.param(quoted((A, 40), endpoint=SANDBOX), UNKNOWN, id="the other endpoint"),
        pytest.param(quoted((A, 40), state=JobState.FAILED), UNKNOWN, id="it failed"),
        pytest.param(quoted((A, 40), state=JobState.GONE), PRICED, id="it is gone"),
        pytest.param(quoted((A, 40), state=JobState.ACCEPTED), PRICED, id="it runs, and the answer told"),
        pytest.param(quoted((wanted("x.sume.toml", "x", kind="video", duration=5), 9)), UNKNOWN, id="other settings"),
        pytest.param(quoted((wanted("x.sume.toml", "x"), 4)), UNKNOWN, id="another kind"),
        pytest.param(
            quoted((A, 90), (B, 40), (C, 42)),
            Estimate(42, 0, ("42 a job, as 3 earlier videos of 5 s, 720p",), 1),
            id="the median",
        ),
        pytest.param(
            quoted((A, 30), (B, 40)),
            Estimate(40, 0, ("40 a job, as 2 earlier videos of 5 s, 720p",), 1),
            id="of two the dearer",
        ),
    ],
)
def test_an_estimate(quote: Quote, total: Estimate) -> None:
    assert quote.total == total
    assert quote.estimates == {NEW.key: total}


@pytest.mark.parametrize(
    ("request_", "kept"),
    [
        ({"prompt": "x", "negative_prompt": "y", "seed": 7, "script": "z", "title": "t", "avatar_id": "av"}, "{}"),
        ({"reference_image_urls": ["https://x.example/a.png"]}, "{}"),
        ({"style_image": {"file": "a.png", "sha256": "0"}, "pose": [{"from": "b.sume.toml"}]}, "{}"),
        ({"look": "https://x.example/a", "mood": "two words"}, "{}"),
        ({"image_count": 2, "model": "pro", "hd": True}, '{"hd": true, "image_count": 2, "model": "pro"}'),
        ({"camera": {"lens": 35}, "tags": ["a", "b"]}, '{"camera": {"lens": 35}, "tags": ["a", "b"]}'),
    ],
)
def test_what_decides_a_price(request_: dict[str, Any], kept: str) -> None:
    assert cost.settings_of(KINDS["image"], request_) == ("image", kept)


def test_items_that_are_jobs_of_their_own_are_no_setting() -> None:
    assert cost.settings_of(KINDS["face-swap"], {"avatar_ids": ["a", "b"], "source_video_url": "x"})[1] == "{}"


def test_a_plan_of_several_sorts() -> None:
    images = tuple(wanted(f"i{number}.sume.toml", f"i{number}", image_count=2) for number in range(2))
    done = wanted("done.sume.toml", "done", image_count=2)
    quote = quoted((A, 40), (done, 8), new=(NEW, *images, wanted("odd.sume.toml", "odd")))
    assert cost.in_words(quote.total) == "Cost: about 56 credits for 3 jobs; 1 job of unknown cost."
    assert quote.total.basis == (
        "8 a job, as 1 earlier image of image_count 2",
        "40 a job, as 1 earlier video of 5 s, 720p",
    )
    assert not quote.short
    assert cost.in_words(Quote().total) == ""


def test_a_ledger_and_a_lock_tell_of_one_job_once() -> None:
    told = job("job_a", credits_=40.0)
    state = State(lock(entry(A, told)), (fact(A, told),))
    (price,) = cost.prices(Project((A,)), state, Observed(), SUME, KINDS).values()
    assert price == cost.Price(40, "1 earlier video of 5 s, 720p")
