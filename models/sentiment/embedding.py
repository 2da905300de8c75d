"""Embeddings of bags of hashed parts of texts, where what is rare weighs more."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .text import BUCKETS, Ids

SCALE = 5.0


class BagEmbedding(nn.Module):
    """Maps bags of buckets to the rarity-weighted sums of their embeddings, (bags, size).

    The bags stand one after another in `ids`; `sizes` says how long each is. A sum is divided by
    the norm of its weights, so that it does not grow with the bag.
    """

    rarity: Tensor
    """(BUCKETS,) The smoothed inverse document frequency."""

    def __init__(self, size: int, *, spread: float, dropped: float) -> None:
        """spread: of the first embeddings; dropped: the share of parts that training leaves out."""
        super().__init__()
        self.dropped = dropped
        self.register_buffer("rarity", torch.ones(BUCKETS))
        self.weight = nn.Parameter(torch.randn(BUCKETS, size) * spread)

    def learn_rarity(self, texts: Iterable[Ids]) -> None:
        """Count in how many texts each bucket is; a text is given by all of its buckets."""
        found, count = np.zeros(BUCKETS), 0
        for ids in texts:
            found[np.unique(ids)] += 1
            count += 1
        self.rarity.copy_(torch.from_numpy(np.log((1 + count) / (1 + found)) + 1))

    def forward(self, ids: Ids, sizes: Ids) -> Tensor:
        buckets, lengths = (torch.from_numpy(a).to(self.rarity.device) for a in (ids, sizes))
        rarity = self.rarity.index_select(0, buckets)
        norms = torch.segment_reduce(rarity.square(), "sum", lengths=lengths).sqrt().clamp(min=1.0)
        sums = functional.embedding_bag(
            buckets,
            self.weight,
            lengths.cumsum(0) - lengths,
            mode="sum",
            per_sample_weights=functional.dropout(rarity, self.dropped, self.training),
        )
        return SCALE * sums / norms.unsqueeze(1)
