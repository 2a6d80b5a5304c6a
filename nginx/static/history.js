// What was asked in this browser and how it was answered, kept over reloads until it is cleared. Nothing of it leaves the browser.

const MOST_ENTRIES = 1_000;
const MOST_CHARACTERS = 4_000_000; // of all numbers, values and factors together; a browser gives a page some tens of MB at least
const STORE = "answers";

/**
 * Entries of {key, number, …}; the newest are kept. In memory alone where the browser offers no storage, as in some private windows.
 *
 * A browser gives up writes to its database that have not ended when the page goes: `unwritten` has them, for the page to keep elsewhere, and
 * the next History is made with them.
 */
export class History {
  #database;
  #unwritten = new Set(); // {put: entry}, {remove: key} or {clear: true}, the oldest first
  #sizes = new Map(); // key → characters, the oldest first
  #characters = 0;

  constructor(unwritten = [], name = "primes") {
    this.#database = open(name);
    for (const write of unwritten) this.#write(write);
  }

  /** The writes that may not have come to the database yet, the oldest first. Made once more they change nothing. */
  get unwritten() {
    return [...this.#unwritten];
  }

  /** All entries, the oldest first. */
  async all() {
    const database = await this.#database;
    if (!database) return [];
    const entries = await request(storeOf(database, "readonly").getAll());
    for (const entry of entries) this.#count(entry);
    return entries;
  }

  /** Add an entry, or put it in place of the one with the same key; keys grow with time. */
  put(entry) {
    this.#write({ put: entry });
  }

  remove(key) {
    this.#write({ remove: key });
  }

  clear() {
    this.#write({ clear: true });
  }

  async #write(write) {
    this.#unwritten.add(write);
    if (this.#unwritten.size > MOST_ENTRIES) this.#unwritten.delete(this.#unwritten.values().next().value); // a database that never opens
    try {
      const database = await this.#database;
      if (database) await this.#makeWrite(storeOf(database, "readwrite"), write);
    } catch {
      // A full disk or a person that clears what the browser stores loses the history, not the answers on the page.
    }
    this.#unwritten.delete(write);
  }

  #makeWrite(store, { put, remove }) {
    if (put) {
      this.#count(put);
      store.put(put);
      for (const key of this.#surplus()) store.delete(key);
    } else if (remove !== undefined) {
      this.#forget(remove);
      store.delete(remove);
    } else {
      this.#sizes.clear();
      this.#characters = 0;
      store.clear();
    }
    return new Promise((resolve) => {
      for (const end of ["complete", "abort"]) store.transaction.addEventListener(end, resolve);
    });
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

/** The database, or undefined where there is none: without storage the page works all the same. */
async function open(name) {
  try {
    return await request(indexedDB.open(name, 1), (opening) => {
      opening.addEventListener("upgradeneeded", () => opening.result.createObjectStore(STORE, { keyPath: "key" }));
    });
  } catch {
    return undefined;
  }
}

function storeOf(database, mode) {
  return database.transaction(STORE, mode).objectStore(STORE);
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
