// Asks for the figures every five seconds and shows them.

import { Chart, clock } from "./chart.js";
import { make } from "./element.js";
import { refresh } from "./letters.js";

const PERIOD = 5000; // ms between two questions
const PATIENCE = 8000; // ms for an answer: nginx gives a web process five seconds

const number = (value) => (value >= 1000 ? `${+(value / 1000).toPrecision(3)}k` : `${+value.toPrecision(3)}`);
const seconds = (value) => (value === 0 ? "0 s" : value < 1 ? `${+(value * 1000).toPrecision(3)} ms` : `${number(value)} s`);
const percent = (value) => `${+(value * 100).toPrecision(4)} %`;
const times = (value) => `${number(value)}×`;

const charts = {
  rate: new Chart("Answers a second", number, 1),
  quick: new Chart("Time to the answer, quick lane", seconds),
  heavy: new Chart("Time to the answer, heavy lane", seconds),
  age: new Chart("Age of the oldest job", seconds, 1),
  connections: new Chart("Connections of each web process", number, 10),
  processes: new Chart("Processes that answer", number, 4),
  dead: new Chart("Dead letters", number, 1),
  canary: new Chart("Canary's questions that were answered rightly", percent, 1),
  burn: new Chart("Spending of the error budget, last hour (1×: as fast as allowed)", times, 1),
};
const state = document.getElementById("state");
const range = document.getElementById("range");
let timer = 0, heard = 0;
let asked = null; // the AbortController of the question under way: a newer one puts it aside

// The sum, or the largest, of what the lines of a figure said in their last three points (the newest may not be known yet);
// null if they said nothing.
function latest(lines, together = (values) => values.reduce((sum, value) => sum + value, 0)) {
  const values = lines.map((line) => line.values.slice(-3).findLast((value) => value !== null)).filter((value) => value !== undefined);
  return values.length ? together(values) : null;
}

const largest = (values) => Math.max(...values);
const smallest = (values) => Math.min(...values);

function tile(title, value, format, bad = false) {
  return make("div", { className: bad ? "bad" : "" }, make("dt", { textContent: title }), make("dd", { textContent: value === null ? "–" : format(value) }));
}

function showTiles({ figures, alerts }) {
  const one = (name, line) => figures[name].filter((candidate) => candidate.name === line);
  const firing = alerts.filter((alert) => alert.state === "firing").length;
  const webs = latest(one("processes", "web")), workers = latest(one("processes", "worker"));
  const oldest = latest(figures.age, largest), dead = latest(figures.dead), right = latest(figures.canary, smallest);
  document.getElementById("tiles").replaceChildren(
    tile("Answers a second", latest(figures.rate), number),
    tile("99 % of quick answers in", latest(one("quick", "p99")), seconds),
    tile("Oldest job", oldest, seconds),
    tile("Connections", latest(figures.connections), number),
    tile("Web processes", webs, number, !webs),
    tile("Workers", workers, number, !workers),
    tile("Canary right", right, percent, right !== null && right < 0.9),
    tile("Dead letters", dead, number, dead > 0),
    tile("Alerts firing", firing, number, firing > 0),
  );
}

function showAlerts(alerts) {
  const order = { firing: 0, pending: 1 };
  const items = alerts
    .toSorted((a, b) => order[a.state] - order[b.state] || a.activeAt.localeCompare(b.activeAt))
    .map(({ labels, annotations, state, activeAt }) => {
      const fires = state === "firing";
      const title = `${labels.alertname} ${fires ? `(${labels.severity})` : "(about to fire)"}`;
      return make(
        "li",
        { className: fires ? labels.severity : "pending" },
        make("p", { className: "title", textContent: title }),
        make("p", { textContent: annotations.summary }),
        make("p", { textContent: annotations.action }),
        make("p", { className: "soft", textContent: `since ${clock(Date.parse(activeAt) / 1000)}; ${annotations.runbook}` }),
      );
    });
  const list = document.getElementById("alerts");
  const shown = items.length ? items : [make("li", {}, make("p", { textContent: "Nothing fires." }))];
  // Only what changed: it is read out.
  if (list.textContent !== shown.map((item) => item.textContent).join("")) list.replaceChildren(...shown);
}

function show(told) {
  heard = Date.now();
  state.className = "";
  state.textContent = `${clock(heard / 1000)}, told by ${told.instance}`;
  showAlerts(told.alerts);
  showTiles(told);
  for (const [name, chart] of Object.entries(charts)) chart.draw(told.start, told.step, told.figures[name]);
}

async function ask() {
  clearTimeout(timer);
  asked?.abort();
  const mine = (asked = new AbortController());
  refresh(); // they are told by Redis, whatever Prometheus says
  const minutes = range.querySelector(":checked").value;
  try {
    const response = await fetch(`/figures?minutes=${minutes}`, { signal: AbortSignal.any([mine.signal, AbortSignal.timeout(PATIENCE)]) });
    const body = response.headers.get("Content-Type")?.startsWith("application/json") ? await response.json() : null;
    if (!response.ok || body === null) throw new Error(body?.error?.message ?? `status ${response.status}`);
    show(body);
  } catch (error) {
    if (mine.signal.aborted) return;
    state.className = "stale";
    state.textContent = `No new figures${heard ? ` since ${clock(heard / 1000)}` : ""}: ${error.message}`;
  }
  timer = setTimeout(ask, PERIOD);
}

document.getElementById("charts").append(...Object.values(charts).map((chart) => chart.element));
range.addEventListener("change", ask);
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : ask()));
ask();
