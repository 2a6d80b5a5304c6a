// Asks over /chatsocket: a text frame is one question, a text frame is its answer, and answers come in the order
// of the questions. So an answer belongs to the oldest question that has none.

const FIRST_WAIT = 500; // ms before the first attempt to reconnect; doubled with each that fails
const LONGEST_WAIT = 15_000; // ms, a guess at what a visitor bears
const STABLE = 10_000; // ms that a connection must have lasted to count as a success
const SHOWN = 60; // characters of a number; of a longer one both ends

const form = document.getElementById("question");
const input = document.getElementById("number");
const state = document.getElementById("connection");
const answers = document.getElementById("answers");

const unanswered = []; // {text, item}, the oldest first
let socket;
let timer;
let failures = 0;

function connect() {
  clearTimeout(timer);
  socket?.close();
  const current = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/chatsocket`);
  let opened = Infinity;
  socket = current;
  state.textContent = "Connecting…";
  current.onopen = () => {
    opened = Date.now();
    state.textContent = "Connected.";
    // Their answers were lost with the last connection; asking twice does no harm.
    for (const { text } of unanswered) current.send(text);
  };
  current.onmessage = ({ data }) => {
    if (current === socket) show(data);
  };
  current.onclose = () => {
    if (Date.now() - opened > STABLE) failures = 0;
    if (current === socket) reconnect();
  };
}

function reconnect() {
  // At random between half of the wait and all of it, so that not all pages come back at the same moment.
  const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures) * (1 + Math.random()) / 2;
  failures += 1;
  timer = setTimeout(connect, wait);
  state.textContent = "Connection lost, trying again…";
}

function ask(text) {
  const item = document.createElement("li");
  item.className = "unanswered";
  item.textContent = `${shortened(text)} …`;
  answers.prepend(item);
  unanswered.push({ text, item });
  if (socket.readyState === WebSocket.OPEN) socket.send(text);
}

function show(answer) {
  const { text, item } = unanswered.shift() ?? {};
  if (!item) {
    state.textContent = answer; // the server said something without being asked
    return;
  }
  item.className = "";
  item.textContent = shortened(text) + (answer.startsWith("is ") ? " " : ": ") + answer;
}

function shortened(text) {
  return text.length <= SHOWN ? text : `${text.slice(0, 20)}…${text.slice(-20)} (${text.length} characters)`;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask(input.value);
  input.value = "";
  input.focus();
});

// A phone that has another network now lost its connection without being told.
addEventListener("online", connect);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && socket.readyState === WebSocket.CLOSED) connect();
});

connect();
