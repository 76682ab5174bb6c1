"""One maker for each type of resource that the Pulumi program has."""

from local_aws.errors import CannotMake
from local_aws.makers import (
    cloudwatch,
    dynamodb,
    events,
    iam,
    kms,
    lambda_,
    s3,
    s3_objects,
    scheduler,
    sns,
    sqs,
    transfer,
)
from local_aws.makers.maker import Maker

_MODULES = (cloudwatch, dynamodb, events, iam, kms, lambda_, s3, s3_objects, scheduler, sns, sqs, transfer)
MAKERS: dict[str, Maker] = {maker.type: maker for module in _MODULES for maker in module.MAKERS}


def maker_of(type_: str, name: str) -> Maker:
    """The maker of a type; CannotMake where there is none."""
    if type_ not in MAKERS:
        raise CannotMake(f"{type_} ({name}): nothing in local_aws/makers makes it; add a maker")
    return MAKERS[type_]
