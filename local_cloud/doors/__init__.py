"""The doors that moto lacks: what connects its services to each other and to the world.

They read their definitions from moto's backends, so it does not matter who wrote them: the local cloud at its start, or
CloudFormation when the stack is deployed into moto. Importing this package imports moto; call `moto_patches.prepare`
first.

    doors = open_doors(invoke)
    doors.api_url(api_id)      base URL of an HTTP API
    doors.shut()               nothing new comes in; then end the Lambda host
    doors.close()              wait for what was under way
"""

from local_cloud.doors.doors import Doors, open_doors
from local_cloud.doors.lambdas import Invoke

__all__ = ["Doors", "Invoke", "open_doors"]
