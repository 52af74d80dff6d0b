"""The shop's payment provider: a server of its own, which can be switched off."""

from local.loopback import LoopbackServer, Request, Response


class Payments:
    """Answers 200, or 503 while it is `down`."""

    def __init__(self) -> None:
        self.down = False
        self.server = LoopbackServer(self._answer)

    def _answer(self, _: Request) -> Response:
        status = 503 if self.down else 200
        return Response(status=status, content_type="text/plain", body=b"")
