"""The commands against an environment on AWS. Imports no emulation."""
