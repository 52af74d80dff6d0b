"""One event, one message or many: each is answered, parked or tried again by itself."""

import json

import pytest
from hypothesis import given, settings

from rollback_responder import signals
from rollback_responder.domain.errors import (
    ActionUnclear,
    JournalError,
    QueueError,
    SignalError,
    TargetHeld,
)
from rollback_responder.handlers.batch import answer_all
from tests.unit.test_signals import ACCOUNT, JSON, REGION


class Hall:
    def __init__(self):
        self.answered, self.rejected = [], []

    def answer(self, message):
        errors = {
            "bad": SignalError("not_json", "x"),
            "held": TargetHeld("x"),
            "journal": JournalError("x"),
            "unclear": ActionUnclear("x"),
        }
        if error := errors.get(message):
            raise error
        self.answered.append(message)

    def reject(self, body, error):
        if body == '"unparkable"':
            raise QueueError("x")
        self.rejected.append((body, error.reason))


def records(*bodies):
    return {"Records": [{"messageId": f"m{i}", "body": body} for i, body in enumerate(bodies)]}


def failed(answer):
    return [item["itemIdentifier"] for item in answer["batchItemFailures"]]


def test_only_what_may_be_tried_again_comes_again():
    hall = Hall()
    event = records("good", "bad", "held", "good", "journal", "unclear", "bad")

    assert failed(answer_all(event, hall.answer, hall.reject)) == ["m2", "m4", "m5"]
    assert hall.answered == ["good", "good"]
    assert hall.rejected == [("bad", "not_json")] * 2


def test_a_message_that_cannot_be_parked_comes_again_and_holds_up_nobody():
    hall = Hall()

    def answer(message):
        if message == '"unparkable"':
            raise SignalError("not_json", "x")
        hall.answer(message)

    event = records('"unparkable"', "good")
    assert failed(answer_all(event, answer, hall.reject)) == ["m0"]
    assert hall.answered == ["good"]


def test_an_empty_batch_is_answered():
    assert answer_all({"Records": []}, Hall().answer, Hall().reject) == {"batchItemFailures": []}


def test_a_programming_error_is_not_swallowed():
    def broken(message):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        answer_all(records("x"), broken, Hall().reject)


@pytest.mark.parametrize("event", [{"alarmArn": "x"}, {"Records": [{"Sns": {}}]}])
def test_without_a_queue_a_failure_is_the_functions(event):
    def held(message):
        raise TargetHeld("x")

    with pytest.raises(TargetHeld):
        answer_all(event, held, Hall().reject)


def test_records_of_a_topic_are_answered_one_by_one():
    hall = Hall()
    answer_all({"Records": [{"Sns": {"Message": "{}"}}]}, hall.answered.append, None)

    assert hall.answered == [{"Sns": {"Message": "{}"}}]


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        7,
        "text",
        {},
        {"Records": None},
        {"Records": "x"},
        {"Records": [None]},
        {"Records": [7]},
        {"Records": [["body"]]},
        {"Records": [{"body": None, "messageId": "m"}]},
        {"Records": [{"body": {"a": 1}, "messageId": "m"}]},
        {"Records": [{"body": "{}"}]},
    ],
    ids=json.dumps,
)
def test_an_event_of_no_known_shape_is_parked(event):
    hall = Hall()

    answer = answer_all(event, _parse, hall.reject)

    assert len(hall.rejected) == 1
    assert answer in ({}, {"batchItemFailures": []})


def _parse(message):
    signals.parse(message, account_id=ACCOUNT, region=REGION)


@given(JSON)
@settings(max_examples=500)
def test_no_event_whatsoever_breaks_the_function(event):
    hall = Hall()
    answer_all(event, _parse, hall.reject)
    answer_all({"Records": [event]}, _parse, hall.reject)
    answer_all({"Records": [{"body": event, "messageId": "m"}]}, _parse, hall.reject)
    assert all(isinstance(body, str) for body, _ in hall.rejected)
