"""One history: what pipelines, people, alarms and queues do, until everything has come to rest."""

from collections import Counter
from datetime import timedelta

from rollback_responder.domain.errors import OrderRefused
from rollback_responder.domain.incident import OPEN
from rollback_responder.domain.leg import name_of
from rollback_responder.domain.order import Approve, Hold, RollBackNow, Undo
from rollback_responder.domain.release import (
    Good,
    Ledger,
    Observation,
    Origin,
    Release,
    seen,
    way_back,
)
from rollback_responder.domain.rollout import Phase
from rollback_responder.domain.signal import AlarmState
from rollback_responder.domain.target import LambdaAlias
from rollback_responder.journal.codec import decode_ledgers, encode_ledgers
from tests.simulation.shapes import policy_of, shape_of
from tests.simulation.simulated import CODEC, House, Minute, decode_incident, reading
from tests.simulation.world import MINUTE, REQUESTS_A_MINUTE, START, TABLE, World

# SQS hides a message that was taken for this long (`infra`: six times the timeout of `respond`).
HIDDEN = timedelta(seconds=180)
MOST_RECEIVES = 5
MOST_PROCESSES = 4
SHAPES = (
    ("alias",),
    ("alias",),
    ("group",),
    ("redeploy",),
    ("stack",),
    ("driven",),
    ("stacks",),
    ("alias", "stack"),
    ("group", "stacks"),
)
CANARY = "CodeDeployDefault.LambdaCanary10Percent5Minutes"


class Message:
    """One message in the queue of alarms."""

    __slots__ = ("alarm", "done", "receives", "visible_at")

    def __init__(self, alarm, visible_at):
        self.alarm, self.visible_at = alarm, visible_at
        self.receives, self.done = 0, False


class Site:
    """A service as the world sees it: what is live, what is bad."""

    def __init__(self, service, shape):
        self.service, self.shape, self.name = service, shape, service.name
        self.bad = {}
        self.bad_stacks = {}
        self.minutes = []
        self.alarm = None
        self.live_since = {}

    @property
    def function(self):
        return self.name


