"""The CDK app: one stack for the environment that `-c environment=NAME` names; see stacks/application.py."""

import sys

from stacks.application import main

if __name__ == "__main__":
    sys.exit(main())
