"""Looking at pages in a real browser, at three widths: what axe finds, what is too wide or broken, how heavy it is; a picture."""

import gzip
import io
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from PIL import Image
from playwright.sync_api import Page

from shared.casework.pages.frame import STATIC

WEIGHT_MAX_BYTES = 60 * 1024  # of a page with its style and script, compressed
WIDTHS = (1280, 390, 320)
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# By the numbers of the drawings that they were built after.
PICTURED = {
    "officer-work-full": "01-police-work-list", "officer-work-empty": "01b-police-work-list-empty",
    "officer-cases-new-empty": "02-new-case", "officer-cases-new-error": "02b-new-case-error",
    "officer-cases-case-consent-full": "03-consent", "officer-cases-case-refer-full": "04-care-and-place",
    "officer-referrals-unseen-full": "05-referral-issuer", "nurse-work-full": "06-clinic-inbox",
    "nurse-care-here-full": "07-what-was-given", "worker-work-full": "08a-social-worker-cases",
    "officer-cases-case-full": "08b-case-timeline", "in-charge-alarms-full": "09-supervisor-alarms",
    "officer-referrals-unseen-card-full": "11-card", "anybody-sign-in-empty": "14-sign-in", "officer-paper-full": "15-paper",
    "anybody-info-empty": "16-survivor", "in-charge-accounts-full": "17-accounts", "nurse-referrals-paper-full": "18-hub",
    "anybody-demo-start": "12-demo-start", "worker-following-full": "19-following",
    "officer-cases-case-consents-consent-take-back-full": "20-take-back", "officer-cases-case-looked-full": "21-who-looked",
    "in-charge-cases-clinic_case-hold-full": "22-legal-hold", "in-charge-figures-full": "23-figures",
    "officer-look-up-empty": "24-look-up", "in-charge-eyes-full": "25-eyes",
    "nurse-referrals-here-asked-again-full": "26-asked-again", "in-charge-figures-2026-01-export-full": "27-export",
    "inspector-figures-programme-full": "28-programme-figures", "officer-reports-report-full": "29-medical-report",
    "nurse-waits-full": "30-waits-for-a-doctor", "nurse-specimens-sample-full": "31-custody-of-a-sample",
    "officer-offenders-full": "32-offenders", "inspector-fast-track-full": "33-seen-first",
}  # fmt: skip


DEAD_BUTTONS = "[...document.querySelectorAll('[form]')].filter(e => !e.form).map(e => e.textContent.trim())"
SAME_IDS = "[...document.querySelectorAll('[id]')].map(e => e.id).filter((id, n, all) => all.indexOf(id) !== n)"


class Window(Protocol):
    """Whatever has a page in it."""

    page: Page


@dataclass
class Look:
    """What was found wrong, page by page, and how heavy the heaviest was. axe takes a third of a second: at every width of a page
    where it is asked to be `thorough`, else at one, each width in its turn."""

    thorough: bool
    faults: list[str] = field(default_factory=list)
    heaviest: tuple[int, str] = (0, "")
    seen: int = 0
    complaints: list[str] = field(default_factory=list)  # what the browser itself had to say


def look_at(person: Window, name: str, axe: str, look: Look, direction: str) -> None:
    """Checks the page that stands in the window, at every width."""
    page = person.page
    look.seen += 1
    page.evaluate(axe)
    look.faults += [
        f"{name} {direction}: “{button}” belongs to no form, and does nothing" for button in page.evaluate(DEAD_BUTTONS)
    ]
    look.faults += [
        f"{name} {direction}: several things are “{one}”, and a label ticks the first" for one in page.evaluate(SAME_IDS)
    ]
    for_axe = WIDTHS if look.thorough else (WIDTHS[look.seen % len(WIDTHS)],)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            look.faults.append(f"{name} {direction} {width} px: {wide} px too wide ({widest(person)})")
        look.faults += [f"{name} {direction} {width} px: “{word}” is broken" for word in broken_words(person)]
        # What the style sheets say of the window's orientation, which axe fetches them for, is the same at every width.
        faults = axe_faults(person, preload=width == WIDTHS[0]) if width in for_axe else []
        look.faults += [f"{name} {direction} {width} px: {fault}" for fault in faults]
        keep_picture(person, name, direction, width)
    page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    weight = len(gzip.compress(page.content().encode())) + assets_weight(direction)
    look.heaviest = max(look.heaviest, (weight, f"{name} {direction}"))


def axe_faults(person: Window, *, preload: bool) -> list[str]:
    run = "options => axe.run(document, options)"
    options = {"runOnly": {"type": "tag", "values": AXE_TAGS}, "resultTypes": ["violations"], "preload": preload}
    found = person.page.evaluate(run, options)["violations"]
    return [f"{v['id']}: {v['help']} at {[n['target'] for n in v['nodes'][:3]]}" for v in found]


def widest(person: Window) -> Any:
    return person.page.evaluate(
        """() => [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1
        || e.getBoundingClientRect().left < -1).slice(0, 3).map(e => e.tagName + '.' + e.className)"""
    )


def broken_words(person: Window) -> list[str]:
    """Words of answers that stand on two lines, as the page is and with that answer chosen: they are bold then, with a tick."""
    found: list[str] = person.page.evaluate(
        """() => [...document.querySelectorAll('.app-choice__one')].flatMap(one => {
          const input = one.querySelector('input'), chosen = [...document.getElementsByName(input.name)].find(e => e.checked);
          // What has no translation stands in an element of its own, with its language.
          const text = document.createTreeWalker(one.querySelector('span'), NodeFilter.SHOW_TEXT).nextNode();
          const broken = () => [...text.data.matchAll(/[^\\s-]+/g)].filter(word => {
            const range = document.createRange();
            range.setStart(text, word.index);
            range.setEnd(text, word.index + word[0].length);
            return new Set([...range.getClientRects()].map(r => Math.round(r.top))).size > 1;
          }).map(word => word[0]);
          const before = broken();
          input.checked = true;
          const after = broken();
          input.checked = false;
          if (chosen) chosen.checked = true;
          return [...new Set([...before, ...after])];
        })"""
    )
    return found


def assets_weight(direction: str) -> int:
    names = ("refnet.css" if direction == "ltr" else "refnet.rtl.css", "refnet.js")
    return sum(len(gzip.compress((STATIC / name).read_bytes())) for name in names)


def keep_picture(person: Window, name: str, direction: str, width: int) -> None:
    """Where REFNET_SCREENS names a folder: the pages that were drawn before they were built, in 64 colours."""
    folder, shown = os.environ.get("REFNET_SCREENS"), PICTURED.get(name)
    if not folder or shown is None:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    picture = Image.open(io.BytesIO(person.page.screenshot(full_page=True)))
    picture.convert("RGB").quantize(64).save(f"{folder}/{shown}-{direction}-{width}.png", optimize=True)


def name_of(who: str, path: str, state: str) -> str:
    plain = re.sub(r"[{}]", "", path).strip("/").replace("/", "-") or "home"
    return f"{who or 'anybody'}-{plain}-{state}"
