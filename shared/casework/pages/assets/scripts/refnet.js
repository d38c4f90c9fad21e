// What the pages gain from JavaScript: errors take the focus, live lists, quick exit by keyboard. Every act works without it.
import { Button, ErrorSummary, ExitThisPage, createAll } from "govuk-frontend";
import htmx from "htmx.org/dist/htmx.esm.js";

const QUIET_MS = 5000; // a page that was touched within this is not moved under the thumb
const SCROLLED_PX = 80; // beyond it a page is being read
const AGED_MS = 60000; // "here in about 13 minutes" is not true for long: a page that nobody touches is shown anew
const GATHER_MS = 250; // changes that come together are shown together
const TOUCH_MS = 60000; // how often at most the server is told that somebody sits here: its clock locks the page, not this one
const ESCAPES = 3; // presses of Escape that hide a staff page
const ESCAPES_WITHIN_MS = 2000;

document.body.classList.add("js-enabled", "govuk-frontend-supported");
window.htmx = htmx;
for (const component of [Button, ErrorSummary, ExitThisPage]) createAll(component);

// A page that the browser kept aside may belong to somebody who has left since: it is asked for again.
addEventListener("pageshow", (event) => event.persisted && location.reload());

const idleMs = Number(document.body.dataset.idleMs);
let touchedAt = 0;
let lastAt = Date.now();
let toldAt = lastAt; // the page itself was asked for just now
const touched = () => {
  touchedAt = lastAt = Date.now();
  if (idleMs && lastAt - toldAt >= TOUCH_MS) tell();
};
for (const kind of ["pointerdown", "keydown", "touchmove", "wheel"]) addEventListener(kind, touched, { passive: true });

// Nobody has touched this page for long: it hides itself, and keeps what stands in its form.
const hide = () => document.querySelector("[data-hide]")?.click();
if (idleMs) setInterval(() => Date.now() - lastAt > idleMs && hide(), 15000);

// Somebody does: a long talk over one form does not end at a lock. Where the session is locked already, the page hides too.
function tell() {
  toldAt = lastAt;
  const csrf = document.querySelector("input[name=csrf]").value;
  fetch("/touch", { method: "POST", body: new URLSearchParams({ csrf }) }).then((answer) => answer.redirected && hide(), () => {});
}

const live = document.querySelector("[data-live]");
if (live) follow(live.dataset.live);

function follow(address) {
  let waiting;
  const source = new EventSource(address);
  const changed = () => {
    clearTimeout(waiting);
    waiting = setTimeout(show, GATHER_MS);
  };
  source.addEventListener("line", changed);
  source.onmessage = changed;
  // Closed for good: the session is over or locked, so the page asks who sits here. A stream that never opened was refused, as where
  // too many are open: asking at once would only be refused again, so the page does without it and asks later.
  let wasOpen = false;
  source.onopen = () => (wasOpen = true);
  source.onerror = () => source.readyState === EventSource.CLOSED && (wasOpen ? location.reload() : askLater());
  addEventListener("pagehide", () => source.close());
  document.querySelector("[data-show-changes]")?.addEventListener("click", refresh);
  setInterval(() => Date.now() - touchedAt >= AGED_MS && !isFilledIn(document.querySelector("[data-live]")) && refresh(), AGED_MS);
}

function askLater() {
  setTimeout(() => (isInUse(document.querySelector("[data-live]")) ? askLater() : location.reload()), AGED_MS);
}

// A page that somebody reads or fills in stays as it is, and says that there is something to show.
function show() {
  const notice = document.querySelector("[data-changes]");
  if (notice && isInUse(document.querySelector("[data-live]"))) notice.hidden = false;
  else refresh();
}

function isInUse(region) {
  return Date.now() - touchedAt < QUIET_MS || scrollY > SCROLLED_PX || isFilledIn(region);
}

function isFilledIn(region) {
  const fields = [...region.querySelectorAll("input:not([type=hidden]), select, textarea")];
  return fields.some((field) => field === document.activeElement || isChanged(field));
}

function isChanged(field) {
  if (field.type === "radio" || field.type === "checkbox") return field.checked !== field.defaultChecked;
  if (field.options) return field.selectedIndex !== Math.max(0, [...field.options].findIndex((option) => option.defaultSelected));
  return field.value !== field.defaultValue;
}

function refresh() {
  const notice = document.querySelector("[data-changes]");
  if (notice) notice.hidden = true;
  htmx.ajax("GET", location.href, { target: "[data-live]", select: "[data-live]", swap: "outerMorph" });
}

// The quick way out replaces its page in the history, so that Back leads past it.
document.querySelector(".govuk-js-exit-this-page-button")?.addEventListener("click", (event) => {
  event.preventDefault();
  event.stopImmediatePropagation();
  document.body.replaceChildren();
  location.replace(event.currentTarget.href);
}, true);

const escapes = [];
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const now = Date.now();
  escapes.push(now);
  while (escapes.length && now - escapes[0] > ESCAPES_WITHIN_MS) escapes.shift();
  if (escapes.length >= ESCAPES) hide();
});
for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => print());
