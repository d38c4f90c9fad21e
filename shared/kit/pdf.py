"""PDF documents: our fonts, scripts that run right to left, and nothing in the file that says who made it or when."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from fpdf import FPDF

FONTS = Path(__file__).parent / "fonts"
FAMILY = "DejaVu"
NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)  # the same in every file: a card never tells when it was printed


class Document(FPDF):
    """An empty document. `is_rtl` lays text out from the right."""

    def __init__(self, size: Literal["A4", "A6"], *, margin_mm: float, is_rtl: bool = False) -> None:
        # A6 is unknown to the library by name: 105 × 148 mm.
        super().__init__(orientation="portrait", unit="mm", format=(105.0, 148.0) if size == "A6" else "A4")
        self.is_rtl = is_rtl
        self.set_margin(margin_mm)
        self.set_auto_page_break(False)
        self.add_font(FAMILY, "", FONTS / "DejaVuSans.ttf")
        self.add_font(FAMILY, "B", FONTS / "DejaVuSans-Bold.ttf")
        self.set_creation_date(NO_DATE)
        self.set_producer("")
        self.set_creator("")
        self.set_text_shaping(use_shaping_engine=True, direction="rtl" if is_rtl else "ltr")

    def words(self, text: str, points: float, *, bold: bool = False, gap_mm: float = 0.0, width_mm: float = 0.0) -> None:
        """A paragraph in the direction of the document."""
        self.set_font(FAMILY, "B" if bold else "", points)
        self.multi_cell(width_mm, points * 0.5, text, align="R" if self.is_rtl else "L", new_x="LMARGIN", new_y="NEXT")
        if gap_mm:
            self.ln(gap_mm)

    def digits(self, text: str, points: float, x: float, y: float, width_mm: float, height_mm: float) -> None:
        """Figures in the middle of a box, from left to right in every language."""
        self.set_text_shaping(use_shaping_engine=True, direction="ltr")
        self.set_font(FAMILY, "B", points)
        self.set_xy(x, y)
        self.cell(width_mm, height_mm, text, align="C")
        self.set_text_shaping(use_shaping_engine=True, direction="rtl" if self.is_rtl else "ltr")

    def bytes(self) -> bytes:
        """The file."""
        return bytes(self.output())
