// A certificate of anybody's that is checked here, as a card: how many of its steps hold, and what it proves. Loaded when one comes.

import { button, element, shorten } from "./element.js";

/** Check a file and show its card first in `place`; `checker` checks, `act` as for files. Resolves when that has ended. */
export async function checkFile(file, place, checker, act) {
  const abort = new AbortController();
  const bar = element("progress", { "aria-label": `Steps of ${file.name} that hold` });
  const text = element("p", {}, "Checking the certificate…");
  const remove = button("Remove", file.name, () => {
    abort.abort();
    card.remove();
    act.left();
  });
  const card = element("article", { class: "card" }, element("h2", {}, file.name), bar, text, element("p", { class: "actions" }, remove));
  place.prepend(card);
  const note = (done, steps) => {
    Object.assign(bar, { max: steps, value: done });
    text.textContent = `${done} of ${steps} steps hold…`;
  };
  const { number, outcome, words } = await checker.checkText(await file.text(), { signal: abort.signal, note });
  bar.remove();
  const said = number === undefined ? "" : outcome === "shown" ? `${shorten(number)} is prime. ` : `${shorten(number)} is not proven. `;
  text.replaceChildren(element("span", { class: `outcome ${outcome}` }, outcome === "shown" ? "Proven here" : "Not proven"), ` ${said}${words}`);
  card.dataset.ended = "yes";
  act.announce(`${file.name}: ${said}${words}`);
}
