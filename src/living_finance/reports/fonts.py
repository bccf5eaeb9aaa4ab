"""The Korean typeface of charts, PDF and HTML: NanumGothic (SIL Open Font License) as `koreanize-matplotlib` carries it."""

from __future__ import annotations

import base64
import io
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

from living_finance.errors import EnvironmentProblem

FAMILY = "NanumGothic"
_FILES = {400: "NanumGothic.ttf", 700: "NanumGothicBold.ttf"}


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
    return {weight: _subset(font_folder() / file, tuple(characters)) for weight, file in _FILES.items()}


def _subset(file: Path, characters: tuple[int, ...]) -> str:
    font = TTFont(file, recalcTimestamp=False)
    options = Options(layout_features=["*"], hinting=False, notdef_outline=True)
    options.drop_tables += ["TSI0", "TSI1", "TSI2", "TSI3", "TSI5"]
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=characters)
    subsetter.subset(font)
    font.flavor = "woff"
    buffer = io.BytesIO()
    font.save(buffer)
    return base64.b64encode(buffer.getvalue()).decode()
