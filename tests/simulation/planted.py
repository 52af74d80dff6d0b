"""Bugs, planted on purpose: each must make the simulation fail, or it proves nothing."""

from contextlib import contextmanager
from datetime import timedelta
from unittest.mock import patch

from rollback_responder import responder
from rollback_responder.actions.lambda_alias import LambdaAliasAction
from rollback_responder.domain import decision
from rollback_responder.domain.case import Case
from rollback_responder.domain.errors import ActionUnclear
from rollback_responder.domain.signal import AlarmState
from rollback_responder.journal.dynamodb import DynamoDbJournal
from tests.simulation import simulated
from tests.simulation.world import LambdaClient

ANYBODY = "attribute_exists(pk) OR attribute_not_exists(pk)"


@contextmanager
def drop_the_claim():
    """Whoever comes holds the service, whoever else does."""
    take = DynamoDbJournal._take

    def take_anyway(self, service, claim_id, until, _condition, *, may_act, **_more):
        condition = f"({ANYBODY}) OR claim_id = :id"
        return take(self, service, claim_id, until, condition, may_act=may_act)

    with patch.object(DynamoDbJournal, "_take", take_anyway):
        yield


@contextmanager
def retry_the_mutation():
    """No clear answer, so once more, whatever the revision."""
    move = LambdaAliasAction.move

    def move_again(self, target, order):
        try:
            return move(self, target, order)
        except ActionUnclear:
            seen = self.observe(target)
            again = type(order)(
                to_version=order.to_version,
                expected_revision=seen.revision,
                claim_id=order.claim_id,
            )
            return move(self, target, again)

    with patch.object(LambdaAliasAction, "move", move_again):
        yield


@contextmanager
def ask_the_gate_before_recovery():
    """The alarm is asked first; what an earlier attempt did is settled only if it still fires."""
    recovered = responder.recovered

    def later(case):
        firing = case.alarm is not None and case.alarm.state is AlarmState.ALARM
        return recovered(case) if firing and not case.switches.paused_by else None

    with patch.object(responder, "recovered", later):
        yield


@contextmanager
def go_to_the_highest_other_version():
    """The commonest bug of public handlers."""

    def highest(ledger, observation, never=()):
        known = {entry.version for entry in (*ledger.good, *ledger.bad)} - {observation.suspect}
        return max(known, key=int, default=None)

    with patch.object(decision, "way_back", highest):
        yield


@contextmanager
def forget_the_weights():
    """The version is moved, the canary's weights stay."""
    before = LambdaClient.__init__

    def init(self, world, service, model, operations):
        before(self, world, service, model, operations)
        update = self.update_alias

        def without(**parameters):
            parameters.pop("RoutingConfig")
            return update(**parameters)

        self.update_alias = without

    with patch.object(LambdaClient, "__init__", init):
        yield


@contextmanager
def skip_the_lease():
    """A claim may be taken over at once, and nobody remembers from whom."""
    with patch.object(simulated, "LEASE", timedelta(seconds=-1)), patch.object(Case, "lost", ()):
        yield


@contextmanager
def forget_lost_attempts():
    """What an attempt may still do is forgotten as soon as somebody has looked once."""
    lost = Case.lost

    def only_now(case):
        return tuple(a for a in lost.fget(case) if a.claim_id in case.inherited)

    with patch.object(Case, "lost", property(only_now)):
        yield


PLANTED = (
    drop_the_claim,
    retry_the_mutation,
    ask_the_gate_before_recovery,
    go_to_the_highest_other_version,
    forget_the_weights,
    skip_the_lease,
    forget_lost_attempts,
)
