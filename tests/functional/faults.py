"""What can go wrong at a call, and a minute of operations in which it may.

`house.fault` sees every call of an AWS client and of the journal. A fault is put in front of one
call; `Operations` then plays queue, redelivery and watcher, as AWS would.
"""

from collections import deque

from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    ReadTimeoutError,
)

from house import ACCOUNT, MINUTE, REGION
from rollback_responder.domain.errors import JournalError, RollbackError, SignalError
from rollback_responder.domain.signal import AlarmState, Signal

ENDPOINT = "https://lambda.us-east-1.amazonaws.com"
MOST_RECEIVES = 5


class Died(BaseException):
    """The process ended here, without a word: a timeout, a crash, a lost machine."""


def client_error(code, operation="UpdateAlias"):
    return ClientError({"Error": {"Code": code, "Message": "arn:aws:secret"}}, operation)


def connection_closed():
    return ConnectionClosedError(endpoint_url=ENDPOINT)


def read_timeout():
    return ReadTimeoutError(endpoint_url=ENDPOINT)


def connect_timeout():
    return ConnectTimeoutError(endpoint_url=ENDPOINT)


def refuse(error):
    """The call is not made."""

    def effect(answer):
        raise error

    return effect


def lose(error):
    """The call is made and its reply is lost."""

    def effect(answer):
        answer()
        raise error

    return effect


def before(action):
    """Something else happens just before the call."""

    def effect(answer):
        action()
        return answer()

    return effect


def after(action):
    """Something else happens just after the call."""

    def effect(answer):
        response = answer()
        action()
        return response

    return effect


def on(house, operation, effect, *, times=1, skip=0):
    """Lets the next calls of an operation meet `effect`; other faults stay as they are."""
    left, skipped, earlier = times, skip, house.fault

    def fault(name, answer):
        nonlocal left, skipped
        if name != operation or left <= 0:
            return earlier(name, answer)
        if skipped > 0:
            skipped -= 1
            return earlier(name, answer)
        left -= 1
        return effect(lambda: earlier(name, answer))

    house.fault = fault


class Operations:
    """Queue, redelivery, dead letters and the watcher, around a house.

    Every transition to ALARM is delivered `copies` times; what fails is delivered again each
    minute, five times at most. `hear` False loses every message, `watch` False stops the watcher.
    """

    def __init__(self, house, *, copies=1, hear=True, watch=True):
        self.house, self.copies, self.hear, self.watch = house, copies, hear, watch
        self.queue = deque()
        self.dead = []
        self.deaths = 0
        self.problems = []
        house.watcher._wake = self._wake
        house.cloudwatch.listener = self._heard

    def _wake(self, alarm_name):
        self.queue.append((alarm_name, 1))

    def _heard(self, transition):
        if self.hear and transition.current.value.value == "ALARM":
            self.queue.extend([(transition.alarm.name, 1)] * self.copies)
        return ()

    def pass_minutes(self, minutes, *, requests=24):
        for _ in range(minutes):
            self.house.traffic(1, requests=requests, watch=False)
            self.deliver()
            if self.watch:
                self.look()
                self.deliver()

    def deliver(self):
        for _ in range(len(self.queue)):
            alarm_name, receives = self.queue.popleft()
            try:
                self.house.respond(alarm_name)
            except SignalError as error:
                self.dead.append(error)
            except (RollbackError, Died) as error:
                self.deaths += isinstance(error, Died)
                if receives < MOST_RECEIVES:
                    self.queue.append((alarm_name, receives + 1))
                else:
                    self.dead.append(error)

    def look(self):
        try:
            self.problems += self.house.watcher.watch().problems
        except (RollbackError, Died) as error:
            self.deaths += isinstance(error, Died)
            self.problems.append(str(error))


JOURNAL = {"claim", "close", "keep", "rows", "set_aside", "give_back"}


def of_the_journal(make):
    """The journal's own error, where a fault meets one of its methods."""
    return lambda name: JournalError("no answer") if name in JOURNAL else make()


FAULTS = {
    "dies before": lambda name: refuse(Died()),
    "dies after": lambda name: lose(Died()),
    "reply lost": lambda name: lose(of_the_journal(connection_closed)(name)),
    "never arrived": lambda name: refuse(of_the_journal(connect_timeout)(name)),
    "throttled": lambda name: refuse(
        of_the_journal(lambda: client_error("ThrottlingException", name))(name)
    ),
}


def meet(house, faults):
    """Lets the calls of these numbers, counted from now, meet these faults; returns who met one."""
    house.calls.clear()
    met = []

    def fault(name, answer):
        number = len(house.calls) - 1
        if number not in faults:
            return answer()
        met.append((name, faults[number]))
        return FAULTS[faults[number]](name)(answer)

    house.fault = fault
    return met


def signal_of(alarm_name, state=AlarmState.ALARM, at=None):
    return Signal(alarm_name=alarm_name, account_id=ACCOUNT, region=REGION, state=state, at=at)


def healthy_v1(house, minutes=8, *, requests=12):
    """A first version that proved itself; returns the house.

    The watcher looks when it comes, and when it has proved itself.
    """
    house.deploy("v1")
    house.traffic(1, requests=requests)
    house.traffic(minutes - 2, requests=requests, watch=False)
    house.traffic(1, requests=requests)
    return house


__all__ = ["FAULTS", "MINUTE", "Died", "Operations"]
