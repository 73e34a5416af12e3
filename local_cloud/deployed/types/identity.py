"""IAM and Secrets Manager. Nothing checks permissions in the emulator; the policies are there to be looked at."""

from __future__ import annotations

from local_cloud.deployed.resource import Made, Properties, ResourceType, document, tag_map, tags_of

__all__ = ["TYPES"]


class Role(ResourceType):
    type = "AWS::IAM::Role"
    tags = "list"
    name_property = "RoleName"
    attributes = ("Arn", "RoleId")
    replaced_by = frozenset({"Path", "PermissionsBoundary"})

    def create(self, name: str, properties: Properties) -> Made:
        beside = ("Policies", "ManagedPolicyArns", "Tags")
        request = {key: value for key, value in properties.items() if key not in beside}
        request |= {"RoleName": name, "Tags": tags_of(properties)}
        request["AssumeRolePolicyDocument"] = document(properties["AssumeRolePolicyDocument"])
        role = self.aws("iam").create_role(**request)["Role"]
        self._attach(name, {}, properties)
        return Made(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        iam = self.aws("iam")
        if old["AssumeRolePolicyDocument"] != new["AssumeRolePolicyDocument"]:
            trust = document(new["AssumeRolePolicyDocument"])
            iam.update_assume_role_policy(RoleName=made.id, PolicyDocument=trust)
        for key in ("Description", "MaxSessionDuration"):
            if key in new and old.get(key) != new[key]:
                iam.update_role(RoleName=made.id, **{key: new[key]})
        self._attach(made.id, old, new)
        if tags_of(old) != tags_of(new):
            iam.untag_role(RoleName=made.id, TagKeys=list(tag_map(old)))
            iam.tag_role(RoleName=made.id, Tags=tags_of(new))
        return made

    def delete(self, made: Made, properties: Properties) -> None:
        self._attach(made.id, properties, {})
        self.aws("iam").delete_role(RoleName=made.id)

    def _attach(self, name: str, old: Properties, new: Properties) -> None:
        iam = self.aws("iam")
        before, after = ({each["PolicyName"]: each for each in props.get("Policies", ())} for props in (old, new))
        for gone in before.keys() - after.keys():
            iam.delete_role_policy(RoleName=name, PolicyName=gone)
        for policy, content in after.items():
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=document(content["PolicyDocument"]))
        managed, wanted = (set(props.get("ManagedPolicyArns", ())) for props in (old, new))
        for arn in managed - wanted:
            iam.detach_role_policy(RoleName=name, PolicyArn=arn)
        for arn in wanted - managed:
            iam.attach_role_policy(RoleName=name, PolicyArn=arn)


class Policy(ResourceType):
    type = "AWS::IAM::Policy"
    name_property = "PolicyName"
    name_limit = 128

    def create(self, name: str, properties: Properties) -> Made:
        if properties.get("Users") or properties.get("Groups"):
            raise ValueError("policies of users and groups are not known here")
        for role in properties["Roles"]:
            content = document(properties["PolicyDocument"])
            self.aws("iam").put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=content)
        return Made(name)

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        self._take_from(made, set(old["Roles"]) - set(new["Roles"]))
        return self.create(made.id, new)

    def delete(self, made: Made, properties: Properties) -> None:
        self._take_from(made, set(properties["Roles"]))

    def _take_from(self, made: Made, roles: set[str]) -> None:
        for role in roles:
            self.aws("iam").delete_role_policy(RoleName=role, PolicyName=made.id)


class Secret(ResourceType):
    type = "AWS::SecretsManager::Secret"
    tags = "list"
    name_property = "Name"
    name_limit = 512
    attributes = ("Id",)

    def create(self, name: str, properties: Properties) -> Made:
        if "GenerateSecretString" in properties:
            raise ValueError("generated secrets are not known here")
        request = {**properties, "Name": name, "Tags": tags_of(properties)}
        arn = self.aws("secretsmanager").create_secret(**request)["ARN"]
        return Made(arn, {"Id": arn})

    def update(self, made: Made, old: Properties, new: Properties) -> Made:
        client = self.aws("secretsmanager")
        changed = {key: new[key] for key in ("Description", "KmsKeyId", "SecretString") if old.get(key) != new.get(key)}
        if changed:
            client.update_secret(SecretId=made.id, **changed)
        if tags_of(old) != tags_of(new):
            client.untag_resource(SecretId=made.id, TagKeys=list(tag_map(old)))
            client.tag_resource(SecretId=made.id, Tags=tags_of(new))
        return made

    def delete(self, made: Made, properties: Properties) -> None:
        self.aws("secretsmanager").delete_secret(SecretId=made.id, ForceDeleteWithoutRecovery=True)


TYPES: tuple[type[ResourceType], ...] = (Role, Policy, Secret)
