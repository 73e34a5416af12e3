"""A VPC and what belongs to it."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from local_cloud.deployed.resource import Made, Properties, ResourceType, document

__all__ = ["TYPES"]


class _Ec2(ResourceType):
    """A resource that `create_KIND` makes and `delete_KIND` removes; it is replaced when anything but tags changes."""

    tags: ClassVar[Literal["", "list", "map"]] = "list"
    kind = ""
    answer = ""
    """Where the answer of `create_KIND` has the description."""
    id_name = ""

    def create(self, name: str, properties: Properties) -> Made:
        request = {key: value for key, value in properties.items() if key != "Tags"}
        made = getattr(self.aws("ec2"), f"create_{self.kind}")(**request)
        found = self._made(made[self.answer] if self.answer else made)
        self._tag(found, properties)
        return found

    def _made(self, description: dict[str, Any]) -> Made:
        return Made(description[self.id_name], {key: description.get(key, "") for key in self.attributes})

    def replaces(self, old: Properties, new: Properties) -> bool:
        return {**old, "Tags": None} != {**new, "Tags": None}

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        self.aws("ec2").delete_tags(Resources=[made.id])
        self._tag(made, new)
        return made

    def delete(self, made: Made, properties: Properties) -> None:
        getattr(self.aws("ec2"), f"delete_{self.kind}")(**{self.id_name: made.id})

    def _tag(self, made: Made, properties: Properties) -> None:
        if tags := properties.get("Tags"):
            self.aws("ec2").create_tags(Resources=[made.id], Tags=tags)


class Vpc(_Ec2):
    type = "AWS::EC2::VPC"
    kind, answer, id_name = "vpc", "Vpc", "VpcId"
    attributes = ("VpcId", "CidrBlock", "DefaultSecurityGroup")

    def create(self, name: str, properties: Properties) -> Made:
        ec2 = self.aws("ec2")
        names = {"EnableDnsHostnames", "EnableDnsSupport"}
        made = super().create(name, {key: value for key, value in properties.items() if key not in names})
        for key in names & properties.keys():
            ec2.modify_vpc_attribute(VpcId=made.id, **{key: {"Value": properties[key]}})
        groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [made.id]}])["SecurityGroups"]
        return Made(made.id, {**made.attributes, "DefaultSecurityGroup": groups[0]["GroupId"]})


class Subnet(_Ec2):
    type = "AWS::EC2::Subnet"
    kind, answer, id_name = "subnet", "Subnet", "SubnetId"
    attributes = ("SubnetId", "AvailabilityZone", "CidrBlock", "VpcId")

    def create(self, name: str, properties: Properties) -> Made:
        public = properties.get("MapPublicIpOnLaunch")
        made = super().create(name, {key: value for key, value in properties.items() if key != "MapPublicIpOnLaunch"})
        if public is not None:
            self.aws("ec2").modify_subnet_attribute(SubnetId=made.id, MapPublicIpOnLaunch={"Value": public})
        return made


class RouteTable(_Ec2):
    type = "AWS::EC2::RouteTable"
    kind, answer, id_name = "route_table", "RouteTable", "RouteTableId"
    attributes = ("RouteTableId",)


class InternetGateway(_Ec2):
    type = "AWS::EC2::InternetGateway"
    kind, answer, id_name = "internet_gateway", "InternetGateway", "InternetGatewayId"
    attributes = ("InternetGatewayId",)


class NatGateway(_Ec2):
    type = "AWS::EC2::NatGateway"
    kind, answer, id_name = "nat_gateway", "NatGateway", "NatGatewayId"
    attributes = ("NatGatewayId",)


class Route(_Ec2):
    type = "AWS::EC2::Route"
    kind = "route"
    tags = ""

    def _made(self, description: dict[str, Any]) -> Made:
        return Made("route")

    def delete(self, made: Made, properties: Properties) -> None:
        given = {key: value for key, value in properties.items() if key in ("RouteTableId", "DestinationCidrBlock")}
        self.aws("ec2").delete_route(**given)


class SubnetRouteTableAssociation(_Ec2):
    type = "AWS::EC2::SubnetRouteTableAssociation"
    tags = ""
    attributes = ("Id",)

    def create(self, name: str, properties: Properties) -> Made:
        made = self.aws("ec2").associate_route_table(**properties)["AssociationId"]
        return Made(made, {"Id": made})

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("ec2").disassociate_route_table(AssociationId=made.id)


class GatewayAttachment(_Ec2):
    type = "AWS::EC2::VPCGatewayAttachment"
    tags = ""

    def create(self, name: str, properties: Properties) -> Made:
        self.aws("ec2").attach_internet_gateway(**properties)
        return Made(f"IGW|{properties['VpcId']}")

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("ec2").detach_internet_gateway(**properties)


class Address(_Ec2):
    type = "AWS::EC2::EIP"
    attributes = ("AllocationId", "PublicIp")

    def create(self, name: str, properties: Properties) -> Made:
        made = self.aws("ec2").allocate_address(**{key: value for key, value in properties.items() if key != "Tags"})
        found = Made(made["PublicIp"], {key: made[key] for key in self.attributes})
        if tags := properties.get("Tags"):
            self.aws("ec2").create_tags(Resources=[made["AllocationId"]], Tags=tags)
        return found

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("ec2").release_address(AllocationId=made.attributes["AllocationId"])


class SecurityGroup(_Ec2):
    type = "AWS::EC2::SecurityGroup"
    name_property = "GroupName"
    name_limit = 255
    attributes = ("GroupId", "VpcId")

    def create(self, name: str, properties: Properties) -> Made:
        ec2, vpc = self.aws("ec2"), properties["VpcId"]
        made = ec2.create_security_group(GroupName=name, Description=properties["GroupDescription"], VpcId=vpc)
        group = Made(made["GroupId"], {"GroupId": made["GroupId"], "VpcId": vpc})
        if out := properties.get("SecurityGroupEgress"):
            standing = ec2.describe_security_groups(GroupIds=[group.id])["SecurityGroups"][0]["IpPermissionsEgress"]
            ec2.revoke_security_group_egress(GroupId=group.id, IpPermissions=standing)
            ec2.authorize_security_group_egress(GroupId=group.id, IpPermissions=[_permission(each) for each in out])
        if into := properties.get("SecurityGroupIngress"):
            ec2.authorize_security_group_ingress(GroupId=group.id, IpPermissions=[_permission(each) for each in into])
        self._tag(group, properties)
        return group

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("ec2").delete_security_group(GroupId=made.id)


class _Rule(_Ec2):
    """A rule that stands beside its group."""

    tags = ""
    direction = ""

    def create(self, name: str, properties: Properties) -> Made:
        allow = getattr(self.aws("ec2"), f"authorize_security_group_{self.direction}")
        allow(GroupId=properties["GroupId"], IpPermissions=[_permission(properties)])
        return Made(name)

    def delete(self, made: Made, properties: Properties) -> None:
        revoke = getattr(self.aws("ec2"), f"revoke_security_group_{self.direction}")
        revoke(GroupId=properties["GroupId"], IpPermissions=[_permission(properties)])


class Ingress(_Rule):
    type = "AWS::EC2::SecurityGroupIngress"
    direction = "ingress"


class Egress(_Rule):
    type = "AWS::EC2::SecurityGroupEgress"
    direction = "egress"


def _permission(rule: Properties) -> dict[str, Any]:
    """A rule as EC2's API has it."""
    words = {"Description": rule["Description"]} if "Description" in rule else {}
    made: dict[str, Any] = {"IpProtocol": str(rule["IpProtocol"])}
    made |= {key: int(rule[key]) for key in ("FromPort", "ToPort") if key in rule}
    other = rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId")
    if "CidrIp" in rule:
        made["IpRanges"] = [{"CidrIp": rule["CidrIp"], **words}]
    if other:
        made["UserIdGroupPairs"] = [{"GroupId": other, **words}]
    return made


