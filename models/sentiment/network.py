"""The network: averaged embeddings of hashed words and letters, one hidden layer, one number."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .text import BUCKETS, Bags

EMBEDDING_SIZE = 32
HIDDEN_SIZE = 64
INPUT_SCALE = 5.0
DROPPED_ENTRIES = 0.3
DROPPED_UNITS = 0.2
NEUTRAL_BAND = 0.05  # values this close to 0 are neutral


class Network(nn.Module):
    """Maps the bags of n texts to their hidden activations (n, 64) and values (n,), -1 to 1."""

    rarity: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rarity", torch.ones(BUCKETS))
        # Near zero, so that what training never met says nothing.
        self.embedding = nn.Parameter(torch.randn(BUCKETS, EMBEDDING_SIZE) * 0.001)
        self.hidden = nn.Linear(EMBEDDING_SIZE, HIDDEN_SIZE)
        self.value = nn.Linear(HIDDEN_SIZE, 1)
        self.log_temperature = nn.Parameter(torch.tensor(-1.5))

    def forward(self, bags: Bags) -> tuple[Tensor, Tensor]:
        words, letters = self._directions(bags).chunk(2)
        mixed = functional.dropout(words + letters, DROPPED_UNITS, self.training)
        hidden = torch.relu(self.hidden(mixed))
        return hidden, torch.tanh(self.value(hidden)).squeeze(1)

    def label_logits(self, values: Tensor) -> Tensor:
        """(n, 3) for negative, neutral, positive; the largest is where the value lies."""
        sharpness = torch.exp(-self.log_temperature)
        return torch.stack(
            [
                -(values + NEUTRAL_BAND) * sharpness,
                torch.zeros_like(values),
                (values - NEUTRAL_BAND) * sharpness,
            ],
            dim=1,
        )

    def _directions(self, bags: Bags) -> Tensor:
        """Each bag's rarity-weighted sum of embeddings, over the length of the weights."""
        ids, sizes = torch.from_numpy(bags.ids), torch.from_numpy(bags.sizes)
        rarity = self.rarity[ids]
        lengths = torch.segment_reduce(rarity.square(), "sum", lengths=sizes).sqrt().clamp(min=1.0)
        sums = functional.embedding_bag(
            ids,
            self.embedding,
            sizes.cumsum(0) - sizes,
            mode="sum",
            per_sample_weights=functional.dropout(rarity, DROPPED_ENTRIES, self.training),
        )
        return INPUT_SCALE * sums / lengths.unsqueeze(1)
