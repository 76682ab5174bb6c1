"""Makes the program's other resources in the emulator: one function per resource type."""

from pathlib import Path

import pulumi

from referralctl.local.engine import EmulatedAws, Inputs, Made, Maker, tags_of


def _table(aws: EmulatedAws, _: str, inputs: Inputs) -> Made:
    dynamodb, table = aws.client("dynamodb"), inputs["name"]
    made = dynamodb.create_table(
        TableName=table,
        BillingMode=inputs["billingMode"],
        AttributeDefinitions=[
            {"AttributeName": attribute["name"], "AttributeType": attribute["type"]}
            for attribute in inputs["attributes"]
        ],
        KeySchema=[
            {"AttributeName": inputs["hashKey"], "KeyType": "HASH"},
            {"AttributeName": inputs["rangeKey"], "KeyType": "RANGE"},
        ],
        DeletionProtectionEnabled=inputs["deletionProtectionEnabled"],
        Tags=tags_of(inputs),
    )["TableDescription"]
    dynamodb.update_continuous_backups(
        TableName=table,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": inputs["pointInTimeRecovery"]["enabled"]},
    )
    return table, {"arn": made["TableArn"]}


def _log_group(aws: EmulatedAws, _: str, inputs: Inputs) -> Made:
    logs, group = aws.client("logs"), inputs["name"]
    logs.create_log_group(logGroupName=group, tags=inputs["tags"])
    logs.put_retention_policy(logGroupName=group, retentionInDays=int(inputs["retentionInDays"]))
    return group, {"arn": f"arn:aws:logs:{aws.region}:{aws.account_id}:log-group:{group}"}


def _sftp_server(aws: EmulatedAws, _: str, inputs: Inputs) -> Made:
    server_id = aws.client("transfer").create_server(
        Domain=inputs["domain"],
        Protocols=inputs["protocols"],
        EndpointType=inputs["endpointType"],
        IdentityProviderType=inputs["identityProviderType"],
        SecurityPolicyName=inputs["securityPolicyName"],
        S3StorageOptions={"DirectoryListingOptimization": inputs["s3StorageOptions"]["directoryListingOptimization"]},
        StructuredLogDestinations=inputs["structuredLogDestinations"],
        Tags=tags_of(inputs),
    )["ServerId"]
    # The emulator's listener says neither; `local up` asks it for both.
    return server_id, {
        "arn": f"arn:aws:transfer:{aws.region}:{aws.account_id}:server/{server_id}",
        "endpoint": f"{server_id}.server.transfer.{aws.region}.amazonaws.com",
        "hostKeyFingerprint": "",
    }


def _sftp_user(aws: EmulatedAws, _: str, inputs: Inputs) -> Made:
    mappings = inputs["homeDirectoryMappings"]
    aws.client("transfer").create_user(
        ServerId=inputs["serverId"],
        UserName=inputs["userName"],
        Role=inputs["role"],
        HomeDirectoryType=inputs["homeDirectoryType"],
        HomeDirectoryMappings=[{"Entry": mapping["entry"], "Target": mapping["target"]} for mapping in mappings],
        Tags=tags_of(inputs),
    )
    for mapping in mappings:
        # Listing optimisation makes a missing folder appear; the emulator has none, so it needs a marker.
        bucket, _, folder = mapping["target"].strip("/").partition("/")
        aws.client("s3").put_object(Bucket=bucket, Key=f"{folder}/")
    return f"{inputs['serverId']}/{inputs['userName']}", {}


def _ssh_key(aws: EmulatedAws, _: str, inputs: Inputs) -> Made:
    key_id = aws.client("transfer").import_ssh_public_key(
        ServerId=inputs["serverId"], UserName=inputs["userName"], SshPublicKeyBody=inputs["body"]
    )["SshPublicKeyId"]
    return key_id, {"sshKeyId": key_id}


def _role(aws: EmulatedAws, _: str, inputs: Inputs) -> Made:
    role = aws.client("iam").create_role(
        RoleName=inputs["name"], AssumeRolePolicyDocument=inputs["assumeRolePolicy"], Tags=tags_of(inputs)
    )["Role"]
    return role["RoleName"], {"arn": role["Arn"]}


def _role_policy(aws: EmulatedAws, _: str, inputs: Inputs) -> Made:
    aws.client("iam").put_role_policy(
        RoleName=inputs["role"], PolicyName=inputs["name"], PolicyDocument=inputs["policy"]
    )
    return f"{inputs['role']}:{inputs['name']}", {}


def _queue(aws: EmulatedAws, _: str, inputs: Inputs) -> Made:
    sqs = aws.client("sqs")
    url = sqs.create_queue(
        QueueName=inputs["name"],
        Attributes={
            "MessageRetentionPeriod": str(int(inputs["messageRetentionSeconds"])),
            "SqsManagedSseEnabled": str(inputs["sqsManagedSseEnabled"]).lower(),
        },
        tags=inputs["tags"],
    )["QueueUrl"]
    return url, {"url": url, "arn": f"arn:aws:sqs:{aws.region}:{aws.account_id}:{inputs['name']}"}


