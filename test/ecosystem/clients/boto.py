"""Calls Lambda's API with boto3 as the command line's JSON asks, one call after another; prints what each gave."""

import json
import sys

import boto3
import botocore.config
import botocore.exceptions

url, calls = sys.argv[1], json.loads(sys.argv[2])
config = botocore.config.Config(retries={"total_max_attempts": 1})
client = boto3.client("lambda", endpoint_url=url, config=config)
for call in calls:
    try:
        answer = client.invoke(**call)
        said = {
            "status": answer["StatusCode"],
            "error": answer.get("FunctionError"),
            "version": answer.get("ExecutedVersion"),
            "log": answer.get("LogResult"),
            "payload": answer["Payload"].read().decode(),
        }
    except botocore.exceptions.ClientError as error:
        said = {"status": error.response["ResponseMetadata"]["HTTPStatusCode"], "refused": error.response["Error"]["Code"]}
    print(json.dumps(said))
