"""The small named values that the tables speak in: two specs, what was made of them, and what stands on disk."""

from __future__ import annotations

from sumesync.model import JobError, JobState, Step
from tests.builders import entry, file, job, output, submission, wanted

WORKSPACE = "sha256:" + "a" * 64
"""The digest of a workspace, as the lock and the ledger have it."""
HERO_PATH = "launch/hero.sume.toml"
HERO = wanted(HERO_PATH, "A cup on a white table")
HERO_PNG = output("launch/hero.png", "the hero")
HERO_JOB = job("job_hero", JobState.COMPLETED, HERO_PNG)
HERO_DONE = entry(HERO, HERO_JOB)
HERO_FILES = {"launch/hero.png": file("the hero")}

HERO_IN_FLIGHT = job("job_hero", JobState.ACCEPTED)
HERO_FAILED = job("job_hero", JobState.FAILED, error=JobError("content_policy", "req_1"))
HERO_GONE = job("job_hero", JobState.GONE, HERO_PNG)
HERO_UNKNOWN = submission(HERO, Step.UNKNOWN)

RED = wanted(HERO_PATH, "A red cup on a white table")
RED_PNG = output("launch/hero.png", "the red hero")
RED_JOB = job("job_red", JobState.COMPLETED, RED_PNG)
RED_DONE = entry(RED, RED_JOB, history=(HERO_DONE.present,))
"""The hero's spec after its prompt was changed and applied."""

TEASER_PATH = "launch/teaser.sume.toml"
TEASER = wanted(TEASER_PATH, "The camera moves in", kind="video", aspect_ratio="9:16", duration=6)
TEASER_MP4 = output("launch/teaser.mp4", "the teaser")
TEASER_JOB = job("job_teaser", JobState.COMPLETED, TEASER_MP4)
TEASER_DONE = entry(TEASER, TEASER_JOB)
TEASER_FILES = {"launch/teaser.mp4": file("the teaser")}

RENAMED_PATH = "launch/banner.sume.toml"
RENAMED = wanted(RENAMED_PATH, "A cup on a white table")
"""The hero under another name: the same request."""
