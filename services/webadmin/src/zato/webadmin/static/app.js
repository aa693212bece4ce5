// What pages do in the browser, beside htmx. Everything works without it; with it, it is quicker.
"use strict";

const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// Times are shown in the browser's zone unless somebody chose another one.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.includes(`zone=${encodeURIComponent(zone)}`)) {
  document.cookie = `zone=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=lax`;
}

// Forms that say when something in them is not saved.
const contentOf = (form) => new URLSearchParams([...new FormData(form)].map(([name, value]) => [name, String(value)])).toString();
const saved = new WeakMap();
const isChanged = (form) => saved.has(form) && (form.hasAttribute("data-unsaved") || contentOf(form) !== saved.get(form));
function watchForms(within) {
  for (const form of all("form[data-warn]", within)) {
    if (saved.has(form)) continue;
    saved.set(form, contentOf(form));
    const look = () => form.classList.toggle("is-changed", isChanged(form));
    form.addEventListener("input", look);
    form.addEventListener("submit", () => saved.delete(form));
    look();
  }
}
addEventListener("beforeunload", (event) => {
  if (all("form[data-warn]").some(isChanged)) event.preventDefault();
});

// Fields that have a meaning only while another one has a certain value.
function showWhatApplies(form) {
  for (const field of all("[data-when]", form)) {
    const other = form.elements[`o-${field.dataset.when}`];
    if (other) field.hidden = other.value !== field.dataset.is && !field.querySelector("[aria-invalid=true]");
  }
}
function followChoices(within) {
  for (const form of all("form", within)) {
    if (!form.querySelector("[data-when]")) continue;
    form.addEventListener("change", () => showWhatApplies(form));
    showWhatApplies(form);
  }
}

// What can't be taken back is asked for once more.
addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.ask ?? event.target.dataset?.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

// What stands in a form but must not be sent twice: until the page is come back to. What was disabled anyway stays so.
const sent = new Set();
addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  // What takes longer is seen to go on.
  event.submitter?.classList.add("sent");
  for (const button of all("button[type=submit]:enabled", event.target)) {
    sent.add(button);
    setTimeout(() => (button.disabled = true));
  }
});
addEventListener("pageshow", () => {
  for (const button of sent) {
    button.disabled = false;
    button.classList.remove("sent");
  }
  sent.clear();
});

// One box ticks all others of its table.
addEventListener("change", (event) => {
  const name = event.target.dataset?.all;
  if (name) for (const box of all(`input[name="${CSS.escape(name)}"]`, event.target.form)) box.checked = event.target.checked;
});

// Menus under buttons close when something else is meant.
addEventListener("click", (event) => {
  for (const menu of all("details.dropdown[open]")) if (!menu.contains(event.target)) menu.open = false;
  const copied = event.target.closest?.("[data-copy]");
  if (copied) navigator.clipboard?.writeText(copied.dataset.copy);
});

// Editors indent with Tab, until Escape says that Tab is to leave them.
addEventListener("keydown", (event) => {
  const editor = event.target;
  if (!(editor instanceof HTMLTextAreaElement) || !editor.hasAttribute("data-tabs")) return;
  if (event.key === "Escape") editor.dataset.leaves = "yes";
  if (event.key !== "Tab" || event.shiftKey || editor.dataset.leaves) return;
  event.preventDefault();
  const { selectionStart: start, selectionEnd: end } = editor;
  editor.setRangeText("    ", start, end, "end");
  editor.dispatchEvent(new Event("input", { bubbles: true }));
});
addEventListener("focusin", (event) => delete event.target.dataset?.leaves);

// Keys: / searches, n makes a new one, ? tells them, Escape closes.
const isTyping = (element) => element.closest?.("input, textarea, select, [contenteditable]");
addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of all("details.dropdown[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    return;
  }
  if ((event.ctrlKey || event.metaKey) && event.key === "s") {
    const form = document.querySelector("form[data-warn]");
    if (form) {
      event.preventDefault();
      form.requestSubmit();
    }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  const target = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!target) return;
  event.preventDefault();
  if (target instanceof HTMLDialogElement) target.showModal();
  else if (target.matches("input")) target.focus();
  else target.click();
});

// What comes anew every few seconds does not take away a field that somebody types in.
addEventListener("htmx:beforeRequest", (event) => {
  const part = event.target;
  if (part.getAttribute("hx-trigger")?.startsWith("every") && isTyping(document.activeElement) && part.contains(document.activeElement)) event.preventDefault();
});

function look(within) {
  watchForms(within);
  followChoices(within);
}
addEventListener("DOMContentLoaded", () => {
  look(document);
  // The first thing that is wrong is where people go on.
  (document.querySelector("[aria-invalid=true]") ?? document.querySelector("[data-focus]"))?.focus();
});
addEventListener("htmx:load", (event) => look(event.target));

// What a page asks for by itself: not while nobody looks at it, and it keeps nobody signed in.
addEventListener("htmx:configRequest", (event) => {
  if (!event.detail.triggeringEvent) event.detail.headers["X-Poll"] = "yes";
});
addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.detail.requestConfig.headers["X-Poll"]) event.preventDefault();
});
