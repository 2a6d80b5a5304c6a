// The page at /: asks over client.js, shows in table.js, has everything checked by checker.js, keeps it in history.js.

import { Checker } from "./checker.js";
import { Client } from "./client.js";
import { csv } from "./csv.js";
import { count, shorten } from "./element.js";
import { Files } from "./files.js";
import { History } from "./history.js";
import { Table, tellFactors, verdictOf } from "./table.js";

const MOST_LINES = 1_000; // of a list that is asked one by one; a longer one goes as a file
const MOST_ENTRIES = 2_000; // answered ones in the table; the oldest make place
const SMALL_FILE = 1_000_000; // bytes up to which a file is looked at for being a short list
const ANNOUNCED = 1_500; // ms between two announcements to screen readers: more would talk over each other
const SAVED = "primes"; // in sessionStorage: what this tab waits for, for a reload
const MOST_SAVED = 1_000_000; // characters of that

const $ = (id) => document.getElementById(id);

// How a file with a certificate begins: Primo's, that of Math::Prime::Util, or PARI's vector with a vector in it.
const CERTIFICATE = /^\s*\[(?:PRIMO - |MPU - |\s*\[\s*[0-9]+\s*,|\s*[0-9]+\s*,\s*\[)/;
const CERTIFICATE_HEAD = 2 ** 16; // characters in which that shows: a number may be long

/** The numbers that are asked, those that were, and what becomes of them. */
class Page {
  #client;
  #checker = new Checker();
  #history;
  #table;
  #act = {
    alarm: (number) => this.#alarm(number),
    announce: (words) => this.#announce(words),
    left: () => $("numbers").focus(),
  };
  #files;
  #asked = 0; // since nothing was open
  #open = new Set(); // entries without an answer
  #searched = new Set(); // entries whose factors are looked for
  #announced = { at: 0, words: [] };

  start() {
    this.#table = new Table($("answers"), $("more"), {
      cancel: (entry) => entry.abort.abort(),
      again: ({ number, proof, certificate }) => this.ask([number], { proof, certificate }),
      check: (entry, part) => this.#check(entry, part),
      factor: (entry) => this.#factor(entry),
      stop: (entry) => entry.search.abort.abort(),
      copy: (text, what) => this.#copy(text, what),
      share: (entry) => this.#copy(linkTo(entry), "The link"),
      remove: (entry) => this.#remove(entry),
    });
    this.#files = new Files($("uploads"), this.#checker, this.#act);
    this.#listen();
    const saved = readSaved();
    this.#history = new History(saved.unwritten);
    this.#connect(saved.session);
    // In the same turn: an answer that came before its question is known here would be taken for nobody's.
    this.#take(saved.open.map((entry) => newEntry(entry)));
    this.#askLinked();
    this.#recall(saved.searched ?? []);
  }

  /** `searched`: keys of those whose factors were looked for when the page was left. */
  async #recall(searched) {
    const former = await this.#history.all();
    this.#table.append(former.toReversed());
    for (const entry of former) {
      if (!entry.check && !entry.error) this.#checkIfQuick(entry);
      if (entry.factored?.factoring && !entry.factored.check) this.#checkIfQuick(entry, entry.factored);
      if (searched.includes(entry.key)) this.#factor(entry);
    }
    this.#summarize();
  }

  #listen() {
    $("question").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    $("numbers").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      $("question").requestSubmit();
    });
    $("certificate").addEventListener("change", () => $("certificate").checked && ($("proof").checked = true));
    $("proof").addEventListener("change", () => !$("proof").checked && ($("certificate").checked = false));
    $("file").addEventListener("change", () => {
      for (const file of $("file").files) this.#takeFile(file);
      $("file").value = "";
    });
    $("cancel-all").addEventListener("click", () => {
      for (const entry of this.#open) entry.abort.abort();
      for (const { search } of this.#searched) search.abort.abort();
    });
    $("clear").addEventListener("click", () => this.#clear());
    $("save").addEventListener("click", () => saveAs("primes.csv", "text/csv", csv(this.#table.entries)));
    for (const example of document.querySelectorAll(".example")) {
      example.addEventListener("click", () => this.ask([example.textContent], options()));
    }
    this.#listenToWindow();
  }

  #listenToWindow() {
    addEventListener("hashchange", () => this.#askLinked());
    addEventListener("dragover", (event) => {
      event.preventDefault();
      document.body.classList.add("dropping");
    });
    addEventListener("dragleave", (event) => event.relatedTarget ?? document.body.classList.remove("dropping"));
    addEventListener("drop", (event) => {
      event.preventDefault();
      document.body.classList.remove("dropping");
      for (const file of event.dataTransfer.files) this.#takeFile(file);
      const text = event.dataTransfer.getData("text");
      if (text) this.#askText(text);
    });
    addEventListener("pagehide", () => this.#saveOpen());
    // A phone that has another network now lost its connection without being told.
    addEventListener("online", () => this.#client.reconnect());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.#client.state.name === "waiting") this.#client.reconnect();
    });
    $("connect").addEventListener("click", () => this.#client.reconnect());
  }

  #connect(saved) {
    this.#client = new Client(`${location.protocol.replace("http", "ws")}//${location.host}/chatsocket`, { saved });
    this.#client.addEventListener("state", () => this.#showState());
    this.#client.addEventListener("fault", ({ detail }) => this.#announce(detail));
    this.#showState();
    setInterval(() => this.#showState(), 1_000); // counts down
  }

  #showState() {
    const { name, instance, until } = this.#client.state;
    const seconds = Math.max(1, Math.ceil((until - Date.now()) / 1_000));
    const words = {
      connecting: "Connecting…",
      connected: `Connected to ${instance}`,
      leaving: `${instance} is being replaced, moving on…`,
      waiting: `No connection. Next try in ${seconds} s`,
    }[name];
    if ($("connection-text").textContent === words) return;
    if ($("connection").dataset.state !== name && name !== "connecting") this.#announce(name === "waiting" ? "Connection lost" : words);
    $("connection").dataset.state = name;
    $("connection-text").textContent = words;
    show("connect", name === "waiting");
  }

  #submit() {
    this.#askText($("numbers").value);
    $("numbers").value = "";
    $("numbers").focus();
  }

  #askText(text) {
    const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
    if (lines.length > MOST_LINES || (lines.length > 1 && !isPlain(lines))) this.#files.send(new File([text], `List of ${count(lines.length, "line")}`));
    else if (lines.length) this.ask(lines, options());
  }

  async #takeFile(file) {
    if (CERTIFICATE.test(await file.slice(0, CERTIFICATE_HEAD).text())) {
      const { checkFile } = await import("./anybodys.js");
      return checkFile(file, $("uploads"), this.#checker, this.#act);
    }
    const text = file.size <= SMALL_FILE ? await file.text() : undefined;
    const lines = text?.split("\n").map((line) => line.trim()).filter(Boolean) ?? [];
    if (lines.length && lines.length <= MOST_LINES && isPlain(lines)) this.#askText(text);
    else this.#files.send(file);
  }

  /** The number in the address is asked; the address then goes, so that a reload does not ask again. */
  #askLinked() {
    const linked = readLink();
    if (!linked) return;
    history.replaceState(null, "", location.pathname);
    this.ask([linked.number], linked);
  }

  /** Ask these numbers, each for itself. */
  ask(numbers, { proof, certificate }) {
    this.#take(numbers.map((number) => newEntry({ number, proof, certificate })));
  }

  #take(entries) {
    if (!entries.length) return;
    if (!this.#open.size) this.#asked = 0;
    this.#asked += entries.length;
    this.#table.prepend(entries);
    for (const entry of entries) this.#askOne(entry);
    this.#summarize();
  }

  async #askOne(entry) {
    const { number, proof, certificate } = entry;
    this.#open.add(entry);
    this.#settle(entry, await hear(this.#request(entry, { proof, certificate })));
    if (!entry.error) this.#checkIfQuick(entry);
    this.#announce(`${shorten(number)}: ${verdictOf(entry)}`);
  }

  async #request(entry, wanted) {
    const options = {
      ...wanted,
      id: entry.id,
      signal: entry.abort.signal,
      onProgress: (progress) => this.#change(entry, { progress, verdict: progress.verdict ?? entry.verdict }),
      onVerdict: ({ verdict, method, instance }) => this.#change(entry, { verdict, method, instance }),
    };
    try {
      return await this.#client.ask(entry.number, options);
    } catch (error) {
      // A server that proves nothing yet does not know the parameter.
      if (error.code !== "invalid_params" || !(wanted.proof || wanted.certificate)) throw error;
      return this.#client.ask(entry.number, { ...options, proof: false, certificate: false, id: `${entry.id}.` });
    }
  }

  #settle(entry, answer) {
    this.#open.delete(entry);
    const { verdict, proven, method, evidence, queue_ms, compute_ms, instance, error, digits, value } = answer;
    this.#change(entry, { open: false, verdict, proven, method, evidence, queue_ms, compute_ms, instance, error, digits, value });
    this.#bound();
    this.#keep(entry);
    this.#summarize();
  }

  /** Ask what divides a composite number. What its answer says already stays. */
  async #factor(entry) {
    const abort = new AbortController();
    const onProgress = (progress) => this.#change(entry, { search: { abort, progress } });
    this.#searched.add(entry);
    this.#change(entry, { search: { abort }, factored: undefined });
    this.#summarize();
    const { verdict, evidence, factors, cofactor, compute_ms, error } = await hear(this.#client.factor(entry.number, { signal: abort.signal, onProgress }));
    this.#searched.delete(entry);
    const factored = error ? { error } : { verdict, evidence, factoring: { factors, cofactor }, compute_ms };
    this.#change(entry, { search: undefined, factored: error?.code === "cancelled" ? undefined : factored });
    this.#summarize();
    if (!this.#table.entries.includes(entry)) return;
    this.#keep(entry);
    if (!error) this.#checkIfQuick(entry, factored);
    this.#announce(`Factors of ${shorten(entry.number)}: ${tellFactors(factored)}`);
  }

  #change(entry, changes, part = entry) {
    Object.assign(part, changes);
    this.#table.update(entry);
  }

  /** Old answers make place for new ones. */
  #bound() {
    const answered = this.#table.entries.length - this.#open.size;
    if (answered <= MOST_ENTRIES) return;
    let surplus = answered - MOST_ENTRIES;
    const oldest = new Set(this.#table.entries.toReversed().filter(({ open }) => !open && surplus-- > 0));
    this.#table.keep((entry) => !oldest.has(entry));
  }

  #keep(entry) {
    const { key, number, proof, certificate, verdict, proven, method, evidence, error, check, queue_ms, compute_ms, instance, digits, value } = entry;
    const factored = entry.factored && { ...entry.factored, checking: false }; // a check ends with the page
    this.#history.put({ key, number, proof, certificate, verdict, proven, method, evidence, error, check, queue_ms, compute_ms, instance, digits, value, factored });
  }

  #checkIfQuick(entry, part = entry) {
    if (this.#checker.isQuick({ ...part, number: entry.number })) this.#check(entry, part);
  }

  /** Check an answer, or, as its part, the factors that were found. */
  async #check(entry, part = entry) {
    const { number } = entry;
    const { verdict, evidence, digits, value, factoring } = part;
    this.#change(entry, { checking: true }, part);
    const check = await this.#checker.check({ number, verdict, evidence, digits, value, factoring }, {
      signal: entry.abort?.signal,
      note: (done, steps) => this.#change(entry, { checking: `${done} of ${steps} steps` }, part),
    });
    this.#change(entry, { check, checking: false }, part);
    if (check.outcome === "refuted") this.#alarm(number);
    if (check.outcome !== "unavailable" && this.#table.entries.includes(entry)) this.#keep(entry);
    this.#summarize();
  }

  /** The one thing that must not be overlooked. */
  #alarm(number) {
    $("alarm").hidden = false;
    $("alarm").textContent = `✗ The evidence for ${shorten(number)} does not hold. The server, or the way to it, is faulty or dishonest: do not trust this answer.`;
  }

  #remove(entry) {
    entry.abort?.abort();
    entry.search?.abort.abort();
    this.#table.keep((other) => other !== entry);
    this.#history.remove(entry.key);
    this.#summarize();
    $("numbers").focus();
  }

  #clear() {
    for (const entry of this.#table.entries) if (!entry.open) entry.abort?.abort();
    for (const { search } of this.#searched) search.abort.abort();
    this.#table.keep(({ open }) => open);
    this.#history.clear();
    $("alarm").hidden = true;
    this.#summarize();
    this.#announce("Cleared");
    $("numbers").focus();
  }

  #summarize() {
    const answered = this.#table.entries.filter(({ open }) => !open);
    const verdicts = new Map();
    for (const entry of answered) verdicts.set(verdictOf(entry), (verdicts.get(verdictOf(entry)) ?? 0) + 1);
    const told = [...verdicts].map(([verdict, number]) => `${number.toLocaleString("en")} ${verdict.toLowerCase()}`).join(", ");
    const underWay = this.#open.size + this.#searched.size;
    $("summary").textContent = [told, underWay && `${underWay.toLocaleString("en")} under way`].filter(Boolean).join("; ");
    $("empty").hidden = this.#table.entries.length > 0;
    $("list").hidden = this.#asked < 2 || !this.#open.size;
    $("list").value = 1 - this.#open.size / Math.max(this.#asked, 1);
    show("cancel-all", underWay > 1);
    show("clear", answered.length);
    show("save", answered.length);
  }

  /** Tell screen readers: what happened last, or how many things did since they were told. */
  #announce(words) {
    this.#announced.words.push(words);
    if (this.#announced.words.length > 1) return;
    const wait = Math.max(0, this.#announced.at + ANNOUNCED - Date.now());
    setTimeout(() => {
      const { words: all } = this.#announced;
      this.#announced = { at: Date.now(), words: [] };
      $("announcer").textContent = all.length > 3 ? `${all.at(-1)}. ${$("summary").textContent}` : all.join(". ");
    }, wait);
  }

  async #copy(text, what) {
    this.#announce((await copy(text)) ? `${what} was copied` : `${what} could not be copied`);
  }

  #saveOpen() {
    const open = [...this.#open].map(({ key, id, number, proof, certificate }) => ({ key, id, number, proof, certificate }));
    const searched = [...this.#searched].map(({ key }) => key);
    const { unwritten } = this.#history;
    try {
      sessionStorage.removeItem(SAVED); // of a page that was left, and came back
      for (const saved of [{ open, searched, unwritten }, { open, searched }]) {
        const text = JSON.stringify({ session: this.#client.saved, ...saved });
        const isAny = Object.values(saved).some(({ length }) => length);
        if (isAny && text.length <= MOST_SAVED) return sessionStorage.setItem(SAVED, text);
      }
    } catch {
      // storage is switched off: after a reload the numbers are asked again by hand
    }
  }
}

/** Whether each line is a number of its own, so that they can be asked one by one; what else a file may be the server tells. */
function isPlain(lines) {
  return !/[$[{:=<"'\t]|\p{Nd}[\s,;]+[+-]?\p{Nd}|[a-z]\s*[,;]|\b(?:is|has)\b/iu.test(lines[0]) && !lines.some((line) => /^[#;]|^\/\/|\s(?:#|\/\/)|\\|[\ufffd\0]/.test(line));
}

/** What was asked for: an answer, or {error}. */
async function hear(asked) {
  try {
    return await asked;
  } catch (error) {
    if (!error.code) throw error;
    return { error: { code: error.code, message: error.message } };
  }
}

/** Show or hide a button, whose focus goes to the field. */
function show(id, wanted) {
  if (!wanted && document.activeElement === $(id)) $("numbers").focus();
  $(id).hidden = !wanted;
}

let lastKey = 0;

function newEntry({ key, id, number, proof = false, certificate = false }) {
  lastKey = Math.max(lastKey + 1, Date.now() * 1_000); // keys grow over reloads too
  const request = id ?? `${lastKey.toString(36)}${Math.random().toString(36).slice(2, 8)}`;
  return { key: key ?? lastKey, id: request, number, proof, certificate, open: true, abort: new AbortController() };
}

function options() {
  return { proof: $("proof").checked, certificate: $("certificate").checked };
}

function readSaved() {
  try {
    const saved = JSON.parse(sessionStorage.getItem(SAVED)) ?? { open: [] };
    sessionStorage.removeItem(SAVED); // once: the session goes on with this page
    return saved;
  } catch {
    return { open: [] }; // storage is switched off
  }
}

/** `#n=2^127-1`, perhaps with `&proof`; all but %, & and # may stand as it is. */
function readLink() {
  const [first, ...rest] = location.hash.slice(1).split("&");
  if (!first.startsWith("n=")) return undefined;
  try {
    const number = decodeURIComponent(first.slice(2)).trim();
    return number && { number, proof: rest.includes("proof"), certificate: rest.includes("certificate") };
  } catch {
    return undefined; // no percent-encoding
  }
}

function linkTo({ number, proof, certificate }) {
  const wanted = `${proof ? "&proof" : ""}${certificate ? "&certificate" : ""}`;
  return `${location.origin}${location.pathname}#n=${encodeURIComponent(number)}${wanted}`;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // there is no clipboard where the page came without TLS; the old way is still there
    const area = document.body.appendChild(document.createElement("textarea"));
    area.value = text;
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }
}

function saveAs(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // once the browser has read it
}

new Page().start();
