"""What is said in the lesson and when: the document's own scripts and voices, spoken by the drafts' synthesizer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from stand_ins.speech import Speech, Word, speak

__all__ = ["LESSON", "Narration", "narrate", "narration_of"]

LESSON = Path(__file__).resolve().parent.parent.parent / "examples" / "lesson"


@dataclass(frozen=True)
class Narration:
    """Spoken text. All times are seconds from its start."""

    speech: Speech
    words: list[Word]

    @property
    def duration(self) -> float:
        return self.speech.duration

    def at(self, phrase: str, occurrence: int = 1) -> float:
        """When the first word of `phrase` (words as written, without punctuation at the end) is spoken."""
        wanted = phrase.lower().split()
        spoken = [word.text.lower().strip(".,:;?!") for word in self.words]
        for index in range(len(spoken) - len(wanted) + 1):
            if spoken[index : index + len(wanted)] == wanted:
                occurrence -= 1
                if not occurrence:
                    return self.words[index].start
        raise LookupError(f"'{phrase}' is not said (that often): {' '.join(spoken)}")


def narrate(text: str, voice: str) -> Narration:
    """Speak a text that is in no script."""
    speech = speak(text, voice=voice)
    return Narration(speech, speech.words)


def narration_of(node_id: str) -> Narration:
    """What the document's voiceover `node_id` says, exactly as the lesson's draft will have it."""
    document = yaml.safe_load((LESSON / "pipeline.yaml").read_text(encoding="utf-8"))
    nodes = {node["id"]: node for node in document["nodes"]}
    node = nodes[node_id]
    config = node["config"]
    script = LESSON / nodes[node["inputs"]["script"]]["asset"]["source"]
    speech = speak(
        script.read_text(encoding="utf-8"),
        voice=config["voiceId"],
        speed=config.get("speed", 1.0),
        language=config.get("language"),
    )
    return Narration(speech, speech.words)
