"""What the deployed announcer tells of files, as a queue behind the bus hears it."""

import json
import uuid
from collections.abc import Collection
from functools import partial

from referral_delivery.watch.events import FileAvailable
from referralctl.local_system import session
from referralctl.stacks import Stack
from tests.stack.conftest import wait_for


class Told:
    """What the deployed announcer has told of files on the bus: their names by the events' ids."""

    def __init__(self, stack: Stack) -> None:
        assert stack.local is not None
        aws, name = session(stack.local), f"told-{uuid.uuid4().hex[:8]}"
        client = partial(aws.client, endpoint_url=stack.local["endpoint_url"])
        self._sqs, events = client("sqs"), client("events")
        self._url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = stack["alarm_topic_arn"].replace(":sns:", ":sqs:").rpartition(":")[0] + f":{name}"
        events.put_rule(Name=name, EventPattern=json.dumps({"detail-type": [FileAvailable.detail_type]}))
        events.put_targets(Rule=name, Targets=[{"Id": "told", "Arn": arn}])
        self._names: dict[str, str] = {}

    def wait_for(self, expected: dict[str, str]) -> None:
        """Until all of these were told, each under its id."""
        wait_for(lambda: expected.items() <= self._look().items(), seconds=120, what=f"{len(expected)} events")

    def unexpected(self, expected: dict[str, str], clients: Collection[str]) -> dict[str, str]:
        """What was told of these clients beside."""
        told = {id_: name for id_, name in self._look().items() if id_.split("/")[1] in clients}
        return {id_: name for id_, name in told.items() if expected.get(id_) != name}

    def _look(self) -> dict[str, str]:
        while found := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            for each in found:
                detail = json.loads(each["Body"])["detail"]
                assert self._names.setdefault(detail["id"], detail["file"]) == detail["file"], "one id, two files"
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=each["ReceiptHandle"])
        return self._names