def _function(aws: EmulatedAws, _: str, inputs: Inputs) -> Made:
    archive: pulumi.FileArchive = inputs["code"]
    made = aws.client("lambda").create_function(
        FunctionName=inputs["name"],
        Role=inputs["role"],
        Runtime=inputs["runtime"],
        Architectures=inputs["architectures"],
        Handler=inputs["handler"],
        Code={"ZipFile": Path(archive.path).read_bytes()},
        MemorySize=int(inputs["memorySize"]),
        Timeout=int(inputs["timeout"]),
        Environment={"Variables": inputs["environment"]["variables"]},
        LoggingConfig={
            "LogFormat": inputs["loggingConfig"]["logFormat"],
            "LogGroup": inputs["loggingConfig"]["logGroup"],
        },
        Tags=inputs["tags"],
    )
    return inputs["name"], {"arn": made["FunctionArn"]}


def _invoke_config(aws: EmulatedAws, _: str, inputs: Inputs) -> Made:
    aws.client("lambda").put_function_event_invoke_config(
        FunctionName=inputs["functionName"],
        MaximumRetryAttempts=int(inputs["maximumRetryAttempts"]),
        MaximumEventAgeInSeconds=int(inputs["maximumEventAgeInSeconds"]),
        DestinationConfig={"OnFailure": {"Destination": inputs["destinationConfig"]["onFailure"]["destination"]}},
    )
    return inputs["functionName"], {}


def _schedule_group(aws: EmulatedAws, _: str, inputs: Inputs) -> Made:
    arn = aws.client("scheduler").create_schedule_group(Name=inputs["name"], Tags=tags_of(inputs))["ScheduleGroupArn"]
    return inputs["name"], {"arn": arn}


def _schedule(aws: EmulatedAws, _: str, inputs: Inputs) -> Made:
    target = inputs["target"]
    arn = aws.client("scheduler").create_schedule(
        Name=inputs["name"],
        GroupName=inputs["groupName"],
        Description=inputs["description"],
        ScheduleExpression=inputs["scheduleExpression"],
        ScheduleExpressionTimezone=inputs["scheduleExpressionTimezone"],
        FlexibleTimeWindow={"Mode": inputs["flexibleTimeWindow"]["mode"]},
        Target={
            "Arn": target["arn"],
            "RoleArn": target["roleArn"],
            "Input": target["input"],
            "RetryPolicy": {
                "MaximumEventAgeInSeconds": int(target["retryPolicy"]["maximumEventAgeInSeconds"]),
                "MaximumRetryAttempts": int(target["retryPolicy"]["maximumRetryAttempts"]),
            },
            "DeadLetterConfig": {"Arn": target["deadLetterConfig"]["arn"]},
        },
    )["ScheduleArn"]
    return f"{inputs['groupName']}/{inputs['name']}", {"arn": arn}


def _topic(aws: EmulatedAws, _: str, inputs: Inputs) -> Made:
    arn = aws.client("sns").create_topic(Name=inputs["name"], Tags=tags_of(inputs))["TopicArn"]
    return arn, {"arn": arn}


def _topic_policy(aws: EmulatedAws, _: str, inputs: Inputs) -> Made:
    aws.client("sns").set_topic_attributes(
        TopicArn=inputs["arn"], AttributeName="Policy", AttributeValue=inputs["policy"]
    )
    return inputs["arn"], {}


def _topic_subscription(aws: EmulatedAws, _: str, inputs: Inputs) -> Made:
    arn = aws.client("sns").subscribe(
        TopicArn=inputs["topic"],
        Protocol=inputs["protocol"],
        Endpoint=inputs["endpoint"],
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    return arn, {"arn": arn}


def _alarm(aws: EmulatedAws, _: str, inputs: Inputs) -> Made:
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName=inputs["name"],
        AlarmDescription=inputs["alarmDescription"],
        Namespace=inputs["namespace"],
        MetricName=inputs["metricName"],
        Dimensions=[{"Name": name, "Value": value} for name, value in inputs["dimensions"].items()],
        Statistic=inputs["statistic"],
        ComparisonOperator=inputs["comparisonOperator"],
        Threshold=inputs["threshold"],
        Period=int(inputs["period"]),
        EvaluationPeriods=int(inputs["evaluationPeriods"]),
        TreatMissingData=inputs["treatMissingData"],
        AlarmActions=inputs["alarmActions"],
        OKActions=inputs["okActions"],
        Tags=tags_of(inputs),
    )
    return inputs["name"], {"arn": f"arn:aws:cloudwatch:{aws.region}:{aws.account_id}:alarm:{inputs['name']}"}


MAKERS: dict[str, Maker] = {
    "aws:dynamodb/table:Table": _table,
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:cloudwatch/metricAlarm:MetricAlarm": _alarm,
    "aws:transfer/server:Server": _sftp_server,
    "aws:transfer/user:User": _sftp_user,
    "aws:transfer/sshKey:SshKey": _ssh_key,
    "aws:iam/role:Role": _role,
    "aws:iam/rolePolicy:RolePolicy": _role_policy,
    "aws:sqs/queue:Queue": _queue,
    "aws:lambda/function:Function": _function,
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": _invoke_config,
    "aws:scheduler/scheduleGroup:ScheduleGroup": _schedule_group,
    "aws:scheduler/schedule:Schedule": _schedule,
    "aws:sns/topic:Topic": _topic,
    "aws:sns/topicPolicy:TopicPolicy": _topic_policy,
    "aws:sns/topicSubscription:TopicSubscription": _topic_subscription,
}