class Story:
    """One history of one policy."""

    def __init__(self, seed, fault_rate, *, shapes=None, policy=None):
        CODEC.forget()
        self.world = world = World(seed, fault_rate)
        draw = world.random
        if policy is None:
            policy = policy_of(
                shapes or SHAPES[draw.randrange(len(SHAPES))],
                budget=draw.choice((1, 10)),
                after_failure=draw.choice(("stop", "go_on")),
            )
        self.policy = policy
        self.house = House(world, self, policy)
        self.canary = CANARY
        self.queue, self.dead_letters = [], []
        self.alarms, self.sites = {}, {}
        self.undos = Counter()
        self.watch_missed = 0
        self.quiet = False
        self.next_minute = START + MINUTE
        for service in policy.services:
            self._settle(Site(service, shape_of(policy, service.name)))

    # -- how it begins ----------------------------------------------------------------------------

    def _settle(self, site):
        """A service that has run well for hours."""
        world, name = self.world, site.name
        self.sites[name] = site
        names = [w.alarm_name for w in self.policy.watched() if w.service.name == name]
        site.alarm = names[0]
        long_ago = START - timedelta(hours=3)
        self.alarms[site.alarm] = reading(AlarmState.OK, long_ago)
        if site.shape != "stacks":
            version = world.aliases.publish(name, f"{name} v1")
            world.aliases.point(name, "live", version)
            site.bad[version] = False
            self._write_ledger(site, version, long_ago)
        if site.shape in {"group", "redeploy", "driven"}:
            world.codedeploy.add_group("apps", name, function=name, alias="live")
        for target in site.service.targets:
            if target.kind == "cloudformation_stack":
                world.cloudformation.add_stack(target.stack, monitoring_minutes=1)
        for n in range(12, 0, -1):
            self._record(site, START - n * MINUTE)

    def _write_ledger(self, site, version, at):
        alias = self.world.aliases.get_alias(FunctionName=site.name, Name="live")
        ledger = seen(Ledger(), _observation(alias), at)
        release = Release(
            version=version,
            since_at=at,
            origin=Origin.FIRST_SEEN,
            whole_since_at=at,
            proven_at=at,
            code_sha256="sha-1",
        )
        ledger = Ledger(
            current=release,
            revision=ledger.revision,
            good=(Good(version=version, proven_at=at, code_sha256="sha-1"),),
        )
        target = LambdaAlias(function=site.name, alias="live").target_id
        self.world.dynamodb.put_item(
            TableName=TABLE,
            Item={
                "pk": {"S": f"service#{site.name}"},
                "sk": {"S": "row"},
                "ledgers": {"S": encode_ledgers({target: ledger})},
            },
        )

    # -- time -------------------------------------------------------------------------------------

    def advance(self, delta):
        """Time passes; at each full minute there are metrics, alarms and a round of the watcher."""
        until = self.world.now + delta
        while self.next_minute <= until:
            self.world.pass_time(self.next_minute - self.world.now)
            self._tick()
            for site in self.sites.values():
                self._record(site, self.next_minute - MINUTE)
                self._evaluate(site)
            self.next_minute += MINUTE
            self._spawn_watch()
        self.world.pass_time(until - self.world.now)
        self._tick()

    def _tick(self):
        self.world.codedeploy.tick()
        self.world.cloudformation.tick()

    def _record(self, site, start_at):
        if site.shape == "stacks":
            bad = any(site.bad_stacks.values())
            errors = REQUESTS_A_MINUTE // 2 if bad else 0
            site.minutes.append(Minute(start_at, {"-": (REQUESTS_A_MINUTE, errors)}))
            return
        aliases = self.world.aliases
        weights = dict(aliases.weights_of(site.name, "live"))
        primary = aliases.version_of(site.name, "live")
        versions, rest = {}, REQUESTS_A_MINUTE
        for version, weight in weights.items():
            count = max(12, round(REQUESTS_A_MINUTE * weight))
            versions[version] = count
            rest -= count
        versions[primary] = versions.get(primary, 0) + rest
        found = {v: (n, n * 6 // 10 if site.bad.get(v) else 0) for v, n in versions.items()}
        site.minutes.append(Minute(start_at, found))

    def _evaluate(self, site):
        """Two bad minutes fire the alarm, two good ones clear it; now and then it flaps."""
        latest = site.minutes[-2:]
        before = self.alarms.get(site.alarm)
        if before is None:
            return
        state = before.state
        if all(minute.is_bad for minute in latest):
            state = AlarmState.ALARM
        elif not any(minute.is_bad for minute in latest):
            state = AlarmState.OK
        draw = self.world.random
        if not self.quiet and draw.random() < 0.04:
            state = AlarmState.OK if state is AlarmState.ALARM else AlarmState.ALARM
        if state is not before.state:
            self._transition(site.alarm, state)

    def _transition(self, alarm, state):
        self.alarms[alarm] = reading(state, self.world.now)
        if state is not AlarmState.ALARM:
            return
        draw = self.world.random
        if self.quiet or draw.random() > 0.1:
            for _ in range(draw.choice((1, 1, 2, 3))):
                self.enqueue(alarm)

    def minutes_of(self, name):
        return self.sites[name].minutes[-40:]

    # -- the queue ------------------------------------------------------------------------------

    def enqueue(self, alarm):
        self.queue.append(Message(alarm, self.world.now))

    def deliver(self):
        """Hands out what is visible, as many at once as the function may run."""
        world = self.world
        self.queue = [m for m in self.queue if not m.done]
        for message in self.queue:
            if len(world.processes) >= MOST_PROCESSES:
                return
            if message.visible_at > world.now:
                continue
            if message.receives >= MOST_RECEIVES:
                message.done = True
                self.dead_letters.append(message)
                continue
            message.receives += 1
            message.visible_at = world.now + HIDDEN
            world.spawn("respond", lambda message=message: self.house.respond(message))

    def _spawn_watch(self):
        world = self.world
        if any(process.kind == "watch" for process in world.processes):
            self.watch_missed += 1
            return
        if self.quiet or world.random.random() < 0.9:
            world.spawn("watch", self.house.watch)

    def tell(self):
        if self.house.stream and not any(p.kind == "notify" for p in self.world.processes):
            self.world.spawn("notify", self.house.notify)

    # -- what others do -------------------------------------------------------------------------

    def deploy(self, site, *, bad):
        """A pipeline deploys, in the way of the service."""
        world = self.world
        if site.shape == "stacks":
            self._update_stacks(site, bad=bad)
            return
        version = world.aliases.publish(site.name, f"{site.name} {world.ids} {world.calls}")
        site.bad.setdefault(version, bad)
        if site.shape == "alias":
            canary = world.random.random() < 0.25 and not world.aliases.weights_of(
                site.name, "live"
            )
            if canary:
                primary = world.aliases.version_of(site.name, "live")
                world.aliases.point(site.name, "live", primary, {version: 0.5})
            else:
                world.aliases.point(site.name, "live", version)
            return
        if site.shape == "stack":
            self._update_stack(site, site.name, version)
            return
        self._begin_deployment(site, version)

    def _begin_deployment(self, site, version):
        world = self.world
        stack_id, creator = None, "user"
        group = world.codedeploy
        running = group.list_deployments(
            applicationName="apps",
            deploymentGroupName=site.name,
            includeOnlyStatuses=["Created", "Queued", "InProgress", "Baking", "Ready"],
        )["deployments"]
        if running:
            return
        if site.shape == "driven":
            stack = world.cloudformation.describe_stacks(StackName=site.name)["Stacks"][0]
            if not stack["StackStatus"].endswith("_COMPLETE"):
                return
            stack_id, creator = stack["StackId"], "CloudFormation"
            world.cloudformation.begin_update(site.name, seconds=900)
        deployment = group.deploy(
            "apps",
            site.name,
            target_version=version,
            creator=creator,
            external_id=stack_id,
            config=self.canary,
        )
        site.driving = deployment

    def unwind(self):
        """CloudFormation rolls its update back when the deployment that it drives was stopped."""
        for site in self.sites.values():
            deployment = getattr(site, "driving", None)
            if site.shape != "driven" or deployment is None:
                continue
            status = self.world.codedeploy.status_of(deployment)
            stack = self.world.cloudformation.status_of(site.name)
            if status in {"Stopped", "Failed"} and stack == "UPDATE_IN_PROGRESS":
                self.world.cloudformation.fail_update(site.name, ["Function"])
                site.driving = None

    def _update_stack(self, site, stack, version):
        world = self.world
        status = world.cloudformation.status_of(stack)
        if not status.endswith("_COMPLETE"):
            return
        before = world.aliases.version_of(site.name, "live")
        world.cloudformation.begin_update(
            stack,
            seconds=world.random.choice((60, 300, 900)),
            on_begin=lambda: world.aliases.point(site.name, "live", version),
            on_rollback=lambda: world.aliases.point(site.name, "live", before),
        )

    def _update_stacks(self, site, *, bad):
        world = self.world
        for target in site.service.targets:
            stack = target.stack
            if not world.cloudformation.status_of(stack).endswith("_COMPLETE"):
                continue
            if world.random.random() < 0.3:
                continue
            was = site.bad_stacks.get(stack, False)
            world.cloudformation.begin_update(
                stack,
                seconds=world.random.choice((60, 300, 900)),
                on_begin=lambda stack=stack: site.bad_stacks.__setitem__(stack, bad),
                on_rollback=lambda stack=stack, was=was: site.bad_stacks.__setitem__(stack, was),
            )

    def move_alias(self, site):
        """A person moves the alias to some version that is there."""
        world = self.world
        if site.shape == "stacks":
            return
        known = [v for v, sha in world.aliases._versions[site.name].items() if sha]
        if known:
            world.aliases.point(site.name, "live", world.random.choice(known))

    def delete_version(self, site):
        """A cleaner deletes a version that no alias uses."""
        world = self.world
        if site.shape == "stacks":
            return
        used = {
            world.aliases.version_of(site.name, "live"),
            *world.aliases.weights_of(site.name, "live"),
        }
        known = [v for v, sha in world.aliases._versions[site.name].items() if sha]
        free = [version for version in known if version not in used]
        if free:
            world.aliases.delete_version(site.name, world.random.choice(free))

    def say(self, site):
        """A person says something about the latest incident of a service."""
        row = self.world.dynamodb.get_item(
            TableName=TABLE, Key={"pk": {"S": f"service#{site.name}"}, "sk": {"S": "row"}}
        ).get("Item", {})
        kind = (Approve, Approve, Hold, Undo, Undo, None)[self.world.random.randrange(6)]
        incident = decode_incident(row["incident"]["S"]) if "incident" in row else None
        if kind and incident:
            order = kind(service=site.name, incident_id=incident.id, by="somebody")
        elif kind is None and "ledgers" in row:
            order = _rollback_order(self.policy, site.name, decode_ledgers(row["ledgers"]["S"]))
        else:
            order = None
        if order is None:
            return
        try:
            self.house.desk.take(order)
        except OrderRefused:
            return
        if kind is Undo:
            self.undos[incident.target.target_id, incident.release.version] += 1

    def flip_pause(self):
        """A person pauses the responder, or lets it go on."""
        world = self.world
        world.paused = not world.paused
        key = {"pk": {"S": "switches"}, "sk": {"S": "row"}}
        if world.paused:
            world.dynamodb.update_item(
                TableName=TABLE,
                Key=key,
                UpdateExpression="SET paused_by = :by",
                ExpressionAttributeValues={":by": {"S": "somebody"}},
            )
        else:
            world.dynamodb.update_item(
                TableName=TABLE, Key=key, UpdateExpression="REMOVE paused_by"
            )

    def break_rollbacks(self, site):
        """The next rollback of one of its stacks will fail; somebody mends that later."""
        stacks = [t.stack for t in site.service.targets if t.kind == "cloudformation_stack"]
        if stacks:
            stack = self.world.random.choice(stacks)
            self.world.cloudformation.fail_rollbacks(stack, ["Function"])

    def mend_rollbacks(self):
        for site in self.sites.values():
            for target in site.service.targets:
                if target.kind != "cloudformation_stack":
                    continue
                self.world.cloudformation.mend(target.stack)
                if (
                    self.quiet
                    and self.world.cloudformation.status_of(target.stack)
                    == "UPDATE_ROLLBACK_FAILED"
                ):
                    self.world.cloudformation.continue_update_rollback(StackName=target.stack)
                    self.world.cloudformation.continues.pop()

    # -- the play -------------------------------------------------------------------------------

    def play(self, steps=14):
        """The random part, then quiet until everything has come to rest."""
        draw = self.world.random
        sites = list(self.sites.values())
        if draw.random() < 0.85:
            self.deploy(sites[draw.randrange(len(sites))], bad=draw.random() < 0.85)
        for _ in range(steps):
            self._something(sites)
            self.advance(timedelta(seconds=draw.choice((5, 20, 40, 60, 90))))
            self.unwind()
            self.deliver()
            self.tell()
            self._let_run(draw)
        self.rest()

    def _let_run(self, draw):
        """Mostly everybody gets as far as they can; now and then time goes on over their heads."""
        steps = 400 if draw.random() < 0.8 else draw.randrange(20)
        for _ in range(steps):
            if not self.world.step():
                return

    def _something(self, sites):
        draw = self.world.random
        site = sites[draw.randrange(len(sites))]
        roll = draw.random()
        if roll < 0.10:
            self.deploy(site, bad=draw.random() < 0.6)
        elif roll < 0.13:
            self.move_alias(site)
        elif roll < 0.16:
            self.delete_version(site)
        elif roll < 0.19:
            self.flip_pause()
        elif roll < 0.21:
            self.break_rollbacks(site)
        elif roll < 0.23:
            self.mend_rollbacks()
        elif roll < 0.26:
            self.enqueue(draw.choice(("nobody's alarm", site.alarm)))
        elif roll < 0.32:
            self.say(site)

    def rest(self):
        """Faults stop, people go home, the pause is lifted, time passes."""
        self.world.fault_rate = 0
        self.quiet = True
        if self.world.paused:
            self.flip_pause()
        self.world.run()
        # A question waits for an hour, and may be asked at the very end of the random part.
        for minutes in (1, 1, 2, 3, *[5] * 7, *[10] * 5):
            self.mend_rollbacks()
            self._jump(minutes)
            self.unwind()
            for _ in range(3):
                self.deliver()
                self.tell()
                self.world.run()
            if minutes > 1 and self.is_at_rest():
                return

    def _jump(self, minutes):
        """Many minutes at once: all are measured, the watcher looks at the last."""
        for _ in range(minutes - 1):
            self.world.pass_time(self.next_minute - self.world.now)
            self._tick()
            for site in self.sites.values():
                self._record(site, self.next_minute - MINUTE)
                self._evaluate(site)
            self.next_minute += MINUTE
        self.advance(self.next_minute - self.world.now)

    def is_at_rest(self):
        """Nothing is queued, told, held or open any more."""
        if self.house.stream or any(not m.done for m in self.queue) or self.world.processes:
            return False
        return all(
            not item.get("claim_acts", {}).get("BOOL") and not _is_open(item)
            for item in self.world.dynamodb.items(TABLE)
        )


def _is_open(item):
    text = item.get("incident", {}).get("S")
    if text is None:
        return False
    last = text.rindex('"state":"')
    return any(text.startswith(f'"state":"{s}"', last) for s in OPEN_STATES)


OPEN_STATES = tuple(state.value for state in OPEN)


def _observation(alias):
    return Observation(
        primary=alias["FunctionVersion"], other=None, revision=alias["RevisionId"], marker=None
    )


def _rollback_order(policy, name, kept):
    """What a person who looks at the ledger would order: what is under way, else what is live."""
    entry = next(entry for entry in policy.watched() if entry.service.name == name)
    running = [
        f"{rollout.target_id} {revision.rpartition(' ')[0]}"
        for rollout in entry.service.rollouts
        if (revision := kept.get(rollout.target_id, Ledger()).revision)
        and revision.endswith(f" {Phase.RUNNING.value}")
    ]
    changes, back = tuple(running), None
    ledger = kept.get(entry.pointer.target_id) if entry.pointer else None
    if not running and ledger and ledger.current:
        live = Observation(primary=ledger.current.version, other=None, revision="", marker=None)
        changes = (name_of(entry.pointer, ledger.current.key),)
        back = way_back(ledger, live, frozenset())
    if not running and back is None:
        return None
    return RollBackNow(
        service=name,
        changes=changes,
        title="what is live",
        to_version=back,
        alarm_name=entry.alarm_name,
        by="somebody",
    )
