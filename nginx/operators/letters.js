// Lists dead letters, retries and deletes them. Whoever sees the page may read; a change needs the token.

import { make } from "./element.js";

const PATIENCE = 8000; // ms for an answer: nginx gives a web process five seconds
const KEPT = "primes-operators-token"; // in sessionStorage: gone with the tab, and no request takes it along by itself

const get = (id) => document.getElementById(id);
const list = get("letters"), count = get("letters-count"), said = get("letters-said");
const form = get("token-form"), field = get("token"), known = get("token-known");
const dialog = get("delete-dialog"), what = get("delete-what");
const items = new Map(); // id → its <li>: letters do not change, so what has the focus stays where it is
const busy = new Set(); // ids under way: a second click on the same button is none
let asked = ""; // the id that the dialog is about
let begun = 0, shown = 0; // questions for the list, and which of them was the last one whose answer is shown

async function send(method, path, headers = {}) {
  const response = await fetch(path, { method, headers, signal: AbortSignal.timeout(PATIENCE) });
  const body = response.headers.get("Content-Type")?.startsWith("application/json") ? await response.json() : null;
  if (response.ok && body !== null) return body;
  throw Object.assign(new Error(body?.error?.message ?? `status ${response.status}`), { status: response.status });
}

// Only what changed: it is read out.
function tell(element, words, bad = false) {
  element.classList.toggle("bad", bad);
  if (element.textContent !== words) element.textContent = words;
}

function showToken() {
  const token = sessionStorage.getItem(KEPT);
  form.hidden = token !== null;
  known.hidden = token === null;
}

function item({ id, when, lane, number, operation, reason, worker, obstacle }) {
  const name = `the letter ${id}`;
  const retry = make("button", { type: "button", textContent: "Retry", ariaLabel: `Retry ${name}`, onclick: () => change("POST", id) });
  const remove = make("button", { type: "button", textContent: "Delete…", ariaLabel: `Delete ${name}`, onclick: () => confirm(id, number) });
  return make(
    "li",
    {},
    make("p", { className: "title", textContent: operation ? `${operation}(${number})` : number }),
    make("p", { textContent: reason }),
    ...(obstacle ? [make("p", { textContent: obstacle })] : []),
    make("p", { className: "soft", textContent: `${when} UTC, lane ${lane || "unknown"}, ${worker || "unknown worker"}, ${id}` }),
    make("p", { className: "buttons" }, ...(obstacle ? [] : [retry]), remove),
  );
}

function show({ count: all, letters }) {
  const ids = new Set(letters.map((letter) => letter.id));
  for (const [id, element] of items) {
    if (ids.has(id)) continue;
    if (element.contains(document.activeElement)) (element.nextElementSibling?.querySelector("button") ?? get("letters-heading")).focus();
    element.remove();
    items.delete(id);
  }
  for (const letter of letters) {
    if (!items.has(letter.id)) items.set(letter.id, item(letter));
    if (!items.get(letter.id).isConnected) list.append(items.get(letter.id)); // the oldest first, so a new one is the last
  }
  const words = all > letters.length ? `The oldest ${letters.length} of ${all}; the command \`list\` shows all.` : `${all}, the oldest first.`;
  tell(count, all ? words : "No dead letters.");
  list.hidden = !all;
  get("letters-how").hidden = !all;
}

export async function refresh() {
  const mine = (begun += 1);
  try {
    const told = await send("GET", "/dead-letters");
    if (mine < shown) return; // it took longer than a later one, and may name what is gone
    shown = mine;
    show(told);
  } catch (error) {
    tell(count, error.status === 404 ? error.message : `Not listed anew: ${error.message}`, error.status !== 404);
  }
}

function wantToken(words) {
  tell(said, words, true);
  get("letters-how").hidden = false;
  field.focus();
}

async function change(method, id) {
  const token = sessionStorage.getItem(KEPT);
  if (token === null) return wantToken("Type the token first.");
  if (busy.has(id)) return;
  busy.add(id);
  try {
    const path = `/dead-letters/${id}${method === "POST" ? "/retry" : ""}`;
    const { lane } = await send(method, path, { Authorization: `Bearer ${token}` });
    tell(said, method === "POST" ? `${id} is back in the lane ${lane}.` : `${id} is deleted.`);
    await refresh(); // until it is gone from the list
  } catch (error) {
    if (error.status !== 401) tell(said, error.message, true);
    else {
      sessionStorage.removeItem(KEPT);
      showToken();
      wantToken("This is not the token. Type it again.");
    }
    refresh();
  } finally {
    busy.delete(id); // what failed may be tried again at once, however long the list takes
  }
}

function confirm(id, number) {
  asked = id;
  what.textContent = `${id}, ${number}`;
  dialog.showModal();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const token = field.value.trim();
  field.value = "";
  if (!/^[\x21-\x7e]+$/.test(token)) return wantToken("A token is letters, digits, - and _.");
  sessionStorage.setItem(KEPT, token);
  showToken();
  tell(said, "The token is kept in this tab.");
  get("token-forget").focus();
});
get("token-forget").addEventListener("click", () => {
  sessionStorage.removeItem(KEPT);
  showToken();
  tell(said, "The token is forgotten.");
  field.focus();
});
get("delete-keep").addEventListener("click", () => dialog.close());
get("delete-now").addEventListener("click", () => {
  dialog.close();
  change("DELETE", asked);
});
showToken();
