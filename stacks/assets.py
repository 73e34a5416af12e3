"""What the functions run: where their code and the FFmpeg layer come from."""

from __future__ import annotations

from typing import Protocol

from aws_cdk import aws_lambda as lambda_

__all__ = ["Assets", "BundledAssets"]


class Assets(Protocol):
    """The code of the functions and the FFmpeg layer."""

    def code(self, role: str) -> lambda_.Code:
        """The package of one function."""
        ...

    def ffmpeg_layer(self) -> lambda_.Code:
        """The layer with FFmpeg."""
        ...


class BundledAssets:
    """Packages made by `tools.bundles` for Lambda's platform; `python` is a version such as "3.13"."""

    def __init__(self, *, architecture: str, python: str) -> None:
        self.architecture = architecture
        self.python = python

    def code(self, role: str) -> lambda_.Code:
        from tools.bundles import bundle

        return lambda_.Code.from_asset(str(bundle(role, architecture=self.architecture, python=self.python)))

    def ffmpeg_layer(self) -> lambda_.Code:
        from tools.bundles import ffmpeg_layer

        return lambda_.Code.from_asset(str(ffmpeg_layer(self.architecture)))
