// Makes elements of the page.

/** An element with these properties (`class`, `data` and attributes with a hyphen or a role too, listeners as onClick) and children. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2).toLowerCase(), value);
    else if (key === "class") made.className = value;
    else if (key.includes("-") || key === "role" || key === "for") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children.filter((child) => child !== undefined && child !== false));
  return made;
}

/** A quiet button, whose name says what it is about. */
export function button(label, about, onClick) {
  return element("button", { type: "button", class: "quiet", "aria-label": `${label}: ${about}`, onClick }, label);
}

const SHOWN = 48; // characters of a number; of a longer one both ends

/** A number for people: a long one by its ends, with its length. */
export function shorten(number) {
  if (number.length <= SHOWN) return number;
  const unit = /^[+-]?[0-9]+$/.test(number) ? "digits" : "characters";
  return `${number.slice(0, 16)}…${number.slice(-16)} (${number.length.toLocaleString("en")} ${unit})`;
}

/** Milliseconds for people. */
export function duration(ms) {
  if (ms < 1) return `${Number(ms.toPrecision(1))} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 100_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`;
}

/** So many of something. */
export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}
