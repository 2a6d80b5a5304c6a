"""The figures of the operators' page: charts and alerts, as Prometheus tells them."""

from tornado.web import url

from services.runtime.endpoints import ReadOnly
from services.web.operators.prometheus import Prometheus, Unknown
from services.web.operators.queries import STEPS


class FiguresHandler(ReadOnly):
    """`GET /figures?minutes=15` on the operators' port."""

    def initialize(self, prometheus: Prometheus) -> None:
        """`prometheus` is the process' one."""
        self._prometheus = prometheus

    async def get(self) -> None:
        """200 with the figures, 400 for other minutes, 502 when Prometheus does not tell."""
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        minutes = self.get_query_argument("minutes", "15")
        if not minutes.isascii() or not minutes.isdecimal() or int(minutes) not in STEPS:
            expected = ", ".join(map(str, STEPS))
            return self._fail(400, f"minutes: expected one of {expected}, got {minutes[:20]!r}")
        try:
            self.finish(await self._prometheus.figures(int(minutes)))
        except Unknown as error:
            self._fail(502, str(error))

    def _fail(self, status: int, message: str) -> None:
        self.set_status(status)
        self.finish({"error": {"message": message}})


def routes(address: str, instance: str) -> list[object]:
    """The route of the operators' page; none without an address of Prometheus."""
    return [url(r"/figures", FiguresHandler, {"prometheus": Prometheus(address, instance)})] if address else []
