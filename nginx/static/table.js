// The table of answers, the newest first: renders a bounded number of entries, and of each only the cells that have changed.

import { button, count, duration, element, shorten } from "./element.js";

const RENDERED = 200; // rows; more are shown on demand, as many again each time
const COLUMNS = ["Number", "Verdict", "Evidence", "Time", "Instance", "Actions"];

const VERDICTS = {
  prime: "Prime",
  composite: "Composite",
  neither: "Neither",
  probably_prime: "Probably prime",
};
const OUTCOMES = { shown: "✓ Checked here", agreed: "≈ Not proven", refuted: "✗ The check failed", unavailable: "Not checked" };

/** What the table says of an entry's verdict. */
export function verdictOf({ verdict, error }) {
  if (error) return error.code === "cancelled" ? "Cancelled" : "No answer";
  return VERDICTS[verdict] ?? verdict;
}

/**
 * Entries are the page's: {key, number, verdict, method, evidence, error, progress, check, queue_ms, compute_ms, instance, digits, value}.
 * `act` has what the buttons do with an entry: cancel, again, check, copy, share, remove.
 */
export class Table {
  entries = []; // the newest first
  #table;
  #body;
  #more;
  #act;
  #rows = new Map(); // key → row, of those that are rendered
  #bound = RENDERED;

  constructor(table, more, act) {
    this.#table = table;
    this.#body = table.tBodies[0];
    this.#more = more;
    this.#act = act;
    more.addEventListener("click", () => {
      const first = this.#bound;
      this.#bound += RENDERED;
      this.#fill();
      this.#body.rows[first]?.focus();
    });
  }

  /** Put entries above all others, in their order. */
  prepend(entries) {
    this.entries = [...entries, ...this.entries];
    this.#body.prepend(...entries.slice(0, this.#bound).map((entry) => this.#render(entry)));
    while (this.#body.rows.length > this.#bound) this.#drop(this.#body.rows[this.#bound].dataset.key);
    this.#fill();
  }

  /** Put entries below all others. */
  append(entries) {
    this.entries.push(...entries);
    this.#fill();
  }

  /** Render what has changed of an entry. */
  update(entry) {
    const row = this.#rows.get(String(entry.key));
    if (row) this.#renderCells(row, entry);
  }

  /** Keep only the entries that this is true for. */
  keep(wanted) {
    for (const entry of this.entries) if (!wanted(entry)) this.#drop(String(entry.key));
    this.entries = this.entries.filter(wanted);
    this.#fill();
  }

  #drop(key) {
    this.#rows.get(key)?.remove();
    this.#rows.delete(key);
  }

  #fill() {
    for (const entry of this.entries.slice(this.#rows.size, this.#bound)) this.#body.append(this.#render(entry));
    this.#table.hidden = !this.entries.length;
    this.#more.hidden = this.entries.length <= this.#bound;
    this.#more.textContent = `Show more (${count(this.entries.length - this.#bound, "older answer")})`;
  }

  #render(entry) {
    // The roles stay when a style sheet lays the rows out as cards.
    const cells = COLUMNS.map((column) => element("td", { role: "cell", "data-label": column }));
    const row = element("tr", { role: "row", tabIndex: -1 }, ...cells);
    row.dataset.key = entry.key;
    this.#rows.set(row.dataset.key, row);
    this.#renderCells(row, entry);
    return row;
  }

