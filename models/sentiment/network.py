"""What sentiment models compute with: networks that learn apart from each other, and vote."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .ngrams import NGrams
from .reader import Reader


class Network(nn.Module):
    """Maps n texts to hidden activations (n, features), votes (n, voters) and values (n,)."""

    shares: Tensor
    """(voters,) What a vote counts; they add up to 1."""

    def __init__(self, *parts: NGrams | Reader) -> None:
        """All parts count the same, and within a part all of its voters."""
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.log_temperature = nn.Parameter(torch.tensor(-1.5))
        shares = [1 / len(parts) / part.votes for part in parts for _ in range(part.votes)]
        self.register_buffer("shares", torch.tensor(shares), persistent=False)

    def learn_rarity(self, texts: Sequence[str]) -> None:
        """What is in many texts will weigh less."""
        for part in self.parts:
            assert isinstance(part, NGrams | Reader)
            part.learn_rarity(texts)

    def forward(self, texts: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        answers = [part(texts) for part in self.parts]
        hidden = torch.cat([answer[0] for answer in answers], dim=1)
        votes = torch.cat([answer[1] for answer in answers], dim=1)
        return hidden, votes, votes @ self.shares
