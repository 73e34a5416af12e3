"""The CDK app in an emulated AWS: `cdk deploy` for real, functions run from the packages that were deployed.

moto_mends.py     everything that we change in moto's CloudFormation and Lambda
resource.py       what a resource type is
types/            the resource types, each made through AWS's own API
packages.py       deployed packages and layers, extracted and run
emulator.py       moto, the mends, S3 on disk and the stand-ins, wired up
cdk.py            the CDK CLI, pointed at the emulator
"""
