"""The text as it is read out: whole numbers in words. `normalized_alignment` follows it, and so differs in length."""

from __future__ import annotations

import re

from stand_ins.speech import CharacterTimes

__all__ = ["number_in_words", "spell_out"]

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBER = re.compile(r"(?<![\w.,])\d{1,6}(?![\w]|[.,]\d)")


def number_in_words(number: int) -> str:
    """English words for 0 to 999,999."""
    if number < 20:
        return _ONES[number]
    for size, name in ((1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = f" {number_in_words(number % size)}" if number % size else ""
            return f"{number_in_words(number // size)} {name}{rest}"
    rest = f" {_ONES[number % 10]}" if number % 10 else ""
    return _TENS[number // 10 - 2] + rest


def spell_out(times: CharacterTimes) -> CharacterTimes:
    """The same times for the text with its whole numbers in words, each spread evenly over its number's time."""
    text = times.characters
    characters, starts, ends = "", list[float](), list[float]()
    position = 0
    for found in _NUMBER.finditer(text):
        words = number_in_words(int(found.group()))
        first, last = times.starts[found.start()], times.ends[found.end() - 1]
        step = (last - first) / len(words)
        starts += [*times.starts[position : found.start()], *(round(first + i * step, 3) for i in range(len(words)))]
        ends += [*times.ends[position : found.start()], *(round(first + (i + 1) * step, 3) for i in range(len(words)))]
        characters += text[position : found.start()] + words
        position = found.end()
    return CharacterTimes(
        characters + text[position:], (*starts, *times.starts[position:]), (*ends, *times.ends[position:])
    )
