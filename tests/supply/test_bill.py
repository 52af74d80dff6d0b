"""The bills of materials name what is shipped, are valid, and are the same each time."""

import json
import tempfile

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from infra import package
from supply import audit, bill, licences


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The text of each bill, by asset."""
    return {
        path.name.partition(".")[0]: path.read_text()
        for path in bill.write(tmp_path_factory.mktemp("sbom"))
    }


@pytest.fixture(scope="module")
def bills(written):
    return {asset: json.loads(text) for asset, text in written.items()}


@pytest.mark.parametrize("asset", bill.ASSETS)
def test_a_bill_is_cyclonedx(written, asset):
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(written[asset]) is None


def test_the_validator_would_say_so():
    bad = json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{}]})
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bad) is not None


@pytest.mark.parametrize("asset", bill.ASSETS)
def test_a_bill_names_every_pin_and_no_other_package(bills, asset):
    named = {
        (bill._normal(each["name"]), each["version"])
        for each in bills[asset]["components"]
        if "purl" in each
    }
    assert named == audit.pins(bill.ASSETS[asset])


@pytest.mark.parametrize("asset", bill.ASSETS)
def test_everything_in_a_bill_hangs_together(bills, asset):
    links = {each["ref"]: each.get("dependsOn", []) for each in bills[asset]["dependencies"]}
    reached, left = set(), [bill.ROOT]
    while left:
        ref = left.pop()
        if ref not in reached:
            reached.add(ref)
            left += links[ref]
    assert reached - {bill.ROOT} == {each["bom-ref"] for each in bills[asset]["components"]}


def test_a_bill_tells_neither_when_nor_where_it_was_made(written):
    for text in written.values():
        assert not {"timestamp", "serialNumber"} & (
            json.loads(text)["metadata"].keys() | json.loads(text).keys()
        )
        assert str(package.PROJECT) not in text
        assert tempfile.gettempdir() not in text


def test_the_same_pins_give_the_same_bill(written):
    again = json.dumps(bill.bill("respond"), indent=2, sort_keys=True) + "\n"
    assert again == written["respond"]


def test_a_library_that_nobody_looked_up_is_refused(tmp_path):
    (tmp_path / "pillow.libs").mkdir()
    (tmp_path / "pillow.libs" / "libnew-1a2b3c4d.so.6").touch()
    with pytest.raises(bill.BillError, match=r"pillow\.libs/libnew.* does not know"):
        list(bill._beside(tmp_path))


@pytest.mark.parametrize("asset", bill.ASSETS)
def test_nothing_is_shipped_under_a_licence_that_is_not_on_the_list(bills, asset):
    assert licences.strangers(bills[asset]["components"]) == []


def test_every_licence_on_the_list_is_of_something_that_is_shipped(bills):
    found = {
        name
        for each in bills.values()
        for component in each["components"]
        for name in licences.names_of(component)
    }
    assert found == set(licences.SHIPPED)


@pytest.mark.parametrize(
    "licence",
    [
        [{"license": {"id": "AGPL-3.0-only"}}],
        [{"license": {"name": "a licence of our own"}}],
        [{"expression": "MIT AND (GPL-2.0-only OR MIT)"}],
        [{"license": {"id": "MIT"}}, {"license": {"id": "SSPL-1.0"}}],
        [],
    ],
)
def test_another_licence_or_none_is_a_stranger(licence):
    assert licences.strangers([{"name": "thing", "version": "1", "licenses": licence}])


def test_the_page_of_licences_is_up_to_date_with_what_is_shipped(bills):
    page = licences.PAGE.read_text()
    now = "\n".join(licences.of_shipped(bills)) + "\n"
    assert page.startswith(now), "run `make licences`"
    assert "cyclonedx-bom" in page.removeprefix(now)
