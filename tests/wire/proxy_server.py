"""The process of the proxy: microburst on a free port.

python -m tests.wire.proxy_server UPSTREAM    prints its port, serves until it is ended
"""

import asyncio
import logging
import sys

from aiohttp import web
from botocore.session import Session
from microburst.app import make_app
from microburst.core.pipeline import Microburst

# The services that are called.
SERVICES = (
    "cloudformation",
    "cloudwatch",
    "codedeploy",
    "dynamodb",
    "iam",
    "lambda",
    "secretsmanager",
    "sqs",
    "sts",
)


async def serve(upstream):
    logging.disable(logging.CRITICAL)
    # It looks for the host's name among the endpoints of all services, and reads each for it: 9 s.
    Session.get_available_services = lambda _: list(SERVICES)
    runner = web.AppRunner(make_app(Microburst(upstream, resign=False)), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)  # noqa: T201 - whoever started it reads this
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
