"""Supervisor in the foreground, its processes' output and its own words on one terminal."""

from contextlib import suppress
from pathlib import Path

from supervisor import events, loggers
from supervisor.datatypes import RestartUnconditionally, RestartWhenExitUnexpected
from supervisor.medusa.asyncore_25 import ExitNow
from supervisor.options import ServerOptions
from supervisor.states import SupervisorStates
from supervisor.supervisord import Supervisor

from local.terminal import Terminal

CONFIGURATION = Path(__file__).with_name("supervisord.conf")


def run(terminal: Terminal) -> bool:
    """Run every process of the configuration until a signal ends the stack; tell whether it had come up."""
    options = ServerOptions()
    options.realize(["--configuration", str(CONFIGURATION)])
    options.first, options.test = True, False
    for group in options.process_group_configs:
        for process in group.process_configs:
            process.redirect_stderr = process.stdout_events_enabled = True
            process.stdout_logfile = process.stderr_logfile = None
            process.startretries = 1_000_000  # each waits a second longer than the one before; never give up
            # Supervisor's default leaves out what ended with status 0, as a server does that was told to end; Docker does not.
            if process.autorestart is RestartWhenExitUnexpected:
                process.autorestart = RestartUnconditionally
    stack = Stack(options, terminal)
    with suppress(ExitNow):  # Supervisor's way to say that the last process has ended
        stack.main()
    return not stack.failed


class Stack(Supervisor):
    """Supervisor whose events, instead of feeding listener processes, print to the terminal.

    In-process subscription is not Supervisor's documented interface (event listener processes are), but is five
    lines instead of a process with a protocol and a bounded buffer that drops output.
    """

    def __init__(self, options: ServerOptions, terminal: Terminal) -> None:
        super().__init__(options)
        self.failed = False  # whether the stack never became ready
        self._terminal = terminal

    def runforever(self) -> None:
        """Listen to the events, then start the processes and keep them running."""
        self.options.logger.addHandler(LogOnTerminal(self._terminal))
        events.subscribe(events.ProcessLogEvent, self._on_output)
        events.subscribe(events.ProcessStateExitedEvent, self._on_exit)
        super().runforever()

    def _on_output(self, event: events.ProcessLogEvent) -> None:
        self._terminal.write(event.process.config.name, event.data)

    def _on_exit(self, event: events.ProcessStateExitedEvent) -> None:
        name = event.process.config.name
        self._terminal.end(name)
        if name == "primes" and not event.expected:
            self.failed = True
            self.options.mood = SupervisorStates.SHUTDOWN


class LogOnTerminal(loggers.Handler):
    """Supervisor's own log (started, exited, restarted), as lines of one more process."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self._terminal = terminal

    def emit(self, record: loggers.LogRecord) -> None:
        """Print one message."""
        message = record.asdict()["message"]
        if not message.startswith("success:"):  # "has stayed up for 1 second" of each: they say themselves when they serve
            self._terminal.write("supervisor", f"{message}\n".encode())
