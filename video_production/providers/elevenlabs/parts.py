"""What one voiceover is bought in: one request, or for a long script one for each part of it.

A part knows the sentence before and the one behind it, where the model takes that (`previous_text`, `next_text`), so
that the voice goes on in the same tone. They are part of what is asked for: whoever edits the sentence at a cut has
both neighbours made again.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from video_production.errors import RequestError
from video_production.providers.elevenlabs.models import model_of
from video_production.providers.elevenlabs.requests import script_of
from video_production.providers.interface import GenerationRequest, InputContent

__all__ = ["LONGEST_PART", "LONGEST_SCRIPT", "voiceover_parts"]

LONGEST_PART = 4_000
"""Characters of one part of a script that is too long for one request: what a failure costs, and what an edit costs."""
_SHORTEST_PART = 800
LONGEST_SCRIPT = 200_000
"""Characters; some four hours of speech."""
_CONTEXT = 300
"""Characters of what is told of the neighbouring parts."""


def voiceover_parts(request: GenerationRequest) -> tuple[GenerationRequest, ...]:
    """The requests of one voiceover, in order. Raises RequestError where its script can't be cut or joined again."""
    script, config = script_of(request), request.config
    model = model_of(config["modelId"])
    if len(script) <= model.characters:
        return (request,)
    if len(script) > LONGEST_SCRIPT:
        raise RequestError(
            f"The script has {len(script):,} characters; one voiceover has at most {LONGEST_SCRIPT:,}. Split it over "
            "several voiceovers."
        )
    from video_production.providers.elevenlabs.script import cut

    texts = cut(script, min(LONGEST_PART, model.characters), _SHORTEST_PART)
    if len(texts) > 1 and config["outputFormat"].startswith("opus"):
        raise RequestError(
            f"The script has {len(script):,} characters; {config['modelId']} speaks at most {model.characters:,} at "
            "once, and Opus sound can't be joined as it is. Choose an MP3 or WAV outputFormat, or split the script."
        )
    around = ["", *texts, ""]
    return tuple(
        _part(request, before, text, after, context=model.context)
        for before, text, after in zip(around, texts, around[2:], strict=False)
    )


def _part(request: GenerationRequest, before: str, text: str, after: str, *, context: bool) -> GenerationRequest:
    from video_production.providers.elevenlabs.script import first_words, last_words

    neighbours = {"previousText": last_words(before, _CONTEXT), "nextText": first_words(after, _CONTEXT)}
    told = {key: words for key, words in neighbours.items() if words and context}
    script = InputContent("text", hashlib.sha256(text.encode()).hexdigest(), text)
    return replace(request, config={**request.config, **told}, inputs={**request.inputs, "script": (script,)})