class Endpoint(_Ec2):
    type = "AWS::EC2::VPCEndpoint"
    kind, answer, id_name = "vpc_endpoint", "VpcEndpoint", "VpcEndpointId"

    def create(self, name: str, properties: Properties) -> Made:
        request = dict(properties)
        if "PolicyDocument" in request:
            request["PolicyDocument"] = document(request["PolicyDocument"])
        return super().create(name, request)

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("ec2").delete_vpc_endpoints(VpcEndpointIds=[made.id])


class FlowLog(_Ec2):
    type = "AWS::EC2::FlowLog"
    attributes = ("Id",)

    def create(self, name: str, properties: Properties) -> Made:
        beside = ("ResourceId", "Tags")
        request = {key: value for key, value in properties.items() if key not in beside}
        answer = self.aws("ec2").create_flow_logs(ResourceIds=[properties["ResourceId"]], **request)
        if refused := answer.get("Unsuccessful"):
            raise ValueError(f"the flow log was refused: {refused}")
        [made] = answer["FlowLogIds"]
        found = Made(made, {"Id": made})
        self._tag(found, properties)
        return found

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("ec2").delete_flow_logs(FlowLogIds=[made.id])


TYPES: tuple[type[ResourceType], ...] = (
    Vpc,
    Subnet,
    RouteTable,
    SubnetRouteTableAssociation,
    InternetGateway,
    GatewayAttachment,
    Address,
    NatGateway,
    Route,
    SecurityGroup,
    Ingress,
    Egress,
    Endpoint,
    FlowLog,
)
