"""What Lambda does with an alias. Source of all: Lambda API reference, UpdateAlias and GetAlias."""

from conformance import making
from conformance.check import Check, Seen, Verdict, verdict
from conformance.lab import Lab
from conformance.making import Json

MAKES = "a function with two or three versions and an alias, its role and log group"
STALE = "00000000-0000-4000-8000-000000000000"


class _Alias(Check[Json]):
    makes = MAKES
    minutes = 3

    def create(self, lab: Lab) -> Json:
        name = making.function(lab, self.key.lower())
        making.publish(lab, name, "second")
        return making.alias(lab, name)


class WeightsStay(_Alias):
    """A1."""

    key = "A1"
    assumes = "`UpdateAlias` without weights keeps old ones"
    source = "The API reference does not say it; the guide's example sends empty weights along."
    does = "An alias at 1 with a tenth on 2 is moved to 3, without a word of weights, and read."
    meanwhile = "empty weights are always sent"

    def create(self, lab: Lab) -> Json:
        live = super().create(lab)
        making.publish(lab, live["FunctionName"], "third")
        return live

    def observe(self, lab: Lab, made: Json) -> Seen:
        client = lab.clients("lambda")
        tenth = {"AdditionalVersionWeights": {"2": 0.1}}
        client.update_alias(**made, RoutingConfig=tenth)
        client.update_alias(**made, FunctionVersion="3")
        shown = client.get_alias(**made)
        weights = shown.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        return {"version": shown["FunctionVersion"], "weights": dict(weights)}

    def tell(self, seen: Seen) -> Verdict:
        return verdict(holds=seen["version"] == "3" and seen["weights"] == {"2": 0.1})


class RevisionBeforeVersion(_Alias):
    """A3."""

    key = "A3"
    assumes = "`UpdateAlias` looks at the revision before it looks for the version (A3)"
    source = "The order is not documented."
    does = "An alias is moved to a version that does not exist, with a revision that is stale."
    meanwhile = "a lost attempt is remembered, whatever a later one is answered (decision 10)"

    def observe(self, lab: Lab, made: Json) -> Seen:
        client = lab.clients("lambda")

        def both_wrong() -> None:
            client.update_alias(**made, FunctionVersion="99", RevisionId=STALE)

        return {"answer": making.answer(both_wrong)}

    def tell(self, seen: Seen) -> Verdict:
        if seen["answer"] == "PreconditionFailedException":
            return Verdict.HOLDS
        return Verdict.DOES_NOT_HOLD


class RevisionChanges(_Alias):
    """The compare-and-set rests on it."""

    key = "revision"
    assumes = "the `RevisionId` of an alias changes with every change of it, of its weights as well"
    source = 'API reference, RevisionId: "a unique identifier that changes when you update".'
    does = (
        "Weights, version and description are changed in turn; then a move has the first revision."
    )
    meanwhile = "the watcher's look each minute is all that else would tell"

    def observe(self, lab: Lab, made: Json) -> Seen:
        client = lab.clients("lambda")
        first = client.get_alias(**made)["RevisionId"]
        revisions = [first]
        changes: tuple[Json, ...] = (
            {"RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1}}},
            {"RoutingConfig": {"AdditionalVersionWeights": {"2": 0.2}}},
            {"RoutingConfig": {"AdditionalVersionWeights": {}}},
            {"FunctionVersion": "2"},
            {"Description": "changed"},
        )
        for change in changes:
            client.update_alias(**made, **change)
            revisions.append(client.get_alias(**made)["RevisionId"])

        def stale() -> None:
            client.update_alias(**made, FunctionVersion="1", RevisionId=first)

        return {"revisions": revisions, "stale": making.answer(stale)}

    def tell(self, seen: Seen) -> Verdict:
        unlike = len(set(seen["revisions"])) == len(seen["revisions"])
        return verdict(holds=unlike and seen["stale"] == "PreconditionFailedException")


class DescriptionStays(_Alias):
    """The mark of a rollback is in the description."""

    key = "description"
    assumes = "an update that does not mention the description keeps it"
    source = "The API reference does not say it."
    does = "An alias with a description is moved without one, and read."
    meanwhile = "the mark also names the version it put there"

    def observe(self, lab: Lab, made: Json) -> Seen:
        client = lab.clients("lambda")
        client.update_alias(**made, Description="a mark")
        client.update_alias(**made, FunctionVersion="2")
        shown = client.get_alias(**made)
        return {"version": shown["FunctionVersion"], "description": shown.get("Description", "")}

    def tell(self, seen: Seen) -> Verdict:
        return verdict(holds=seen["version"] == "2" and seen["description"] == "a mark")
