// A file of integers, one a line, sent to POST /jobs; its answers are taken from GET /jobs/ID in the order of the lines, each once,
// over however many connections. See docs/protocol.md.

const FIRST_WAIT = 500; // ms before a request that failed is made again, at most; doubled with each that fails
const LONGEST_WAIT = 30_000; // ms
const MOST_BYTES = 50 * 2 ** 20; // of a file: nginx ends the connection of a larger one, which a browser takes for one that broke
const LOOKED_AT = 2 ** 16; // bytes of a file's beginning that the server looks at, at most
const MOST_KEPT = 10 * 2 ** 20; // bytes of a plain list whose numbers the server is to keep: they take much more of it than answers do
const MOST_SENT = 3; // times that a file is sent when the server lost it

/** The upload was refused, or lost more often than it is sent again; `code` is for programs, as in the protocol. */
export class UploadError extends Error {
  name = "UploadError";

  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/**
 * What the server takes a file for by its beginning: {form, numbers, complete, first: [{line, text} or {line, error}]}; undefined where it
 * cannot say so now. Throws an UploadError for what it would not take, or the signal's reason.
 */
export async function preview(file, signal) {
  const part = file.slice(0, LOOKED_AT);
  try {
    const response = await fetch(`/jobs/preview?part=${part.size < file.size}`, { method: "POST", body: part, headers: { "Content-Type": "text/plain" }, signal });
    const body = await response.json();
    if (response.ok) return body;
    if (response.status < 500 && !body.error.retryable) throw new UploadError(body.error.code, body.error.message);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof UploadError) throw error;
  }
  return undefined;
}

/** Throws an UploadError for a file that is not sent, by its size. */
export function checkSize({ size }) {
  if (!size) throw new UploadError("empty", "The file is empty");
  if (size > MOST_BYTES) throw new UploadError("body_too_large", `Files of up to 50 MB are taken, this one has ${Math.ceil(size / 2 ** 20)} MB`);
}

export class Upload {
  /** Where the answers are for an hour, once the file was taken: for whoever wants them as they are. */
  url;
  /** What the server took it for, unless it is a plain list. */
  form;
  /** Bytes of the file whose answers have come. */
  position = 0;
  #file;
  #signal;
  #failures = 0;
  #last = 0; // place of the last answer
  #done = false;

  /** `signal` ends it, and deletes what the server has of it. */
  constructor(file, signal) {
    this.#file = file;
    this.#signal = signal;
    signal.addEventListener("abort", () => this.url && fetch(this.url, { method: "DELETE", keepalive: true }).catch(() => {}));
  }

  /** Whether `url` has the answers as CSV, too, and the primes alone. */
  get hasFormats() {
    return this.form !== undefined || this.#kept;
  }

