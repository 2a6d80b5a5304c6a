// WebSockets that ask, by `ws`: replies go out in the order of the questions, those of one tick with one write.

import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const BACKLOG = 1024; // as our web processes have

// `ask(number, reply)` gets each number; `reply(verdict)` may be called at any time.
export function serve(port, ask) {
  const server = createServer();
  const sockets = new WebSocketServer({ server, path: "/chatsocket", perMessageDeflate: false });
  sockets.on("connection", (socket, request) => {
    const stream = request.socket;
    const waiting = []; // questions in their order, each with its verdict when that is known
    let corked = false;

    function uncork() {
      corked = false;
      stream.uncork();
    }

    function send(text) {
      if (!corked) {
        corked = true;
        stream.cork();
        process.nextTick(uncork);
      }
      socket.send(text);
    }

    socket.on("message", (data) => {
      const number = Number(data);
      if (!Number.isSafeInteger(number)) {
        socket.close(1003);
        return;
      }
      const question = { verdict: undefined };
      waiting.push(question);
      ask(number, (verdict) => {
        question.verdict = verdict;
        while (waiting.length > 0 && waiting[0].verdict !== undefined)
          send(waiting.shift().verdict ? "is a prime number" : "is not a prime number");
      });
    });
    socket.on("error", () => socket.terminate());
  });
  server.listen({ host: "127.0.0.1", port, backlog: BACKLOG });
}
