"""The bus of a round: the demo's, and what Lambda itself does between a source and a function.

The emulator's own event source mappings are switched off. They let a stream's failed records go,
which Lambda delivers again, and take no message from the queue while a record is told (observed
with ministack 1.5.33). Here both are as the Lambda developer guide says ("Using Lambda with Amazon
SQS", "Using Lambda with DynamoDB"): a message is deleted when the function has answered for it, and
is there again after its visibility timeout; a stream's records come in order, and again until they
are taken.

A bus can be broken off at any moment. What it was carrying it then forgets: the queue and the
stream have it still, an alarm that fires meanwhile is announced to nobody.
"""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local.delivery import EmulatorDelivery
from tests.parts.plan import WATCH

# After a failure Lambda waits before it reads a stream again, and longer each time.
PAUSE = timedelta(seconds=30)
# infra/responder.py and infra/notifier.py, which take seconds to import; a test compares.
BATCH, AT_ONCE = 10, 5
FAILURES = (ClientError, BotoCoreError)


def client(emulator, service):
    """A client that asks once, and waits for as long as a function may take."""
    return boto3.client(
        service,
        endpoint_url=emulator.url,
        region_name=emulator.region,
        aws_access_key_id=emulator.account,
        aws_secret_access_key="local",
        config=Config(
            read_timeout=120,
            retries={"total_max_attempts": 1},
            max_pool_connections=32,
            proxies={},
        ),
    )


