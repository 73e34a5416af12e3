"""What the functions run: where their code and the FFmpeg layer come from."""

from __future__ import annotations

from typing import Protocol

from aws_cdk import aws_lambda as lambda_

from tools.bundles import Target, bundle, ffmpeg_layer

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
    """Packages made by `tools.bundles`: for Lambda's `x86_64` or `arm64`, or for this machine (`local`)."""

    def __init__(self, target: Target) -> None:
        self.target: Target = target

    def code(self, role: str) -> lambda_.Code:
        return lambda_.Code.from_asset(str(bundle(role, architecture=self.target)))

    def ffmpeg_layer(self) -> lambda_.Code:
        return lambda_.Code.from_asset(str(ffmpeg_layer(self.target)))
