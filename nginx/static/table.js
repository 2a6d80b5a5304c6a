// The table of answers, the newest first: renders a bounded number of entries, and of each only the cells that have changed.

import { button, count, duration, element, shorten } from "./element.js";
import { describeFactors, readFactors, writePower, writeProduct } from "./factors.js";

const RENDERED = 200; // rows; more are shown on demand, as many again each time
const FACTORS = 20; // of a number that are shown without being asked for
const COLUMNS = ["Number", "Verdict", "Evidence", "Time", "Instance", "Actions"];

const VERDICTS = {
  __proto__: null, // else "constructor" would be one
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

/** What it says of the factors that came, {factoring} or {error}. */
export function tellFactors({ factoring, error }) {
  if (error) return verdictOf({ error });
  try {
    return describeFactors(readFactors(factoring));
  } catch {
    return ""; // they are none, as their check tells
  }
}

/**
 * Entries are the page's: {key, number, verdict, method, evidence, error, progress, check, queue_ms, compute_ms, instance, digits, value}, with
 * `search`, {progress}, while factors are looked for, and `factored`, {factoring, compute_ms, check} or {error}, when that is over.
 * `act` has what the buttons do with an entry: cancel, again, check (with the part that is checked), factor, stop, share, remove; and copy, with
 * a text and what it is.
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
    const { progress, verdict, error, check, checking, evidence, method, open, fresh, digits, value, search, factored } = entry;
    row.dataset.outcome = factored?.check?.outcome === "refuted" ? "refuted" : (check?.outcome ?? "");
    const parts = [
      [[digits, value], () => this.#number(entry)],
      [[verdict, error, progress?.state, progress?.depth, progress?.seconds, open, search], () => this.#verdict(entry)],
      [[check, checking, evidence, method, open, error, Boolean(search), factored && [factored.check, factored.checking]], () => this.#evidence(entry)],
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

  #verdict({ verdict, error, open, progress, search }) {
    if (error) return [element("strong", {}, verdictOf({ error }))];
    const told = verdict && element("strong", {}, verdictOf({ verdict }));
    if (search) return [told, ...underWay(search.progress, "Looking for factors", "Looking for factors")];
    if (!open) return verdict === "neither" ? [told, element("small", {}, "Numbers below 2 are neither")] : [told];
    return verdict ? [told, ...underWay(progress, "Proof", "Its proof is under way")] : underWay(progress, "Computing", "Asked");
  }

  #evidence(entry) {
    const { evidence, method, open, error, verdict, number } = entry;
    if (open) return [];
    if (error) return error.code === "cancelled" ? [] : [element("span", { class: "error" }, error.message)];
    const parts = this.#outcome(entry, entry, describeEvidence(evidence), shorten(number));
    if (typeof evidence?.certificate === "string") parts.push(...this.#certificate(evidence.certificate));
    parts.push(element("small", {}, method ?? ""));
    if (verdict === "composite") {
      parts.push(element("div", { class: "factors", role: "group", "aria-label": `Factors of ${shorten(number)}` }, ...this.#factors(entry)));
    }
    return parts;
  }

  /** What the check of an answer, or of a part of it, has shown; `unchecked` stands there before. */
  #outcome({ key }, part, unchecked, about) {
    const { check, checking } = part;
    if (checking) return [element("span", { class: "outcome" }, checking === true ? "Checking here…" : `Checking here: ${checking}`)];
    const told = check ? [element("span", { class: `outcome ${check.outcome}` }, OUTCOMES[check.outcome]), ` ${check.words}`] : [unchecked];
    if (check && check.outcome !== "unavailable") return told;
    return [...told, " ", button("Check here", about, () => this.#act.check(this.#find(key), part))];
  }

  /** What was found of a composite number's factors, or a button that has them looked for: not once more, as whoever asks again gets the same. */
  #factors(entry) {
    const { key, factored, number, search } = entry;
    const about = shorten(number);
    if (search) return [button("Cancel", about, () => this.#act.stop(this.#find(key)))];
    const ask = button("Factors", about, () => this.#act.factor(this.#find(key)));
    if (!factored) return [ask];
    if (factored.error) return [element("span", { class: "error" }, factored.error.message), " ", ask];
    const outcome = this.#outcome(entry, factored, "", `factors of ${about}`);
    let parts;
    try {
      parts = readFactors(factored.factoring);
    } catch {
      return outcome; // which says what is wrong with them
    }
    const told = [describeFactors(parts), " "];
    const time = element("small", {}, `searched for ${duration(factored.compute_ms)}`);
    if (parts.every(({ left }) => left)) return [...told, ...outcome, time];
    const copy = button("Copy factors", about, () => this.#act.copy(writeProduct(parts), "The product of the factors"));
    return [this.#list(parts, `factors of ${about}`), ...told, copy, element("br"), ...outcome, time];
  }

  /** The parts that a number was taken apart into; of many the first ones, and the others on demand. */
  #list(parts, about) {
    const make = (part) => element("li", { tabIndex: -1 }, ...this.#part(part));
    const list = element("ul", {}, ...parts.slice(0, FACTORS).map(make));
    if (parts.length <= FACTORS) return list;
    const more = button(`All ${parts.length.toLocaleString("en")}`, about, () => {
      const others = parts.slice(FACTORS).map(make);
      more.parentElement.replaceWith(...others);
      others[0].focus();
    });
    list.append(element("li", {}, more));
    return list;
  }

  #part(part) {
    const { number, verdict, left } = part;
    const short = shorten(number);
    const words = `${(VERDICTS[verdict] ?? verdict).toLowerCase()}${left ? ", left over" : verdict === "composite" ? ", not split" : ""}`;
    const told = [" ", element("small", {}, words)];
    if (short === number) return [element("span", { class: "digits" }, writePower(number, part)), ...told];
    const [digits, ...toggle] = foldable(writePower(short, part), writePower(number, part), "All digits", short);
    return [digits, ...told, ...toggle, " ", button("Copy", short, () => this.#act.copy(number, "The factor"))];
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
    const { cancel, share, again, remove } = this.#act;
    const copy = () => this.#act.copy(number, "The number");
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

function underWay(progress, doing, asked) {
  return [element("small", {}, describeProgress(progress, doing, asked)), element("progress", { "aria-label": "Under way" })];
}

function describeProgress(progress, doing, asked) {
  if (!progress) return asked;
  if (progress.state === "running") return `${doing} for ${duration(progress.seconds * 1_000)}`;
  return progress.depth === undefined ? "Waits for a place in the queue" : `Queued, ${count(progress.depth, "entry", "entries")} before it`;
}

function describeEvidence(evidence) {
  const [kind, value] = Object.entries(evidence ?? {})[0] ?? [];
  return { factor: `Divisible by ${value}.`, witness: `Witness ${value}.`, certificate: "A certificate." }[kind] ?? "";
}
