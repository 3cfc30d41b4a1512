"""The bench's tables, in Markdown: as they are printed, they can be pasted."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from palate.bench.speed import ReferenceRow, ScalingRow


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose columns are padded to line up."""
    cells = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "| " + " | ".join("-" * w for w in widths) + " |")
    return "\n".join(lines)


def reference_table(rows: Sequence[ReferenceRow]) -> str:
    """Our step against the reference's, medians over the steps timed."""
    header = (
        "N, d",
        "steps timed",
        "palate ms",
        "reference ms",
        "ratio",
        "reference as a script ms",
        "ratio",
        "largest difference of B(t)",
    )
    return markdown_table(
        header,
        [
            (
                f"{row.n}, {row.d}",
                str(len(row.ours)),
                f"{median(row.ours):.3f}",
                f"{median(row.reference):.1f}",
                f"{row.ratio:.0f}",
                f"{median(row.rebuilt):.1f}",
                f"{row.rebuilt_ratio:.0f}",
                f"{row.largest_difference:.1e}",
            )
            for row in rows
        ],
    )


def scaling_table(rows: Sequence[ScalingRow], *, checked: bool) -> str:
    """Our step as the pool grows, d = 64, float32."""
    header = [
        "N",
        "steps",
        "median ms",
        "slowest ms",
        "exact solves a step (median, most)",
        "one pass ms",
        "passes (median)",
        "passes (slowest)",
    ]
    if checked:
        header.append("every B(t) equal to the whole pool's")
    return markdown_table(header, [_scaling_cells(row, checked=checked) for row in rows])


def _scaling_cells(row: ScalingRow, *, checked: bool) -> list[str]:
    cells = [
        f"{row.n:,}",
        str(len(row.steps)),
        f"{median(row.steps):.2f}",
        f"{max(row.steps):.2f}",
        f"{median(row.exact_solves):.0f}, {max(row.exact_solves)}",
        f"{median(row.passes):.2f}",
        f"{row.ratio:.1f}",
        f"{row.worst_ratio:.1f}",
    ]
    return [*cells, "yes" if row.all_exact else "NO"] if checked else cells
