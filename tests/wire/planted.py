"""Faults of the product's own, planted on purpose: the matrix must find each of them."""

from rollback_responder import bootstrap, sdk
from rollback_responder.actions import refusal
from rollback_responder.domain.errors import ActionDenied
from rollback_responder.journal import notices


def acts_are_sent_again():
    """The SDK repeats what moves a target: it refuses itself, or does it twice."""
    bootstrap.ONCE = bootstrap.ONCE._replace(attempts=3)


def a_lost_reply_is_a_refusal():
    """What got no answer is taken for what was refused."""
    refusal.COMMON["ConnectionClosedError"] = ActionDenied


def half_an_answer_is_one():
    """What the SDK could not read is taken for what says nothing."""
    sdk.check_document = lambda *_, **__: None


def an_old_note_is_taken():
    """What arrives late overwrites what came after it."""
    plain = notices.DynamoDbNotices._update

    def record(self, incident_id, *, told, head):
        values = {":told": {"N": str(told)}, ":head": {"S": head}}
        plain(self, incident_id, "SET told = :told, head = :head", values)

    notices.DynamoDbNotices.record = record


# Each with a case that it ends otherwise.
PLANTED = {
    acts_are_sent_again: "alias: move | reply lost | one call",
    a_lost_reply_is_a_refusal: "deployment: stop | reply lost | one call",
    half_an_answer_is_one: "mute rules: respond | body too short | for ever",
    an_old_note_is_taken: "notice: record | time-out, applied late | one request",
}
