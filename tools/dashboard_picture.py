"""A picture of the CloudWatch dashboard for the docs, drawn from the synthesised template with sample data.

Usage: .venv/bin/python -m tools.dashboard_picture TEMPLATE PICTURE

TEMPLATE is a CloudFormation template with one dashboard. What is drawn where, its titles, labels and alarm lines come
from it; the numbers are invented (`tools/dashboard/samples.py`). The picture carries the list of its widgets as the PNG
text `widgets`, so that a test can compare it with the template. After `make synth`, docs/images/dashboard.png is drawn
from `cdk.out/production/jiki-video-production-production.template.json`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from PIL import Image, PngImagePlugin

from tools.dashboard.drawing import Drawing
from tools.dashboard.template import Dashboard, read_dashboard

__all__ = ["drawn", "main", "save", "widgets_in"]

_PNG_KEY = "widgets"


def drawn(dashboard: Dashboard) -> Drawing:
    """The drawn dashboard."""
    drawing = Drawing(dashboard.name, columns=24, rows=max(each.y + each.height for each in dashboard.widgets))
    for widget in dashboard.widgets:
        drawing.add(widget)
    return drawing


def save(dashboard: Dashboard, path: Path) -> None:
    """Write the picture as PNG, with the list of its widgets in it."""
    text = PngImagePlugin.PngInfo()
    text.add_text(_PNG_KEY, "\n".join(widget.place for widget in dashboard.widgets))
    image = drawn(dashboard).finished()
    colors = image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    colors.save(path, "PNG", optimize=True, pnginfo=text)


def widgets_in(path: Path) -> list[str]:
    """What a picture says that it shows: `Widget.place` of each."""
    with Image.open(path) as image:
        image.load()
        return str(image.info.get(_PNG_KEY, "")).splitlines()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Draw the dashboard of a template with sample data.")
    parser.add_argument("template", type=Path, help="a synthesised CloudFormation template (JSON)")
    parser.add_argument("picture", type=Path, help="the PNG file to write")
    options = parser.parse_args(arguments)
    save(read_dashboard(json.loads(options.template.read_text("utf-8"))), options.picture)


if __name__ == "__main__":
    main()