  #renderCells(row, entry) {
    row.dataset.verdict = entry.error ? "none" : (entry.verdict ?? "open");
    row.dataset.outcome = entry.check?.outcome ?? "";
    const { progress, verdict, error, check, checking, evidence, method, open, fresh, digits, value } = entry;
    const parts = [
      [[digits, value], () => this.#number(entry)],
      [[verdict, error, progress?.state, progress?.depth, progress?.seconds, open], () => this.#verdict(entry)],
      [[check, checking, evidence, method, open, error], () => this.#evidence(entry)],
      [[open, entry.compute_ms], () => this.#time(entry)],
      [[entry.instance], () => [entry.instance ?? ""]],
      [[open, fresh], () => this.#actions(entry)],
    ];
    parts.forEach(([state, make], index) => {
      const cell = row.cells[index];
      const mark = JSON.stringify(state);
      if (cell.dataset.mark === mark) return; // not even the focus moves
      const focused = cell.contains(document.activeElement);
      cell.dataset.mark = mark;
      cell.replaceChildren(...make());
      if (focused) row.focus();
    });
  }

  #number({ number, digits, value }) {
    const short = shorten(number);
    const parts = short === number ? [element("span", { class: "digits" }, number)] : foldable(short, number, "All digits", short);
    if (digits !== undefined) parts.push(element("small", {}, count(digits, "digit")));
    if (value !== undefined) parts.push(...foldable("", value, "Value", short));
    return parts;
  }

  #verdict({ verdict, error, open, progress }) {
    if (error) return [element("strong", {}, verdictOf({ error }))];
    const told = verdict && element("strong", {}, verdictOf({ verdict }));
    if (!open) return verdict === "neither" ? [told, element("small", {}, "Numbers below 2 are neither")] : [told];
    return [told, element("small", {}, describeProgress(progress, verdict)), element("progress", { "aria-label": "Under way" })].filter(Boolean);
  }

  #evidence({ check, checking, evidence, method, open, error, key, number }) {
    if (open) return [];
    if (error) return error.code === "cancelled" ? [] : [element("span", { class: "error" }, error.message)];
    const parts = [];
    if (checking) parts.push(element("span", { class: "outcome" }, checking === true ? "Checking here…" : `Checking here: ${checking}`));
    else if (check) parts.push(element("span", { class: `outcome ${check.outcome}` }, OUTCOMES[check.outcome]), ` ${check.words}`);
    else parts.push(describeEvidence(evidence));
    if (!checking && (!check || check.outcome === "unavailable")) {
      parts.push(" ", button("Check here", shorten(number), () => this.#act.check(this.#find(key))));
    }
    if (typeof evidence?.certificate === "string") parts.push(...this.#certificate(evidence.certificate));
    parts.push(element("small", {}, method ?? ""));
    return parts;
  }

  #certificate(named) {
    const digest = named.toLowerCase(); // as it is kept under
    const link = (format, name, title) =>
      element("a", { href: `/certificates/${digest}${format}`, download: `${digest.slice(0, 12)}${name}`, title }, title);
    return [element("span", { class: "links" }, link("", ".primo.txt", "Certificate"), " ", link("?format=pari", ".pari.txt", "PARI’s own"))];
  }

  #time({ open, compute_ms: computed, queue_ms: queued }) {
    if (open || computed === undefined) return [];
    return [duration(computed), element("small", {}, queued === undefined ? "" : `queued ${duration(queued)}`)];
  }

  #actions({ key, number, open }) {
    const { cancel, copy, share, again, remove } = this.#act;
    const offered = open ? { Cancel: cancel } : { Copy: copy, Link: share, Again: again, Remove: remove };
    return Object.entries(offered).map(([label, act]) => button(label, shorten(number), () => act(this.#find(key))));
  }

  #find(key) {
    return this.entries.find((entry) => entry.key === key);
  }
}

/** A text that a button, with this label, unfolds in place of a short one. */
function foldable(short, whole, label, about) {
  const shown = element("span", { class: "digits" }, short);
  const toggle = button(label, about, () => {
    const open = shown.classList.toggle("full");
    toggle.setAttribute("aria-expanded", open);
    shown.textContent = open ? whole : short;
    for (const [name, value] of Object.entries({ tabindex: 0, role: "group", "aria-label": `Digits of ${about}` })) {
      if (open) shown.setAttribute(name, value); // it scrolls, with keys too
      else shown.removeAttribute(name);
    }
  });
  toggle.setAttribute("aria-expanded", false);
  return [shown, " ", toggle];
}

function describeProgress(progress, verdict) {
  const doing = verdict ? "Proof" : "Computing";
  if (!progress) return verdict ? "Its proof is under way" : "Asked";
  if (progress.state === "running") return `${doing} for ${duration(progress.seconds * 1_000)}`;
  return progress.depth === undefined ? "Waits for a place in the queue" : `Queued, ${count(progress.depth, "entry", "entries")} before it`;
}

function describeEvidence(evidence) {
  const [kind, value] = Object.entries(evidence ?? {})[0] ?? [];
  return { factor: `Divisible by ${value}.`, witness: `Witness ${value}.`, certificate: "A certificate." }[kind] ?? "";
}
