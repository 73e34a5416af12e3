"""The HTTP API: providers' webhooks, and starting a pipeline."""

from __future__ import annotations

import json

from aws_cdk import aws_apigatewayv2 as http
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from constructs import Construct

from stacks import settings
from stacks.functions import Functions
from stacks.logs import log_group
from stacks.policies import acknowledge
from video_production.settings import Names

__all__ = ["EXECUTIONS", "WEBHOOKS", "HttpDoor"]

WEBHOOKS = "/webhooks/{provider}"
EXECUTIONS = "/pipelines/{id}/executions"
_LOGGED = {
    "requestId": "$context.requestId",
    "time": "$context.requestTimeEpoch",
    "ip": "$context.identity.sourceIp",
    "caller": "$context.identity.userArn",
    "route": "$context.routeKey",
    "status": "$context.status",
    "latency": "$context.responseLatency",
    "error": "$context.error.message",
    "integrationError": "$context.integrationErrorMessage",
}


class HttpDoor(Construct):
    """`api`, throttled and logged. Webhooks carry a signature that their function checks; the rest needs IAM."""

    def __init__(
        self, scope: Construct, id: str, *, names: Names, settings: settings.Api, functions: Functions
    ) -> None:
        super().__init__(scope, id)
        self.api = http.HttpApi(
            self,
            "Api",
            api_name=f"jiki-video-{names.environment}",
            description="Webhooks of the providers, and starting a pipeline",
            create_default_stage=False,
        )
        requests = log_group(self, "Requests", f"/aws/vendedlogs/apis/jiki-video-{names.environment}")
        self.stage = http.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=http.ThrottleSettings(rate_limit=settings.requests_per_second, burst_limit=settings.burst),
        )
        stage = self.stage.node.default_child
        assert isinstance(stage, http.CfnStage)
        stage.access_log_settings = http.CfnStage.AccessLogSettingsProperty(
            destination_arn=requests.log_group_arn, format=json.dumps(_LOGGED)
        )
        [webhooks] = self.api.add_routes(
            path=WEBHOOKS,
            methods=[http.HttpMethod.POST],
            integration=integrations.HttpLambdaIntegration("Webhooks", functions["webhook_receiver"].live),
        )
        acknowledge(
            webhooks,
            {
                "AwsSolutions-APIG4": "A provider can't sign with AWS credentials; the function checks the provider's "
                "signature of the raw body before anything else."
            },
        )
        self.api.add_routes(
            path=EXECUTIONS,
            methods=[http.HttpMethod.POST],
            integration=integrations.HttpLambdaIntegration("Executions", functions["pipeline_starter"].live),
            authorizer=authorizers.HttpIamAuthorizer(),
        )
