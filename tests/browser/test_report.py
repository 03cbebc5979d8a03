"""The report of a real project in a real Chromium: it works by keyboard, asks nobody, and axe-core finds nothing.

Skipped, visibly, where there is no browser; with SUMESYNC_BROWSER set (as .ci/run does) that is a failure.
"""

from __future__ import annotations

import importlib.resources
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.driver import CHROMEDRIVER, CHROMIUM, REQUIRED, Browser, started
from tests.scenarios.stage import Stage, Sume

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER) and not os.environ.get(REQUIRED),
    reason="there is no chromium with its chromedriver (Debian: chromium, chromium-driver)",
)
EVIL = '</script><script>document.title="evil"</script><img src=x onerror="document.title=1">'
_AXE = importlib.resources.files("axe_core_python") / "axe.min.js"
_VIOLATIONS = """
return axe.run({resultTypes: ["violations"]}).then(found => found.violations.map(
  rule => [rule.id, ...rule.nodes.map(node => node.html.slice(0, 200) + " " + node.failureSummary)].join("\\n")))
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a report since main: new, changed, removed, failed, missing and hostile ones, and a film."""
    base = tmp_path_factory.mktemp("report")
    (base / "project").mkdir()
    (base / "home").mkdir()
    fails = {"route": "/images/generations", "prompt": "A broken cup", "job": {"ends_as": "failed"}}
    stage = Stage(base / "project", base / "home", Sume.serve(fails, drawn=True))
    try:
        stage.git("init", "-q", "-b", "main")
        stage.here("init", code=0)
        stage.write("launch/hero.sume.toml", 'prompt = "A red cup on a table"\n[meta]\ntags = ["web", "launch"]\n')
        stage.spec("launch/film", "A cup turns", kind="video", duration=4)
        stage.spec("broken", "A broken cup")
        stage.spec("evil", EVIL)
        stage.spec("gone", "A fork")
        stage.here("apply", "--yes", code=1)
        stage.commit()
        stage.git("checkout", "-q", "-b", "feature")
        stage.write("launch/hero.sume.toml", 'prompt = "A blue cup on a table"\n[meta]\ntags = ["web", "launch"]\n')
        stage.here("apply", "--yes", "launch/hero.sume.toml", code=0)
        stage.spec("later", "A knife")
        stage.path("gone.sume.toml").unlink()
        stage.path("evil.png").unlink()
        stage.here("report", "--html", str(base / "report"), "--since", "main", code=0)
    finally:
        stage.close()
    return (base / "report/index.html").as_uri()


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with started(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def browser(window: Browser, report: str) -> Iterator[Browser]:
    """The window at the report; at its end nothing else was asked for, and the console said nothing."""
    window.look()
    window.open("about:blank")
    window.requested()
    window.logged()
    window.open(report)
    window.wait_until_shown()
    yield window
    folder = report.removesuffix("index.html")
    asked = window.requested()
    assert report in asked
    # Chromium draws the buttons of a film from data: addresses of its own.
    assert [url for url in asked if not url.startswith((folder, "data:"))] == []
    assert window.logged() == []
    assert window.run("return document.title") == "project: media report"


def shown(browser: Browser) -> list[str]:
    titles: list[str] = browser.run(
        "return [...document.querySelectorAll('.card:not([hidden]) .open')].map(link => link.textContent)"
    )
    return titles


def focused(browser: Browser) -> str:
    text: str = browser.run("return document.activeElement.id || document.activeElement.textContent")
    return text


def click(browser: Browser, selector: str) -> None:
    browser.run("document.querySelector(arguments[0]).click()", selector)


def titled(browser: Browser) -> str | None:
    """The title of the open dialog; None while it is closed."""
    text: str | None = browser.run(
        "return document.getElementById('view').open ? document.getElementById('title').textContent : null"
    )
    return text


ALL = ["later", "hero", "gone", "broken", "evil", "film"]


def test_filters_and_search(browser: Browser) -> None:
    assert shown(browser) == ALL
    browser.press("/")
    assert focused(browser) == "search"
    browser.press(*"cup blue")
    assert shown(browser) == ["hero"]
    assert browser.run("return document.getElementById('count').textContent") == "1 of 6 shown"
    browser.press("Escape")
    assert shown(browser) == ALL
    click(browser, '.chip[data-value="failed"]')
    assert shown(browser) == ["broken"]
    click(browser, '.chip[data-group="since"][data-value="new"]')
    assert shown(browser) == []
    assert browser.run("return document.getElementById('nothing').hidden") is False
    click(browser, "#clear")
    assert shown(browser) == ALL
    for name, value, expected in (("folder", "launch", ["hero", "film"]), ("folder", "", ALL[:1] + ALL[2:5])):
        choose(browser, name, value)
        assert shown(browser) == expected
    choose(browser, "folder", "/")
    choose(browser, "tag", "web")
    assert shown(browser) == ["hero"]


def choose(browser: Browser, name: str, value: str) -> None:
    script = "const box = document.getElementById(arguments[0]); box.value = arguments[1];"
    browser.run(script + "box.dispatchEvent(new Event('change'))", name, value)


def test_by_keyboard_alone(browser: Browser) -> None:
    browser.press("/", "Down", "Right")
    assert focused(browser) == "hero"
    browser.press("Enter")
    assert titled(browser) == "hero"
    browser.press("Right")
    assert titled(browser) == "gone"
    browser.press("Left", "Left", "Left")
    assert titled(browser) == "later"
    browser.press("Right", "Escape")
    assert titled(browser) is None
    assert focused(browser) == "hero"
    address = browser.run("return location.hash")
    assert address == ""


def test_the_address_of_a_spec_opens_it(browser: Browser, report: str) -> None:
    click(browser, '.card[data-since="changed"] .open')
    address = browser.run("return location.href")
    assert address.startswith(f"{report}#s-")
    browser.open("about:blank")
    browser.open(address)
    assert titled(browser) == "hero"
    click(browser, "#close")


def test_before_and_after(browser: Browser) -> None:
    click(browser, '.card[data-since="changed"] .open')
    sizes = browser.run(
        "return Promise.all([...document.querySelectorAll('#body img')].map("
        "async image => { await image.decode(); return image.naturalWidth > 100; }))"
    )
    assert sizes == [True, True]
    assert browser.run("return document.querySelector('#body .diff').textContent") == "A red blue cup on a table"
    browser.run("document.querySelector('#body input[type=range]').focus()")
    cut = "return document.querySelector('#body .compare .pair').style.getPropertyValue('--cut')"
    assert browser.run(cut) == "50"
    browser.press("Right", "Right")
    assert (browser.run(cut), titled(browser)) == ("52", "hero")
    after = browser.run("return getComputedStyle(document.querySelector('#body .pair > :last-child figure')).clipPath")
    assert after == "inset(0px 0px 0px 52%)"
    click(browser, "#body .mode")
    boxes = browser.run(
        "return [...document.querySelectorAll('#body .pair img')].map(image => image.getBoundingClientRect().left)"
    )
    assert boxes[0] < boxes[1]


def test_a_film_plays(browser: Browser) -> None:
    browser.run("[...document.querySelectorAll('.open')].find(link => link.textContent === 'film').click()")
    played = browser.run(
        "const film = document.querySelector('#body video'); film.muted = true; await film.play();"
        "film.pause(); return [film.videoWidth > 0, Math.round(film.duration)]"
    )
    assert played == [True, 4]


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, colours: str) -> None:
    browser.look(colours, height=2400)
    browser.run(_AXE.read_text(encoding="utf-8"))
    assert violations(browser) == []
    for title in ("hero", "film", "evil"):
        browser.run(
            "[...document.querySelectorAll('.open')].find(link => link.textContent === arguments[0]).click()", title
        )
        assert violations(browser) == []
        click(browser, "#close")
    browser.look(colours, width=400)
    assert browser.run("return document.documentElement.scrollWidth") <= 400
    assert violations(browser) == []


def violations(browser: Browser) -> Any:
    return browser.run(_VIOLATIONS)


def test_without_a_script_everything_is_there(browser: Browser, report: str) -> None:
    browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(report)
        visible = (
            "return [...document.querySelectorAll('.card details')].every(part => part.checkVisibility()) &&"
            "!document.querySelector('.filters').checkVisibility()"
        )
        assert browser.run(visible) is True
    finally:
        browser.devtools("Emulation.setScriptExecutionDisabled", value=False)
