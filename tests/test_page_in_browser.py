"""The page of a comparison in Chromium: it plays, shows, keeps votes, obeys the keyboard and fits every width."""

import json

import pytest

from musicgen.comparison import Plan, read_votes
from tests.browser import Browser, find_chromium
from tests.test_report import content, folder  # noqa: F401

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium on this machine; CHROMIUM can name one"),
]

# Plays an element until its sound has moved on; the time at which it then is, or what went wrong.
PLAY = """async (audio) => {
  audio.muted = true;
  await audio.play();
  const begun = Date.now();
  while (audio.currentTime < 0.2 && Date.now() - begun < 10000) await new Promise((done) => setTimeout(done, 20));
  const reached = audio.error ? audio.error.message : audio.currentTime;
  audio.pause();
  return [reached, audio.duration];
}"""

# The least contrast of text on its ground (WCAG 2.2, 1.4.3) over all elements that hold text.
CONTRAST = """(() => {
  const parts = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((v) => v / 255).map(
      (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  let least = [99, ""];
  for (const element of document.querySelectorAll("body *")) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
    if (element.closest("script, style, noscript") || element.disabled) continue;
    const style = getComputedStyle(element);
    const own = parts(element.namespaceURI.endsWith("svg") ? style.fill : style.color);
    const [dark, bright] = [light(own), light(ground(element))].sort((a, b) => a - b);
    const found = (bright + 0.05) / (dark + 0.05);
    if (found < least[0]) least = [found, element.outerHTML.slice(0, 80)];
  }
  return least;
})()"""


@pytest.fixture(scope="module")
def browser():
    with Browser(find_chromium()) as opened:
        yield opened


@pytest.fixture
def page(browser, folder):  # noqa: F811
    """The page at a desktop's width, with nothing remembered of earlier votes."""
    browser.problems.clear()
    browser.asked.clear()
    browser.resize(1280, 900)
    browser.prefer("light")
    browser.open((folder / "report.html").as_uri())
    browser.run("localStorage.clear()")
    browser.open((folder / "report.html").as_uri())
    yield browser
    assert browser.problems == [], "errors in the console"


def test_every_player_plays(page):
    count = page.run('document.querySelectorAll("audio").length')
    assert count == page.run('document.querySelectorAll("figure audio, .question audio").length') > 10
    for number in range(count):
        reached, duration = page.run(f'({PLAY})(document.querySelectorAll("audio")[{number}])')
        assert reached >= 0.2, f"player {number}: {reached}"
        assert duration > 5


def test_nothing_is_loaded_from_elsewhere(page, folder):  # noqa: F811
    page.run("Promise.all([...document.querySelectorAll('audio')].map((audio) => audio.load()))")
    own = (folder / "report.html").as_uri()
    assert [address for address in page.asked if not address.startswith(("data:", own))] == []


