"""Envelopes: real ones are read the same from every way in, all else is a SignalError."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollback_responder import signals
from rollback_responder.domain.errors import SignalError
from rollback_responder.domain.signal import AlarmState, Signal
from rollback_responder.signals import wake
from rollback_responder.signals.text import LARGEST_BYTES

ACCOUNT, REGION = "111122223333", "us-east-1"
EVENTS = Path(__file__).resolve().parents[1] / "events"
GOOD, BAD = sorted((EVENTS / "good").glob("*.json")), sorted((EVENTS / "bad").glob("*.json"))


def case(path):
    return json.loads(path.read_text(encoding="utf-8"))


def parse(message):
    return signals.parse(message, account_id=ACCOUNT, region=REGION)


def ways_in(message):
    """As the event of a function, and as the body of a queue record, compact or not."""
    if isinstance(message, str):
        return [message]
    return [message, json.dumps(message), json.dumps(message, indent=4, ensure_ascii=False)]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_real_message_is_read_the_same_from_every_way_in(path):
    told = case(path)
    expected = Signal(
        alarm_name=told["expected"]["alarm_name"],
        account_id=ACCOUNT,
        region=REGION,
        state=AlarmState(told["expected"]["state"]),
        at=told["expected"]["at"] and datetime.fromisoformat(told["expected"]["at"]),
    )
    assert told["description"].endswith(".")
    assert [parse(message) for message in ways_in(told["message"])] == [expected] * 3


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_anything_else_is_refused_with_a_word_for_the_counter(path):
    told = case(path)
    assert told["description"].endswith(".")
    for message in ways_in(told["message"]):
        with pytest.raises(SignalError) as raised:
            parse(message)
        assert raised.value.reason == told["error"]
        assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("x" * (LARGEST_BYTES + 1), "too_large"),
        (json.dumps({"a": "x" * LARGEST_BYTES}), "too_large"),
        (json.dumps({"a": "x" * (LARGEST_BYTES - 20)}), "unknown_envelope"),
        ("[" * 500_000 + "]" * 500_000, "not_json"),
        ('{"a":' * 100_000, "not_json"),
        (json.dumps({"Type": "Notification", "Message": "[" * 500_000}), "not_json"),
        ("1" * 5000, "not_json"),
        ('{"Type": "Notification", "Message": NaN}', "wrong_field"),
        ("\ud800", "not_json"),
    ],
    ids=["1 MB", "large", "nearly large", "nested", "objects", "inside", "digits", "nan", "half"],
)
def test_size_and_depth_are_bounded(message, reason):
    with pytest.raises(SignalError) as raised:
        parse(message)

    assert raised.value.reason == reason
    assert len(str(raised.value)) < 400


def test_an_error_never_repeats_a_message_at_length():
    for name in ("AlarmArn", "NewStateValue", "StateChangeTime"):
        message = case(EVENTS / "good" / "sns_raw.json")["message"] | {name: "x" * 100_000}
        with pytest.raises(SignalError) as raised:
            parse(message)
        assert len(str(raised.value)) < 200


def test_the_watchers_wake_up_comes_back_as_it_was_sent():
    signal = parse(wake.body("a:b", account_id=ACCOUNT, region=REGION))

    assert (signal.alarm_name, signal.state, signal.at) == ("a:b", AlarmState.ALARM, None)


# -- whatever comes -------------------------------------------------------------------------------

KEYS = st.sampled_from(
    [
        "Type",
        "Sns",
        "Message",
        "AlarmArn",
        "NewStateValue",
        "StateChangeTime",
        "detail-type",
        "source",
        "account",
        "region",
        "resources",
        "detail",
        "state",
        "value",
        "timestamp",
        "alarmArn",
        "alarmData",
        "Records",
        "rollbackResponderLookAt",
        "alarm",
        "Notification",
    ]
) | st.text(max_size=5)
ARN = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:x"
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        [
            "Notification",
            "ALARM",
            "aws.cloudwatch",
            "CloudWatch Alarm State Change",
            ARN,
            ACCOUNT,
            "2026-11-22T04:11:05.123+0000",
            "0001-01-01T00:00:00+23:59",
            "{}",
            "[]",
        ]
    )
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=5)
        | inner.map(lambda value: json.dumps(value, default=str))
    ),
    max_leaves=12,
)


def only_signal_errors(message):
    try:
        signal = parse(message)
    except SignalError as error:
        words = error.reason
    else:
        assert (signal.account_id, signal.region) == (ACCOUNT, REGION)
        assert isinstance(signal.alarm_name, str)
        return
    assert words.replace("_", "").isalpha()


@given(JSON)
@settings(max_examples=1000)
def test_any_json_is_a_signal_or_a_signal_error(value):
    only_signal_errors(value)
    only_signal_errors(json.dumps(value))


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
@settings(max_examples=500)
def test_any_text_is_a_signal_or_a_signal_error(text):
    only_signal_errors(text)


MESSAGES = [case(path)["message"] for path in GOOD]


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, member in items:
        yield from places(member, (*path, key))


@given(st.sampled_from(MESSAGES), st.data(), JSON)
@settings(max_examples=1000)
def test_a_real_message_with_anything_anywhere_is_a_signal_or_a_signal_error(message, data, value):
    path = data.draw(st.sampled_from(list(places(message))))
    changed = json.loads(json.dumps(message))
    if path:
        place = changed
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
    only_signal_errors(changed if path else value)