  get #kept() {
    return this.#file.size <= MOST_KEPT;
  }

  /** Arrays of answers as they come: {line, number, verdict, …} or {line, number, error}. Throws UploadError, or the signal's reason. */
  async *answers() {
    checkSize(this.#file);
    const lines = new LineReader(this.#file);
    for (let sent = 1; ; sent += 1) {
      await this.#send();
      for await (const answers of this.#listen()) {
        if (answers === undefined) break; // lost
        for (const answer of answers) answer.number = answer.text ?? (await lines.read(answer.line));
        this.position = lines.position;
        yield answers;
      }
      if (this.#done) return;
      if (sent === MOST_SENT) throw new UploadError("lost", `The server lost the file ${MOST_SENT} times`);
    }
  }

  async #send() {
    // The same key for every attempt: what arrived is not computed twice.
    const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    const headers = { "Content-Type": "text/plain", "Idempotency-Key": key, Prefer: "respond-async" };
    for (;;) {
      const response = await this.#fetch(this.#kept ? "/jobs?format=csv" : "/jobs", { method: "POST", body: this.#file, headers });
      if (response?.status === 202) {
        const { job, form } = await response.json();
        this.url = `/jobs/${job}`;
        this.form = form;
        this.#failures = 0;
        return;
      }
      await this.#refuse(response);
    }
  }

  /** Arrays of answers, then, if the upload is lost, undefined. */
  async *#listen() {
    for (;;) {
      const response = await this.#fetch(`${this.url}?offset=${this.#last}`);
      if (response?.status === 404) return yield undefined;
      if (response?.status !== 200) await this.#refuse(response);
      else {
        for await (const answers of this.#read(response)) yield answers;
        if (this.#done) return;
      }
    }
  }

  async *#read(response) {
    try {
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        const lines = (rest + value).split("\n");
        rest = lines.pop();
        const messages = lines.map((line) => JSON.parse(line));
        const answers = messages.filter((answer) => place(answer) > this.#last);
        this.#failures = 0;
        if (answers.length) this.#last = place(answers.at(-1));
        this.form = messages.at(-1)?.form ?? this.form;
        if (answers.length || messages.at(-1)?.done) {
          this.#done = messages.at(-1)?.done ?? false;
          yield answers;
        }
        if (messages.at(-1)?.error && messages.at(-1).line === undefined) return yield undefined;
      }
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!(error instanceof TypeError)) throw error;
      await this.#wait(); // the connection broke: the next request goes on
    }
  }

  /** The response; undefined without one. */
  async #fetch(url, options) {
    try {
      return await fetch(url, { ...options, signal: this.#signal });
    } catch (error) {
      this.#signal.throwIfAborted();
      if (error instanceof TypeError) return undefined;
      throw error;
    }
  }

  /** Wait after a failure that may pass, or throw. */
  async #refuse(response) {
    const body = await response?.json().catch(() => undefined);
    if (response && !body?.error?.retryable && response.status < 500 && response.status !== 409) {
      throw new UploadError(body?.error?.code ?? `http_${response.status}`, body?.error?.message ?? `HTTP status ${response.status}`);
    }
    await this.#wait();
  }

  /** Full jitter, so that not all clients that lost the same server come back in the same moment. */
  async #wait() {
    const wait = Math.random() * Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures);
    this.#failures += 1;
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, wait);
      this.#signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
    });
    this.#signal.throwIfAborted();
  }
}

// As on the server, which JavaScript's own white space is not: what Unicode calls so, without the byte order mark.
const BLANK = "[\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const COMMENT = new RegExp(`${BLANK}(?:#|//|\\\\\\\\).*`, "s");
const BLANKS = new RegExp(BLANK);

/** Without blanks at both ends. */
function trim(line) {
  let [begin, end] = [0, line.length];
  while (begin < end && BLANKS.test(line[begin])) begin += 1;
  while (begin < end && BLANKS.test(line[end - 1])) end -= 1;
  return line.slice(begin, end);
}

/** How far an answer is in the list: where a line may have several numbers they are counted. */
const place = ({ item, line }) => item ?? line;

/** Reads the lines of a plain list one after the other, without ever holding all of it. */
class LineReader {
  position = 0; // characters of the file up to here, which are bytes where all are ASCII
  #reader;
  #lines = []; // read, in reverse
  #rest = "";
  #number = 0;
  #decoder;
  #file;

  constructor(file) {
    this.#file = file;
  }

  /** This line; lines only grow. */
  async read(number) {
    let line = "";
    while (this.#number < number) {
      while (!this.#lines.length) if (!(await this.#fill())) return "";
      line = this.#lines.pop();
      this.#number += 1;
      this.position += line.length + 1;
    }
    line = trim(line);
    if (line.endsWith("\\") && !line.endsWith("\\\\")) return line.slice(0, -1) + (await this.read(number + 1)); // as bc breaks numbers
    return trim(trim(line.replace(COMMENT, "")).replace(/;$/, ""));
  }

  async #fill() {
    this.#reader ??= await open(this.#file);
    const { value, done } = await this.#reader.read();
    if (!done) this.#decoder ??= new TextDecoder({ 0xff: "utf-16le", 0xfe: "utf-16be" }[value[0]] ?? "utf-8");
    if (done && this.#rest === undefined) return false;
    const lines = (this.#rest + (done ? this.#decoder?.decode() ?? "" : this.#decoder.decode(value, { stream: true }))).split("\n");
    this.#rest = done ? undefined : lines.pop();
    this.#lines = lines.toReversed();
    return true;
  }
}

/** Its bytes, decompressed where the first two are those of gzip. */
async function open(file) {
  const [first, second] = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const gzip = first === 0x1f && second === 0x8b;
  return (gzip ? file.stream().pipeThrough(new DecompressionStream("gzip")) : file.stream()).getReader();
}
