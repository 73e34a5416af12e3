"""CloudWatch, its logs, and SNS."""

from __future__ import annotations

from typing import Any

from local_cloud.deployed.resource import Made, Properties, ResourceType, document, lower_keys, tag_map, tags_of

__all__ = ["TYPES"]


class LogGroup(ResourceType):
    type = "AWS::Logs::LogGroup"
    tags = "list"
    name_property = "LogGroupName"
    name_limit = 512
    attributes = ("Arn",)
    replaced_by = frozenset({"LogGroupClass"})

    def create(self, name: str, properties: Properties) -> Made:
        beside = ("LogGroupName", "RetentionInDays", "Tags")
        request = lower_keys({key: value for key, value in properties.items() if key not in beside})
        logs = self.aws("logs")
        logs.create_log_group(logGroupName=name, tags=tag_map(properties), **request)
        self._keep(name, properties)
        return Made(name, {"Arn": f"{self._describe(name)['arn'].removesuffix(':*')}:*"})

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        self._keep(made.id, new)
        if tag_map(old) != tag_map(new):
            arn = made.attributes["Arn"].removesuffix(":*")
            self.aws("logs").untag_resource(resourceArn=arn, tagKeys=list(tag_map(old)))
            self.aws("logs").tag_resource(resourceArn=arn, tags=tag_map(new))
        return made

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("logs").delete_log_group(logGroupName=made.id)

    def _keep(self, name: str, properties: Properties) -> None:
        if days := properties.get("RetentionInDays"):
            self.aws("logs").put_retention_policy(logGroupName=name, retentionInDays=int(days))
        else:
            self.aws("logs").delete_retention_policy(logGroupName=name)

    def _describe(self, name: str) -> dict[str, Any]:
        groups = self.aws("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        found: dict[str, Any] = next(group for group in groups if group["logGroupName"] == name)
        return found


class MetricFilter(ResourceType):
    type = "AWS::Logs::MetricFilter"
    name_property = "FilterName"
    name_limit = 512
    replaced_by = frozenset({"LogGroupName"})

    def create(self, name: str, properties: Properties) -> Made:
        transformations = []
        for each in properties["MetricTransformations"]:
            dimensions = {"dimensions": {d["Key"]: d["Value"] for d in each.get("Dimensions", ())}}
            rest = lower_keys({key: value for key, value in each.items() if key != "Dimensions"})
            transformations.append({**rest, **(dimensions if dimensions["dimensions"] else {})})
        beside = ("FilterName", "MetricTransformations")
        request = lower_keys({key: value for key, value in properties.items() if key not in beside})
        self.aws("logs").put_metric_filter(filterName=name, metricTransformations=transformations, **request)
        return Made(name)

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        return self.create(made.id, new)

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("logs").delete_metric_filter(logGroupName=properties["LogGroupName"], filterName=made.id)


class LogsPolicy(ResourceType):
    type = "AWS::Logs::ResourcePolicy"
    name_property = "PolicyName"

    def create(self, name: str, properties: Properties) -> Made:
        content = document(properties["PolicyDocument"])
        self.aws("logs").put_resource_policy(policyName=name, policyDocument=content)
        return Made(name)

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        return self.create(made.id, new)

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("logs").delete_resource_policy(policyName=made.id)


class Alarm(ResourceType):
    type = "AWS::CloudWatch::Alarm"
    tags = "list"
    name_property = "AlarmName"
    name_limit = 255
    attributes = ("Arn",)

    def create(self, name: str, properties: Properties) -> Made:
        request = {key: _number(key, value) for key, value in properties.items()}
        client = self.aws("cloudwatch")
        client.put_metric_alarm(**{**request, "AlarmName": name, "Tags": tags_of(properties)})
        arn = client.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["AlarmArn"]
        return Made(name, {"Arn": arn})

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        return self.create(made.id, new)

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("cloudwatch").delete_alarms(AlarmNames=[made.id])


class CompositeAlarm(ResourceType):
    type = "AWS::CloudWatch::CompositeAlarm"
    name_property = "AlarmName"
    name_limit = 255
    attributes = ("Arn",)

    def create(self, name: str, properties: Properties) -> Made:
        client = self.aws("cloudwatch")
        client.put_composite_alarm(**{**properties, "AlarmName": name})
        alarms = client.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
        return Made(name, {"Arn": alarms[0]["AlarmArn"]})

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        return self.create(made.id, new)

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("cloudwatch").delete_alarms(AlarmNames=[made.id])


def _number(key: str, value: Any) -> Any:
    """CloudFormation takes a number in quotes for a number."""
    if key == "Threshold":
        return float(value)
    return int(value) if key in ("Period", "EvaluationPeriods", "DatapointsToAlarm") else value


class Dashboard(ResourceType):
    type = "AWS::CloudWatch::Dashboard"
    name_property = "DashboardName"
    name_limit = 255

    def create(self, name: str, properties: Properties) -> Made:
        self.aws("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=properties["DashboardBody"])
        return Made(name)

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        return self.create(made.id, new)

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("cloudwatch").delete_dashboards(DashboardNames=[made.id])


class Topic(ResourceType):
    type = "AWS::SNS::Topic"
    tags = "list"
    name_property = "TopicName"
    name_limit = 256
    attributes = ("TopicArn", "TopicName")

    def create(self, name: str, properties: Properties) -> Made:
        sns = self.aws("sns")
        beside = ("TopicName", "Subscription", "Tags")
        attributes = {key: _text(value) for key, value in properties.items() if key not in beside}
        arn = sns.create_topic(Name=name, Attributes=attributes, Tags=tags_of(properties))["TopicArn"]
        for each in properties.get("Subscription", ()):
            sns.subscribe(TopicArn=arn, Protocol=each["Protocol"], Endpoint=each["Endpoint"])
        return Made(arn, {"TopicArn": arn, "TopicName": name})

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        sns = self.aws("sns")
        for key in (old.keys() | new.keys()) - {"TopicName", "Subscription", "Tags"}:
            if old.get(key) != new.get(key):
                value = _text(new.get(key, ""))
                sns.set_topic_attributes(TopicArn=made.id, AttributeName=key, AttributeValue=value)
        if old.get("Subscription") != new.get("Subscription"):
            raise ValueError("subscriptions in the topic itself can't be changed here: use AWS::SNS::Subscription")
        if tags_of(old) != tags_of(new):
            sns.untag_resource(ResourceArn=made.id, TagKeys=list(tag_map(old)))
            sns.tag_resource(ResourceArn=made.id, Tags=tags_of(new))
        return made

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("sns").delete_topic(TopicArn=made.id)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else document(value)


class TopicPolicy(ResourceType):
    type = "AWS::SNS::TopicPolicy"
    replaced_by = frozenset({"Topics"})

    def create(self, name: str, properties: Properties) -> Made:
        content = document(properties["PolicyDocument"])
        for arn in properties["Topics"]:
            self.aws("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=content)
        return Made(name)

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        return self.create(made.id, new)

    def delete(self, made: Made, properties: Properties) -> None:
        """A topic's policy goes with the topic; AWS gives it the default one, which nothing here reads."""


class Subscription(ResourceType):
    type = "AWS::SNS::Subscription"
    always_replaced = True

    def create(self, name: str, properties: Properties) -> Made:
        given = {key: value for key, value in properties.items() if key in ("TopicArn", "Protocol", "Endpoint")}
        attributes = {key: _text(value) for key, value in properties.items() if key not in (*given, "Region")}
        answer = self.aws("sns").subscribe(**given, Attributes=attributes, ReturnSubscriptionArn=True)
        return Made(answer["SubscriptionArn"])

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("sns").unsubscribe(SubscriptionArn=made.id)


TYPES: tuple[type[ResourceType], ...] = (
    LogGroup,
    MetricFilter,
    LogsPolicy,
    Alarm,
    CompositeAlarm,
    Dashboard,
    Topic,
    TopicPolicy,
    Subscription,
)
