"""When and how metrics come. Source of all: Lambda developer guide, "Using Lambda metrics"."""

from datetime import timedelta
from itertools import pairwise

from conformance import making
from conformance.check import Check, Seen, Verdict, verdict
from conformance.lab import Lab
from conformance.making import Json

CALLS = 5
# As `guardrails.metric_lag_minutes` is, if the policy does not say otherwise.
LAG_SECONDS = 60
ROUNDS = 3


def total(lab: Lab, namespace: str, name: str, statistic: str, **dimensions: str) -> float:
    """The sum of a metric's last half-hour of minutes; 0 where there is none."""
    metric = {
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
    }
    now = lab.wall()
    answer = lab.clients("cloudwatch").get_metric_data(
        MetricDataQueries=[
            {"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": statistic}}
        ],
        StartTime=now - timedelta(minutes=30),
        EndTime=now + timedelta(minutes=1),
    )
    return float(sum(answer["MetricDataResults"][0]["Values"]))


def invocations(lab: Lab, function: str, **more: str) -> float:
    """How often the alias was called, as CloudWatch has it."""
    resource = f"{function}:live"
    dimensions = {"FunctionName": function, "Resource": resource, **more}
    return total(lab, "AWS/Lambda", "Invocations", "Sum", **dimensions)


class VersionOfAllTraffic(Check[Json]):
    """A4."""

    key = "A4"
    assumes = "`ExecutedVersion` metrics exist for the version that takes all traffic"
    source = "The guide names the dimension for aliases with weights only."
    does = f"An alias without weights is called {CALLS} times; both its series are asked for."
    meanwhile = "all traffic since the deploy stands in"
    makes = "a function with an alias, its role and log group"
    minutes = 12

    def create(self, lab: Lab) -> Json:
        return making.alias(lab, making.function(lab, "a4"))

    def observe(self, lab: Lab, made: Json) -> Seen:
        name = made["FunctionName"]
        for _ in range(CALLS):
            lab.clients("lambda").invoke(FunctionName=name, Qualifier="live")
        lab.until("the alias's metric", lambda: invocations(lab, name) or None, seconds=480)
        # What has a second dimension may come a little later.
        lab.sleep(120)
        version = invocations(lab, name, ExecutedVersion="1")
        return {"of_the_alias": invocations(lab, name), "of_its_version": version}

    def tell(self, seen: Seen) -> Verdict:
        return verdict(holds=seen["of_its_version"] == seen["of_the_alias"])


class MetricsComeSoon(Check[Json]):
    """A25."""

    key = "A25"
    assumes = "metrics arrive within a minute"
    source = 'The guide: "data in one-minute intervals"; when one arrives, it does not say.'
    does = f"{ROUNDS} times an alias is called, and its metric is asked for every five seconds."
    meanwhile = "`guardrails.metric_lag_minutes`; a young minute never counts as healthy"
    makes = "a function with an alias, its role and log group"
    minutes = 15

    def create(self, lab: Lab) -> Json:
        return making.alias(lab, making.function(lab, "a25"))

    def observe(self, lab: Lab, made: Json) -> Seen:
        name = made["FunctionName"]
        lags = []
        for _ in range(ROUNDS):
            before = invocations(lab, name)
            called = lab.wall()
            lab.clients("lambda").invoke(FunctionName=name, Qualifier="live")
            end = called.replace(second=0, microsecond=0) + timedelta(minutes=1)

            def more(before: float = before) -> bool | None:
                return invocations(lab, name) > before or None

            lab.until("the alias's metric", more, seconds=240)
            lags.append(max(0.0, (lab.wall() - end).total_seconds()))
        return {"seconds_after_the_minute": [round(lag) for lag in lags]}

    def tell(self, seen: Seen) -> Verdict:
        return verdict(holds=max(seen["seconds_after_the_minute"]) <= LAG_SECONDS)


class ApiCountsSamples(Check[tuple[str, str]]):
    """The denominator of an API's rate."""

    key = "api-count"
    assumes = "API Gateway's `Count` has one sample for each request"
    source = 'API Gateway developer guide, metrics: "SampleCount represents the total number".'
    does = f"A REST API that answers by itself is asked {CALLS} times; sum and samples are read."
    meanwhile = "only the denominator of a rate"
    makes = "a stack with a REST API without a back end"
    minutes = 12

    def create(self, lab: Lab) -> tuple[str, str]:
        api = lab.name("api")
        name = making.stack(lab, "api-count", _api(api))
        (shown,) = lab.clients("cloudformation").describe_stacks(StackName=name)["Stacks"]
        return api, str(shown["Outputs"][0]["OutputValue"])

    def observe(self, lab: Lab, made: tuple[str, str]) -> Seen:
        api, address = made
        for _ in range(CALLS):
            lab.fetch(address, None)

        def read(statistic: str) -> float:
            return total(lab, "AWS/ApiGateway", "Count", statistic, ApiName=api)

        def still() -> tuple[float, float] | None:
            """The same twice in a row: nothing more is on its way."""
            looks = []
            for _ in range(2):
                looks.append((read("Sum"), read("SampleCount")))
                lab.sleep(60)
            same = all(one == other for one, other in pairwise(looks))
            return looks[-1] if same and looks[-1] != (0, 0) else None

        total_sum, samples = lab.until("the API's metric", still, seconds=480)
        return {"requests": CALLS, "sum": total_sum, "samples": samples}

    def tell(self, seen: Seen) -> Verdict:
        if seen["samples"] < seen["requests"] == seen["sum"]:
            return Verdict.DOES_NOT_HOLD
        return verdict(holds=seen["samples"] == seen["requests"])


def _api(name: str) -> Json:
    method = {
        "RestApiId": {"Ref": "Api"},
        "ResourceId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
        "HttpMethod": "GET",
        "AuthorizationType": "NONE",
        "Integration": {
            "Type": "MOCK",
            "RequestTemplates": {"application/json": '{"statusCode": 200}'},
            "IntegrationResponses": [{"StatusCode": "200"}],
        },
        "MethodResponses": [{"StatusCode": "200"}],
    }
    address = "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/live/"
    return {
        "Resources": {
            "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": name}},
            "Method": {"Type": "AWS::ApiGateway::Method", "Properties": method},
            "Deployment": {
                "Type": "AWS::ApiGateway::Deployment",
                "DependsOn": "Method",
                "Properties": {"RestApiId": {"Ref": "Api"}, "StageName": "live"},
            },
        },
        "Outputs": {"Address": {"Value": {"Fn::Sub": address}}},
    }
