// Files on their way, each as a card: how far it is, what came of it, the last answers and every one whose evidence fails.

import { button, count, element, shorten } from "./element.js";
import { verdictOf } from "./table.js";
import { Upload, checkSize, preview } from "./upload.js";

const CARDS = 5; // the oldest that has ended makes place
const LAST = 10; // answers that are shown of a file
const FAILED = 50; // and of those whose evidence fails
const LARGE = 1_000_000; // bytes above which a file is sent only after what it was taken for has been seen
const CHECKED_AT_ONCE = 500; // answers: what the worker is given together

/** Cards in an element of the page; `checker` checks, `alarm` is called with the number of an answer whose evidence fails, `left` when a card goes that had the focus. */
export class Files {
  #place;
  #checker;
  #act;

  constructor(place, checker, act) {
    this.#place = place;
    this.#checker = checker;
    this.#act = act;
  }

  /** Send a file of integers, one a line; resolves when it has ended, however that is. */
  async send(file) {
    const ended = [...this.#place.children].filter((card) => card.dataset.ended);
    if (this.#place.children.length >= CARDS) ended.at(-1)?.remove();
    const card = new Card(file, this.#checker, this.#act);
    this.#place.prepend(card.element);
    await card.run();
    this.#act.announce(card.words);
  }
}

class Card {
  words = "Sending…";
  #file;
  #checker;
  #act;
  #abort = new AbortController();
  #upload;
  #tally = new Map(); // word → how many
  #checked = 0;
  #answered = 0;
  #text = element("p");
  #bar;
  #cancel;
  #link = element("span");
  #last = element("ol", { class: "last" });
  #failed = element("ol", { class: "failed" });

  constructor(file, checker, act) {
    this.#file = file;
    this.#checker = checker;
    this.#act = act;
    this.#bar = element("progress", { max: 1, "aria-label": `Answered of ${file.name}` });
    this.#cancel = button("Cancel", file.name, () => this.#abort.abort());
    this.element = element("article", { class: "card" }, element("h2", {}, file.name), this.#bar, this.#text,
      element("p", { class: "actions" }, this.#cancel, this.#link), this.#failed, this.#last);
    this.#upload = new Upload(file, this.#abort.signal);
    this.#render();
  }

  async run() {
    try {
      checkSize(this.#file);
      if (this.#file.size > LARGE) await this.#confirm();
      for await (const answers of this.#upload.answers()) await this.#take(answers);
      if (this.#upload.hasFormats && this.#answered) {
        this.#link.append(" ", this.#download("?format=csv", ".csv", "As CSV"), " ", this.#download("?format=primes", ".primes.txt", "The primes"));
      }
      this.#end(`Done: ${this.#upload.form ? `${this.#upload.form}, ` : ""}${this.#counts()}`);
    } catch (error) {
      const reason = this.#abort.signal.aborted ? "Cancelled" : `Ended: ${error.message}`;
      this.#end(`${reason}.${this.#answered ? ` ${this.#counts()}` : ""}`);
    }
  }

  /** Show what the file is taken for, and wait until it is to be sent. */
  async #confirm() {
    const { signal } = this.#abort;
    const found = await preview(this.#file, signal);
    if (!found) return; // the server takes nothing now: the upload waits for it
    const { form = "Plain list", numbers, complete, first } = found;
    this.#text.textContent = `${form}, ${complete ? "" : "at least "}${count(numbers, "number")}. It begins with:`;
    this.#act.announce(this.#text.textContent);
    this.#last.append(...first.map(({ line, text = "", error }) => element("li", { value: line }, element("span", { class: "digits" }, shorten(text)), error)));
    const sending = new Promise((resolve, reject) => {
      this.#link.append(button("Send", this.#file.name, resolve));
      signal.addEventListener("abort", () => reject(signal.reason));
    });
    await sending.finally(() => {
      if (this.#link.contains(document.activeElement)) this.#act.left(); // not to Cancel, which the same key would press
      this.#link.replaceChildren();
      this.#last.replaceChildren();
    });
    this.#render();
  }

  async #take(answers) {
    this.#link.replaceChildren(this.#download("", ".answers.jsonl", "All answers"));
    for (let first = 0; first < answers.length; first += CHECKED_AT_ONCE) {
      const some = answers.slice(first, first + CHECKED_AT_ONCE);
      const results = await this.#checker.checkAll(some.map(({ number, verdict, evidence }) => ({ number, verdict, evidence })), this.#abort.signal);
      some.forEach((answer, index) => this.#count(answer, results[index]));
      for (const answer of some.slice(-LAST)) this.#last.prepend(describe(answer));
      while (this.#last.children.length > LAST) this.#last.lastChild.remove();
      this.#render();
    }
  }

  #download(format, ending, words) {
    return element("a", { href: this.#upload.url + format, download: `${this.#file.name}${ending}` }, words);
  }

  #count(answer, { outcome, words }) {
    const verdict = answer.error ? "without an answer" : verdictOf(answer).toLowerCase();
    this.#tally.set(verdict, (this.#tally.get(verdict) ?? 0) + 1);
    this.#answered += 1;
    if (outcome === "shown") this.#checked += 1;
    if (outcome !== "refuted") return;
    this.#act.alarm(answer.number);
    if (this.#failed.children.length < FAILED) this.#failed.append(describe(answer, words));
  }

  #counts() {
    const parts = [...this.#tally].map(([verdict, number]) => `${number.toLocaleString("en")} ${verdict}`);
    return `${count(this.#answered, "answer")}${parts.length ? `: ${parts.join(", ")}` : ""}. ${count(this.#checked, "verdict")} checked here.`;
  }

  #render() {
    if (this.#answered) {
      this.words = this.#counts();
      this.#bar.value = Math.min(1, this.#upload.position / this.#file.size);
    }
    this.#text.textContent = this.words;
  }

  #end(words) {
    this.words = words;
    this.#text.textContent = words;
    this.#bar.remove();
    const remove = button("Remove", this.#file.name, () => {
      this.element.remove();
      this.#act.left();
    });
    const focused = this.#cancel === document.activeElement;
    this.#cancel.replaceWith(remove);
    if (focused) remove.focus();
    this.element.dataset.ended = "yes";
  }
}

function describe({ line, number, error, ...answer }, words) {
  const verdict = error ? error.message : verdictOf(answer).toLowerCase();
  return element("li", { value: line }, element("span", { class: "digits" }, shorten(number)), `: ${verdict}`, words && element("strong", {}, ` ✗ ${words}`));
}