class Stream:
    """A table's stream as it keeps its records, and how far Lambda has come; no bus ends it."""

    def __init__(self, arn):
        self.arn = arn
        self.records = []
        self.position = 0
        self.not_before = None
        self._iterator = None

    def read(self, streams):
        """Takes over what the emulator's stream holds; it would forget it with its process."""
        if self._iterator is None:
            shard = streams.describe_stream(StreamArn=self.arn)["StreamDescription"]["Shards"][0]
            self._iterator = streams.get_shard_iterator(
                StreamArn=self.arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
        answer = streams.get_records(ShardIterator=self._iterator)
        self._iterator = answer["NextShardIterator"]
        for record in answer["Records"]:
            image = record["dynamodb"].get("NewImage", {})
            if any("S" in image.get(kind, {}) for kind in ("incident", "said")):
                kept = {
                    side: record["dynamodb"][side]
                    for side in ("NewImage", "OldImage", "SequenceNumber")
                    if side in record["dynamodb"]
                }
                self.records.append({"dynamodb": kept})

    def begin_anew(self):
        """The emulator is another process: its stream is empty."""
        self._iterator = None

    def batch(self):
        return self.records[self.position : self.position + BATCH]


class Bus(EmulatorDelivery):
    """Carries events to the functions; a context manager.

    Attributes:
        copies: how often each message of the queue is delivered.
        watchers: how many watchers each event for the watcher wakes.
        dead: whether it was broken off.
    """

    def __init__(self, emulator, report, *, deployed, stream, clock):
        super().__init__(emulator, report)
        self._deployed, self._stream, self._clock = deployed, stream, clock
        self._sqs = client(emulator, "sqs")
        self._streams = client(emulator, "dynamodbstreams")
        self._lambda = client(emulator, "lambda")
        self._pool = ThreadPoolExecutor(max_workers=16)
        self._lock = threading.Lock()
        self._carrying = {"queue": 0, "stream": 0, "event": 0}
        self._later, self._deleted = [], set()
        self._found = True
        self.copies = self.watchers = 1
        self.dead = False
        self._broken = None

    def break_off(self):
        """Lets go of everything at once, and carries nothing any more."""
        with self._lock:
            self.dead = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def __exit__(self, kind, error, trace):
        self.break_off()
        self._pool.shutdown(wait=True)
        super().__exit__(kind, error, trace)
        for one in (self._sqs, self._streams, self._lambda):
            one.close()

    def invoke(self, arn, payload):
        """An asynchronous invocation, of two watchers where there are two; a throttle ends it."""
        name = arn.rpartition(":function:")[2] or arn
        copies = self.watchers if name == self._deployed.functions[WATCH] else 1
        for _ in range(copies):
            self._carry("event", self._call, name, payload)

    def pump(self):
        """Takes whatever is there to be carried."""
        if self.dead:
            return
        if self._broken is not None:
            raise self._broken
        self._stream.read(self._streams)
        self._pump_queue()
        self._pump_stream()

    def is_empty(self, *, but_stream=False):
        """Whether nothing is carried, nothing is waiting, and nothing was found at the last look.

        `but_stream` leaves out what is being told.
        """
        with self._lock:
            carrying = dict(self._carrying)
        waits = bool(self._stream.batch()) and not self._pauses()
        if but_stream:
            carrying["stream"], waits = 0, False
        return not any(carrying.values()) and not self._found and not waits

    def has_told_everything(self):
        return not self._stream.batch()

    # -- the queue --------------------------------------------------------------------------------

    def _pump_queue(self):
        now = self._clock.now()
        due = [one for one in self._later if one[0] <= now]
        self._later = [one for one in self._later if one[0] > now]
        for _, records in due:
            self._carry("queue", self._answer, records)
        if self._carrying["queue"] >= AT_ONCE:
            return
        taken = self._sqs.receive_message(
            QueueUrl=self._deployed.queue_url, MaxNumberOfMessages=BATCH
        ).get("Messages", [])
        self._found = bool(taken)
        if not taken:
            return
        records = [
            {"messageId": one["MessageId"], "body": one["Body"], "handle": one["ReceiptHandle"]}
            for one in taken
        ]
        # At least once: half of the copies at the same time, the others minutes later.
        for copy in range(self.copies):
            if copy % 2 == 0 and copy:
                self._later.append((now + copy * timedelta(minutes=1), records))
            else:
                self._carry("queue", self._answer, records)

    def _answer(self, records):
        payload = json.dumps(
            {"Records": [{k: r[k] for k in ("messageId", "body")} for r in records]}
        )
        answer = self._call(self._deployed.functions["respond"], payload)
        if answer is None or self.dead:
            return
        failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
        for record in records:
            with self._lock:
                done = record["messageId"] in failed or record["messageId"] in self._deleted
                if not done:
                    self._deleted.add(record["messageId"])
            if not done:
                self._sqs.delete_message(
                    QueueUrl=self._deployed.queue_url, ReceiptHandle=record["handle"]
                )

    # -- the stream -------------------------------------------------------------------------------

    def _pauses(self):
        return self._stream.not_before is not None and self._clock.now() < self._stream.not_before

    def _pump_stream(self):
        if self._carrying["stream"] or self._pauses():
            return
        if batch := self._stream.batch():
            self._carry("stream", self._tell, batch)

    def _tell(self, batch):
        answer = self._call(self._deployed.functions["notify"], json.dumps({"Records": batch}))
        if self.dead:
            return
        failed = None
        if answer is None:
            failed = batch[0]["dynamodb"]["SequenceNumber"]
        elif answer["batchItemFailures"]:
            failed = answer["batchItemFailures"][0]["itemIdentifier"]
        numbers = [one["dynamodb"]["SequenceNumber"] for one in batch]
        self._stream.position += numbers.index(failed) if failed else len(batch)
        self._stream.not_before = self._clock.now() + PAUSE if failed else None

    # -- a call -----------------------------------------------------------------------------------

    def _carry(self, what, carry, *arguments):
        with self._lock:
            if self.dead:
                return
            self._carrying[what] += 1

        def run():
            try:
                carry(*arguments)
            except Exception as error:  # noqa: BLE001 - raised again where it is pumped
                self._broken = error
            finally:
                with self._lock:
                    self._carrying[what] -= 1

        self._pool.submit(run)

    def _call(self, function, payload):
        """What a function answers; None where it was throttled, failed, or died."""
        try:
            answer = self._lambda.invoke(FunctionName=function, Payload=payload.encode())
            body = answer["Payload"].read()
        except FAILURES:
            return None
        return None if "FunctionError" in answer else json.loads(body)
