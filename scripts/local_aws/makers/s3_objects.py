"""Objects whose content the program gives."""

from collections.abc import Mapping
from typing import Any

from local_aws.account import Account, Inputs
from local_aws.makers.maker import Maker, Resource, split


class BucketObject(Maker):
    """One object; a change of it is put in its place."""

    type = "aws:s3/bucketObjectv2:BucketObjectv2"
    fixed = frozenset({"bucket", "key"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        rest, content = split(inputs, "content")
        aws.call("s3", "PutObject", {**rest, "body": content["content"].encode()})
        return Resource(self.id_of(aws, inputs), dict(inputs), {})

    def id_of(self, aws: Account, inputs: Inputs) -> str:
        return f"{inputs['bucket']}/{inputs['key']}"

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        return self.create(aws, "", inputs)

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("s3", "DeleteObject", self._place(old))

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        answer = aws.find("s3", "GetObject", self._place(old))
        if answer is None:
            return None
        return {"content": answer["Body"].read().decode(), "contentType": answer["ContentType"]}

    def _place(self, old: Resource) -> dict[str, Any]:
        return {name: old.inputs[name] for name in ("bucket", "key")}


MAKERS: list[Maker] = [BucketObject()]
