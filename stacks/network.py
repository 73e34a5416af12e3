"""Where the functions run: outside any VPC, in a new one, or in one that exists."""

from __future__ import annotations

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from stacks.logs import log_group
from stacks.policies import acknowledge
from stacks.settings import EnvironmentSettings, ExistingVpc, NewVpc

__all__ = ["Network"]

_TLS = ec2.Port.tcp(443)
_INTERFACE_ENDPOINTS = {
    "StepFunctions": ec2.InterfaceVpcEndpointAwsService.STEP_FUNCTIONS,
    "SecretsManager": ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
    "Sqs": ec2.InterfaceVpcEndpointAwsService.SQS,
    "EventBridge": ec2.InterfaceVpcEndpointAwsService.EVENTBRIDGE,
}
"""The services that functions call. Lambda delivers logs and traces itself, so those need no endpoint."""


class Network(Construct):
    """`vpc` and `security_groups` of the functions; None and empty when they run outside a VPC."""

    def __init__(self, scope: Construct, id: str, *, settings: EnvironmentSettings) -> None:
        super().__init__(scope, id)
        self.vpc: ec2.IVpc | None = None
        self.security_groups: list[ec2.ISecurityGroup] = []
        if isinstance(settings.vpc, NewVpc):
            vpc = self._created(settings.vpc, settings.environment)
            self._use(vpc)
            self._add_endpoints(vpc)
        elif isinstance(settings.vpc, ExistingVpc):
            self._use(self._described(settings.vpc))

    def _use(self, vpc: ec2.IVpc) -> None:
        group = ec2.SecurityGroup(
            self, "Functions", vpc=vpc, description="Functions of the video production", allow_all_outbound=False
        )
        group.add_egress_rule(ec2.Peer.any_ipv4(), _TLS, "AWS, providers and callbacks over TLS")
        self.vpc, self.security_groups = vpc, [group]

    def _created(self, settings: NewVpc, environment: str) -> ec2.Vpc:
        vpc = ec2.Vpc(
            self,
            "Vpc",
            vpc_name=f"jiki-video-{environment}",
            ip_addresses=ec2.IpAddresses.cidr(settings.cidr),
            availability_zones=list(settings.zones),
            nat_gateways=settings.nat_gateways,
            restrict_default_security_group=False,  # it would take a custom resource with a function of its own
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=27, map_public_ip_on_launch=False
                ),
                ec2.SubnetConfiguration(name="functions", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=26),
            ],
        )
        flows = log_group(self, "FlowLogs", f"/aws/vendedlogs/vpc/jiki-video-{environment}")
        vpc.add_flow_log("Flows", destination=ec2.FlowLogDestination.to_cloud_watch_logs(flows))
        return vpc

    def _add_endpoints(self, vpc: ec2.Vpc) -> None:
        vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        vpc.add_gateway_endpoint("DynamoDb", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)
        group = ec2.SecurityGroup(
            self, "Endpoints", vpc=vpc, description="Endpoints of AWS services", allow_all_outbound=False
        )
        for functions in self.security_groups:
            group.add_ingress_rule(functions, _TLS, "Functions of the video production")
        for name, service in _INTERFACE_ENDPOINTS.items():
            vpc.add_interface_endpoint(name, service=service, open=False, security_groups=[group])

    def _described(self, settings: ExistingVpc) -> ec2.IVpc:
        vpc = ec2.Vpc.from_vpc_attributes(
            self,
            "Vpc",
            vpc_id=settings.id,
            availability_zones=list(settings.zones),
            private_subnet_ids=list(settings.private_subnets),
        )
        for subnet in vpc.private_subnets:
            acknowledge(subnet, {"@aws-cdk/aws-ec2:noSubnetRouteTableId": "Nothing here touches its routes."})
        return vpc