def test_figures_can_be_seen(page, content):  # noqa: F811
    page.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    sizes = page.run(
        """[...document.querySelectorAll("svg")].map((svg) => {
          const inside = [...svg.querySelectorAll("path, rect, circle, polyline")];
          const seen = inside.filter((part) => part.getBoundingClientRect().width > 0
            || part.getBoundingClientRect().height > 0);
          const box = svg.getBoundingClientRect();
          return [box.width, box.height, seen.length];
        })"""
    )
    assert len(sizes) >= 2 * 2 * len(content["contestants"]) + len(content["criteria"]) + len(content["models"])
    assert all(width > 100 and height > 50 and parts > 1 for width, height, parts in sizes)
    assert page.run("[...document.querySelectorAll('section')].every((each) => each.offsetHeight > 50)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(page, scheme):
    page.prefer(scheme)
    least, where = page.run(CONTRAST)
    assert least >= 4.5, where
    ground = page.run("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")


@pytest.mark.parametrize("width", [320, 360, 390, 768, 1280, 2560])
def test_it_fits_every_width(page, width):
    page.resize(width, 800, phone=width < 500)
    page.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.run("document.documentElement.scrollWidth") <= width
    outside = page.run(
        f"""[...document.querySelectorAll("main *")].filter((each) => !each.closest(".wide, svg, .hidden")
          && each.getBoundingClientRect().right > {width} + 1).map((each) => each.outerHTML.slice(0, 80))"""
    )
    assert outside == []
    small = page.run(
        """[...document.querySelectorAll("button, .question label, summary")].filter((each) =>
          each.getBoundingClientRect().height < 24).map((each) => each.outerHTML.slice(0, 80))"""
    )
    assert small == [], "too small to be touched (WCAG 2.2, 2.5.8)"


def test_the_keyboard_reaches_everything(page):
    page.press("Tab")
    assert page.run("document.activeElement.className") == "skip"
    assert page.run("document.activeElement.getBoundingClientRect().left") >= 0, "the link is seen when it has focus"
    page.press("Enter")
    page.until("location.hash === '#main'")
    order, count = [], page.run("document.querySelectorAll('audio, summary, .wide, input, button').length")
    for _ in range(8 * count):
        page.press("Tab")
        order.append(page.run("document.activeElement.id || document.activeElement.localName"))
        if order[-1] == "forget":
            break
    for name in ("div", "summary", "audio", "input", "export", "reveal", "forget"):
        assert name in order, order
    outline = page.run("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "focus can be seen"


def test_details_open_and_tables_scroll_by_keyboard(page):
    page.run("document.querySelector('summary').focus()")
    page.press("Enter")
    assert page.run("document.querySelector('details').open")
    page.resize(360, 800)
    page.until("document.querySelector('.wide').scrollWidth > document.querySelector('.wide').clientWidth")
    page.run("document.querySelector('.wide').focus()")
    page.until("document.activeElement === document.querySelector('.wide')")
    page.run("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    for _ in range(3):
        page.press("ArrowRight")
    page.until("document.querySelector('.wide').scrollLeft > 0")


def test_votes_are_given_by_keyboard_kept_and_exported(page, tmp_path, content):  # noqa: F811
    page.run("document.querySelector('[name=real-1]').focus()")
    page.press(" ")
    page.press("Tab")
    assert page.run("document.activeElement.name") == "liking-1"
    for key in (" ", "ArrowRight", "ArrowRight"):
        page.press(key)
    page.run("document.querySelector('[name=real-3][value=false]').click()")
    assert page.run("document.getElementById('told').textContent").startswith("2 of ")
    page.open(page.run("location.href"))
    assert page.run("document.querySelector('[name=liking-1]:checked').value") == "3", "kept over a reload"

    page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.run("document.getElementById('export').click()")
    file = tmp_path / "votes.json"
    for _ in range(100):
        if not (file.exists() and file.stat().st_size):
            page.run("new Promise((done) => setTimeout(done, 50))")
    votes = json.loads(file.read_text(encoding="utf-8"))["votes"]
    assert [(vote["real"], vote["liking"]) for vote in votes] == [(True, 3), (False, None)]
    plan = Plan(seeds=(0, 1), models=("lstm", "vae"))
    assert sum(found["votes"] for found in read_votes(file, plan, content["comparison"]).values()) == 2


def test_who_was_told_the_answers_votes_no_more(page):
    assert not page.run("document.getElementById('answers').checkVisibility()")
    page.run("document.getElementById('reveal').click()")
    assert page.run("document.querySelectorAll('#answers li').length") == page.run(
        "document.querySelectorAll('.question').length"
    )
    assert page.run("[...document.querySelectorAll('fieldset')].every((each) => each.disabled)")
    page.open(page.run("location.href"))
    assert page.run("document.querySelector('fieldset').disabled"), "also after a reload"
    page.run("document.getElementById('forget').click()")
    assert not page.run("document.querySelector('fieldset').disabled")
    assert page.run("document.getElementById('told').textContent").startswith("0 of ")


def test_a_screen_reader_is_told_everything(page):
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    told = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored") and "role" in node
    ]
    roles = {role for role, _ in told}
    assert {"banner", "navigation", "main", "heading", "table", "radio", "button", "status"} <= roles
    named = ("button", "link", "radio", "img", "image", "table", "region", "Audio")
    assert [pair for pair in told if pair[0] in named and not pair[1].strip()] == []
    assert sum(role in ("img", "image") for role, _ in told) == page.run("document.querySelectorAll('svg').length")
