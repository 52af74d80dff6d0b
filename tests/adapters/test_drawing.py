"""The drawing: whatever the journal holds can be drawn, the same bytes for the same incident."""

import struct
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from house import House, policy_document
from rollback_responder.domain.incident import State
from rollback_responder.domain.measurement import Measurement
from rollback_responder.domain.metric import question_of
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.recording import record
from rollback_responder.domain.trigger import Anomaly, ErrorRate, MetricName
from rollback_responder.notifiers.picture import png_of, svg_of
from tests.builders import MINUTE, NOW, TARGET, an_incident, counted, leveled

ERRORS = question_of(ErrorRate(threshold_percent=5), TARGET)


def asking(question, total, **tracks):
    minutes = record(
        question, Measurement(since_at=NOW - 60 * MINUTE, read_at=NOW, total=total, **tracks)
    )
    return an_incident((State.ASKING, Reason.APPROVAL_NEEDED), minutes=minutes)


def size_of(png):
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", png[16:24])


@pytest.fixture(scope="module")
def incident():
    house = House(policy_document())
    house.deploy("v1")
    house.traffic(8, requests=20)
    house.deploy("v2", errors=0.6)
    house.traffic(8, requests=20)
    assert house.incident.state is State.FIXED
    return house.incident


def test_a_real_incident_is_drawn_for_a_phone_the_same_way_twice(incident):
    png = png_of(incident)

    assert size_of(png) == (1600, 900)
    assert png == png_of(incident)
    assert len(png) < 300_000


def test_a_report_gets_a_drawing_that_needs_nothing_from_outside(incident):
    svg = svg_of(incident)
    root = ET.fromstring(svg)  # noqa: S314 - our own

    assert root.tag.endswith("svg")
    assert svg == svg_of(incident)
    assert "http" not in svg.split("<defs>", 1)[1]
    assert "<script" not in svg


def test_no_name_is_taken_for_a_formula(incident):
    odd = replace(incident, service=r"$\frac{1}{0}$ & <b> \u202e")

    assert size_of(png_of(odd)) == (1600, 900)
    ET.fromstring(svg_of(odd))  # noqa: S314 - our own


PAIRS = st.one_of(
    st.none(), st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))
)


@settings(max_examples=15, deadline=None)
@given(st.lists(PAIRS, max_size=20), st.lists(PAIRS, max_size=10), st.lists(PAIRS, max_size=10))
def test_whatever_was_measured_can_be_drawn(total, new, previous):
    incident = asking(
        ERRORS,
        counted(*total, first=-20),
        new=counted(*new, first=-10),
        previous=counted(*previous, first=-15),
    )
    png = png_of(incident)

    assert png is None or size_of(png) == (1600, 900)


@pytest.mark.parametrize("limit", [4.0, None])
def test_a_band_is_drawn_with_and_without_what_it_learned(limit):
    metric = MetricName(namespace="Shop", name="Orders")
    band = question_of(Anomaly(name="orders", metric=metric, band_width=2), TARGET)

    assert png_of(asking(band, leveled(1.0, 9.0, 3.0, first=-3, limit=limit)))


def test_who_does_not_draw_does_not_load_what_draws():
    """notify tells most incidents without a picture; the second it takes to load is not theirs."""
    program = "import sys, rollback_responder.notifiers.telling as t; sys.exit('matplotlib' in sys.modules)"  # noqa: E501
    done = subprocess.run([sys.executable, "-c", program], cwd="functions", check=False)

    assert done.returncode == 0
