// What was asked in this browser and how it was answered, kept over reloads until it is cleared. Nothing of it leaves the browser.

const MOST_ENTRIES = 1_000;
const MOST_CHARACTERS = 4_000_000; // of all numbers, values and factors together; a browser gives a page some tens of MB at least
const STORE = "answers";

/** Entries of {key, number, …}; the newest are kept. In memory alone where the browser offers no storage, as in some private windows. */
export class History {
  #database;
  #sizes = new Map(); // key → characters, the oldest first
  #characters = 0;

  static async open(name = "primes") {
    const history = new History();
    try {
      history.#database = await request(indexedDB.open(name, 1), (opening) => {
        opening.addEventListener("upgradeneeded", () => opening.result.createObjectStore(STORE, { keyPath: "key" }));
      });
    } catch {
      // without storage the page works all the same
    }
    return history;
  }

  /** All entries, the oldest first. */
  async all() {
    if (!this.#database) return [];
    const entries = await request(this.#store("readonly").getAll());
    for (const entry of entries) this.#count(entry);
    return entries;
  }

  /** Add an entry, or put it in place of the one with the same key; keys grow with time. */
  async put(entry) {
    this.#count(entry);
    if (!this.#database) return;
    const store = this.#store("readwrite");
    store.put(entry);
    for (const key of this.#surplus()) store.delete(key);
    await new Promise((resolve) => {
      // A full disk loses the history, not the answers on the page.
      for (const end of ["complete", "abort", "error"]) store.transaction.addEventListener(end, resolve);
    });
  }

  async remove(key) {
    this.#forget(key);
    if (this.#database) await request(this.#store("readwrite").delete(key));
  }

  async clear() {
    this.#sizes.clear();
    this.#characters = 0;
    if (this.#database) await request(this.#store("readwrite").clear());
  }

  #store(mode) {
    return this.#database.transaction(STORE, mode).objectStore(STORE);
  }

  #count({ key, number, value = "", factored = "" }) {
    this.#forget(key);
    const size = number.length + value.length + JSON.stringify(factored).length;
    this.#sizes.set(key, size);
    this.#characters += size;
  }

  #forget(key) {
    this.#characters -= this.#sizes.get(key) ?? 0;
    this.#sizes.delete(key);
  }

  *#surplus() {
    for (const key of this.#sizes.keys()) {
      if (this.#sizes.size <= MOST_ENTRIES && this.#characters <= MOST_CHARACTERS) return;
      this.#forget(key);
      yield key;
    }
  }
}

/** What an IndexedDB request results in. */
function request(pending, prepare = () => {}) {
  prepare(pending);
  return new Promise((resolve, reject) => {
    pending.addEventListener("success", () => resolve(pending.result));
    pending.addEventListener("error", () => reject(pending.error));
    pending.addEventListener("blocked", () => reject(new Error("another page holds the history")));
  });
}
