"""The Korean typeface of charts, PDF and HTML: NanumGothic (SIL Open Font License) as `koreanize-matplotlib` carries it."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

from living_finance.contracts.language import Language
from living_finance.errors import EnvironmentProblem

FAMILY = "NanumGothic"
_FILES = {400: "NanumGothic.ttf", 700: "NanumGothicBold.ttf"}
_LATIN = "".join(map(chr, range(0x20, 0x7F))) + "·–—…’“”†×→"
_HANGUL = "".join(c for c in map(chr, range(0xAC00, 0xD7A4)) if len(c.encode("euc_kr")) == 2)
"""The 2,350 syllables of KS X 1001."""
_CHARACTERS: Mapping[Language, str] = {"ko": _LATIN + _HANGUL, "en": _LATIN}
_PUBLIC = resources.files("living_finance.reports").joinpath("data")


@cache
def font_folder() -> Path:
    """Folder with the font files.

    Raises:
        EnvironmentProblem: the package is not installed.
    """
    # Found, not imported: the package would load matplotlib.
    spec = find_spec("koreanize_matplotlib")
    if spec is None or spec.origin is None:
        raise EnvironmentProblem("koreanize-matplotlib is not installed.", remedy="make setup")
    return Path(spec.origin).parent / "fonts"


def embedded(text: str) -> dict[int, str]:
    """Fonts that hold the characters of a text and no others.

    Args:
        text: everything that will be shown.

    Returns:
        Weight → WOFF file, base64. The same characters give the same bytes.
    """
    characters = sorted({ord(character) for character in text if character.isprintable()})
    return {weight: base64.b64encode(_subset(file, characters)).decode() for weight, file in _FILES.items()}


def public_fonts(language: Language) -> dict[int, bytes]:
    """Fonts of a public report: the same files in every release, whatever its text, so that the gate knows their hashes.

    Returns:
        Weight → WOFF file, as it lies beside this module.
    """
    files = {weight: _PUBLIC.joinpath(f"{FAMILY}-{language}-{weight}.woff") for weight in _FILES}
    return {weight: file.read_bytes() for weight, file in files.items()}  # ok: part of the package


def made_anew(language: Language) -> dict[int, bytes]:
    """What `public_fonts` returns, from the installed fonts; how it is packed can differ from one zlib to another."""
    characters = [ord(character) for character in _CHARACTERS[language]]
    return {weight: _subset(file, characters) for weight, file in _FILES.items()}


def _subset(name: str, characters: list[int]) -> bytes:
    file = font_folder() / name
    font = TTFont(file, recalcTimestamp=False)
    options = Options(layout_features=["*"], hinting=False, notdef_outline=True)
    options.drop_tables += ["TSI0", "TSI1", "TSI2", "TSI3", "TSI5"]
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=characters)
    subsetter.subset(font)
    font.flavor = "woff"
    buffer = io.BytesIO()
    font.save(buffer)
    return buffer.getvalue()


if __name__ == "__main__":
    for wanted in _CHARACTERS:
        for number, content in made_anew(wanted).items():
            with resources.as_file(_PUBLIC.joinpath(f"{FAMILY}-{wanted}-{number}.woff")) as made:
                made.write_bytes(content)  # ok: part of the package, made anew by hand
