"""Reading what exists, writing what others read: pools of responses, preferences of people."""

from palate.formats.alpaca_eval import read_alpaca_eval
from palate.formats.comparisons import (
    comparisons_of,
    pools_of,
    read_comparisons,
    trl_rows,
    write_comparisons,
)
from palate.formats.pools import read_pools, write_pools

__all__ = [
    "comparisons_of",
    "pools_of",
    "read_alpaca_eval",
    "read_comparisons",
    "read_pools",
    "trl_rows",
    "write_comparisons",
    "write_pools",
]
