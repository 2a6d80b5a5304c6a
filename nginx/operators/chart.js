// A line chart in SVG, whose legend tells the values at its end or at the cursor.

const WIDTH = 400, HEIGHT = 136, LEFT = 44, RIGHT = 6, TOP = 8, BOTTOM = 18;
const COLOURS = 5; // of operators.css; more lines than that take them again

function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function clock(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
}

// The least of 1, 2, 5 times a power of ten that is not below the value: the top of the axis.
function ceiling(value) {
  if (!(value > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return unit * [1, 2, 5, 10].find((factor) => factor * unit >= value * 0.999);
}

export class Chart {
  // `format` makes text of a value; `least` is the least top of the axis.
  constructor(title, format, least = 0) {
    this.title = title;
    this.format = format;
    this.least = least;
    this.cursor = null; // index of a point in time; null: the last
    this.drawn = null; // { start, step, lines }
    this.plot = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", tabindex: "0" });
    this.legend = document.createElement("ul");
    this.legend.className = "legend";
    const caption = document.createElement("figcaption");
    caption.textContent = title;
    this.element = document.createElement("figure");
    this.element.append(caption, this.plot, this.legend);
    this.plot.addEventListener("keydown", (event) => this.key(event));
    this.plot.addEventListener("pointermove", (event) => this.point(event));
    this.plot.addEventListener("pointerleave", () => this.move(null));
    this.plot.addEventListener("focus", () => this.legend.setAttribute("aria-live", "polite"));
    this.plot.addEventListener("blur", () => { this.legend.removeAttribute("aria-live"); this.move(null); });
    new ResizeObserver(() => this.render()).observe(this.plot);
  }

  draw(start, step, lines) {
    this.drawn = { start, step, lines, points: Math.max(0, ...lines.map((line) => line.values.length)) };
    this.render();
  }

  key(event) {
    if (!this.drawn) return;
    const last = this.drawn.points - 1;
    const at = this.cursor ?? last;
    const moves = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last, Escape: null };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const to = moves[event.key];
    this.move(to === null ? null : Math.min(Math.max(to, 0), last));
  }

  point(event) {
    if (!this.drawn || this.drawn.points < 2) return;
    const box = this.plot.getBoundingClientRect();
    const part = (event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT);
    this.move(Math.round(Math.min(Math.max(part, 0), 1) * (this.drawn.points - 1)));
  }

  move(cursor) {
    if (cursor === this.cursor) return;
    this.cursor = cursor;
    this.render();
  }

  render() {
    if (!this.drawn) return;
    const { start, step, lines, points } = this.drawn;
    const width = this.plot.clientWidth || WIDTH; // in pixels, so that text and strokes keep their shape
    this.plot.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const top = ceiling(Math.max(this.least, ...lines.flatMap((line) => line.values.map((value) => value ?? 0))));
    const x = (index) => LEFT + (width - LEFT - RIGHT) * (points > 1 ? index / (points - 1) : 1);
    const y = (value) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * value) / top;
    const parts = [];
    for (const value of [0, top / 2, top]) {
      parts.push(svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }));
      parts.push(svg("text", { x: LEFT - 4, y: y(value) + 4, "text-anchor": "end" }, this.format(value)));
    }
    parts.push(svg("text", { x: LEFT, y: HEIGHT - 4 }, clock(start)));
    parts.push(svg("text", { x: width - RIGHT, y: HEIGHT - 4, "text-anchor": "end" }, clock(start + step * (points - 1))));
    lines.forEach((line, number) => parts.push(svg("path", { class: `line line${number % COLOURS}`, d: path(line.values, x, y) })));
    if (this.cursor !== null) parts.push(svg("line", { class: "cursor", x1: x(this.cursor), x2: x(this.cursor), y1: TOP, y2: HEIGHT - BOTTOM }));
    this.plot.replaceChildren(...parts);
    this.tell(start, step, lines, points);
  }

  tell(start, step, lines, points) {
    const index = Math.min(this.cursor ?? points - 1, points - 1);
    const told = lines.map((line) => `${line.name} ${this.text(line.values[index])}`);
    this.plot.setAttribute("aria-label", lines.length ? `${this.title}: ${told.join(", ")}` : `${this.title}: nothing known`);
    const items = lines.map((line, number) => {
      const item = document.createElement("li");
      const swatch = svg("svg", { viewBox: "0 0 24 10", "aria-hidden": "true" }, svg("path", { class: `line line${number % COLOURS}`, d: "M0 5H24" }));
      item.append(swatch, told[number]);
      return item;
    });
    if (!lines.length) items.push(Object.assign(document.createElement("li"), { textContent: "nothing known" }));
    if (this.cursor !== null && points) {
      items.push(Object.assign(document.createElement("li"), { className: "when", textContent: `at ${clock(start + step * index)}` }));
    }
    this.legend.replaceChildren(...items);
  }

  text(value) {
    return value === null || value === undefined ? "–" : this.format(value);
  }
}

// A line with gaps where nothing is known; a point alone is drawn as a dot would be.
function path(values, x, y) {
  let drawn = "", joined = false;
  values.forEach((value, index) => {
    if (value === null) { joined = false; return; }
    drawn += joined ? `L${x(index).toFixed(1)} ${y(value).toFixed(1)}` : `M${x(index).toFixed(1)} ${y(value).toFixed(1)}h.1`;
    joined = true;
  });
  return drawn;
}
