"""What is deployed into Lambda besides templates: one bundle per function, and the FFmpeg layer.

    bundle("merger", architecture="arm64")     a folder with exactly what the merger imports
    ffmpeg_layer("arm64")                      a folder with bin/ffmpeg

`architecture` is Lambda's (`x86_64`, `arm64`), or `local` for this machine. Both raise OperatorError, in one sentence.
"""

from tools.bundles.bundler import Target, bundle
from tools.bundles.layer import ffmpeg_layer
from tools.bundles.tree import size_of, tree_hash, zipped
from tools.set_up import LAMBDA_PYTHON

__all__ = ["LAMBDA_PYTHON", "Target", "bundle", "ffmpeg_layer", "size_of", "tree_hash", "zipped"]
