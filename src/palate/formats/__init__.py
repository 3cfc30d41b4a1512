"""Reading what exists, writing what others read: pools of responses, preferences of people."""

from palate.formats.alpaca_eval import read_alpaca_eval
from palate.formats.comparisons import (
    comparisons_of,
    pools_of,
    read_comparisons,
    trl_rows,
    write_comparisons,
)
from palate.formats.people import read_people
from palate.formats.pick_a_pic import read_pick_a_pic
from palate.formats.pools import read_pools, write_pools
from palate.formats.prism import read_prism
from palate.formats.reddit_tldr import read_reddit_tldr

__all__ = [
    "comparisons_of",
    "pools_of",
    "read_alpaca_eval",
    "read_comparisons",
    "read_people",
    "read_pick_a_pic",
    "read_pools",
    "read_prism",
    "read_reddit_tldr",
    "trl_rows",
    "write_comparisons",
    "write_pools",
]
