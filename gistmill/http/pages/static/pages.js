// The pages work without this script. With it they renew what has changed, light up passages, and take dropped files.

const REFRESH_MS = 2000, POLL_MS = 3000, ANNOUNCE_MS = 10000;

// --- Progress: parts marked data-live are taken from a fresh copy of this page.

const main = document.getElementById("main");
let announcedAt = 0, renewing = false, scheduled = 0;

function replacePart(part, fresh) {
  if (part.outerHTML === fresh.outerHTML) return;
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  for (const details of part.querySelectorAll("details[open][id]"))
    fresh.querySelector(`#${CSS.escape(details.id)}`)?.setAttribute("open", "");
  if (part.dataset.words !== fresh.dataset.words) announce(fresh.dataset.words);
  part.replaceWith(fresh);
  if (focused) document.getElementById(focused)?.focus({preventScroll: true});
}

function announce(words) {
  const isLast = !/running|queued/.test(words ?? "");
  if (!words || (!isLast && Date.now() - announcedAt < ANNOUNCE_MS)) return;
  announcedAt = Date.now();
  document.getElementById("announcement").textContent = words;
}

async function renew() {
  if (renewing || document.hidden) return;
  renewing = true;
  try {
    const answer = await fetch(location.href, {headers: {Accept: "text/html"}});
    if (!answer.ok || answer.redirected) return;
    const copy = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = copy.getElementById(part.id);
      if (fresh) replacePart(part, document.importNode(fresh, true));
    }
    const state = copy.getElementById("main").dataset;
    if (!("poll" in state)) delete main.dataset.poll;
    if (!("events" in state)) delete main.dataset.events;
  } catch { /* the server does not answer: the next turn tries again */ } finally { renewing = false; }
}

function poll() {
  setTimeout(async () => { await renew(); if ("poll" in main.dataset) poll(); }, POLL_MS);
}

function scheduleRenewal() {
  scheduled ||= setTimeout(() => { scheduled = 0; renew(); }, REFRESH_MS);
}

// A connection only while the page is seen: a browser keeps few of them to one server.
let source = null;
function follow() {
  if (document.hidden || !main.dataset.events) { source?.close(); source = null; return; }
  if (source) return;
  source = new EventSource(main.dataset.events);
  source.addEventListener("progress", scheduleRenewal);
  source.addEventListener("end", () => { source?.close(); source = null; delete main.dataset.events; renew(); });
}

if ("poll" in main.dataset) poll();
if ("events" in main.dataset) { follow(); document.addEventListener("visibilitychange", follow); }

// The sentence about what was done stands once: a reload does not repeat it.
const address = new URL(location.href);
if (address.searchParams.has("notice")) {
  address.searchParams.delete("notice");
  history.replaceState(null, "", address);
}

// --- Citations: a sentence, its mark and its entry light up the passages; a passage lights up its sentences.

const reading = document.querySelector("[data-citations]");
let pinned = null;

function find(selector) { return [...reading.querySelectorAll(selector)]; }

function light(numbers) {
  for (const element of find(".lit")) element.classList.remove("lit");
  for (const number of numbers) {
    for (const passage of find(`[data-cited~="${number}"]`)) passage.classList.add("lit");
    for (const sentence of find(`.sentence[data-lights="${number}"]`)) sentence.classList.add("lit");
  }
}

function numbersOf(target) {
  const element = target.closest?.("[data-lights], [data-cited]");
  return element ? (element.dataset.lights ?? element.dataset.cited).split(" ") : null;
}

function showPassage(number, focus) {
  const passage = reading.querySelector(`[data-cited~="${number}"]`), box = reading.querySelector(".box");
  if (!passage) return false;
  const place = passage.getBoundingClientRect(), frame = box.getBoundingClientRect();
  if (place.top < frame.top || place.bottom > frame.bottom)
    box.scrollTop += place.top - frame.top - (frame.height - Math.min(place.height, frame.height)) / 2;
  if (focus) {
    passage.focus({preventScroll: true});
    if (frame.top < 0 || frame.top > innerHeight * 0.6) passage.scrollIntoView({block: "center"});
  }
  return true;
}

if (reading) {
  for (const name of ["pointerover", "focusin"])
    reading.addEventListener(name, event => {
      const numbers = numbersOf(event.target);
      if (!numbers) return;
      light(numbers);
      if (event.target.closest("[data-lights]") && matchMedia("(min-width: 820px)").matches) showPassage(numbers[0], false);
    });
  for (const name of ["pointerout", "focusout"])
    reading.addEventListener(name, event => { if (numbersOf(event.target)) light(pinned ?? []); });
  reading.addEventListener("click", event => {
    const numbers = numbersOf(event.target), link = event.target.closest("a");
    if (!numbers) return;
    pinned = numbers;
    light(numbers);
    // The link of an entry and of a passage lead to one place; the mark and the sentence lead to the first passage.
    const isMark = link?.classList.contains("cite") || (!link && event.target.closest(".sentence"));
    if (isMark && showPassage(numbers[0], true)) event.preventDefault();
  });
  reading.addEventListener("keydown", event => {
    if (event.key === "Escape") { pinned = null; light([]); }
  });
}

// --- Upload: dropped files and folders become the chosen files of the form.

const drop = document.querySelector("[data-drop]");

async function listFiles(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader(), found = [];
  for (;;) {
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return found;
    for (const inner of entries) found.push(...await listFiles(inner));
  }
}

function showChosen(files) {
  const list = document.getElementById("chosen");
  const lines = [...files].slice(0, 50).map(file => `${file.name}, ${(file.size / 1e6).toFixed(2)} MB`);
  if (files.length > 50) lines.push(`and ${files.length - 50} more`);
  list.replaceChildren(...lines.map(words => Object.assign(document.createElement("li"), {textContent: words})));
  list.hidden = !files.length;
}

if (drop) {
  const input = document.getElementById("files"), form = input.form;
  for (const name of ["dragenter", "dragover"])
    drop.addEventListener(name, event => { event.preventDefault(); drop.classList.add("over"); });
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", async event => {
    event.preventDefault();
    const chosen = new DataTransfer();
    const entries = [...event.dataTransfer.items].map(item => item.webkitGetAsEntry?.()).filter(Boolean);
    const lists = entries.length ? await Promise.all(entries.map(listFiles)) : [[...event.dataTransfer.files]];
    for (const file of lists.flat()) chosen.items.add(file);
    input.files = chosen.files;
    showChosen(input.files);
  });
  input.addEventListener("change", () => showChosen(input.files));
  form.addEventListener("submit", () => {
    const button = form.querySelector("button.main");
    button.textContent = "Sending…";
    setTimeout(() => { button.disabled = true; });
  });
  // The way back shows the form as it was.
  addEventListener("pageshow", event => { if (event.persisted) location.reload(); });
}

for (const button of document.querySelectorAll("[data-confirm]"))
  button.form.addEventListener("submit", event => { if (!confirm(button.dataset.confirm)) event.preventDefault(); });
