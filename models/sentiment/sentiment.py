"""What the sentiment models have in common: all but the network."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from modelkit.abstract_model import AbstractModel, Example, Predictions, Progress

from .labels import LABELS, VALUES, label_loss, label_of, label_scores
from .metrics import metrics_by_domain
from .network import Network

MAX_RATING = 4.0
BATCH_SIZE = 64
MIN_STEPS = 200
WEIGHT_DECAY = 1e-3
LABEL_LOSS_SHARE = 0.1


class SentimentModel(AbstractModel):
    """The value is the mean human rating it expects, over 4: -1 most negative, 1 most positive.

    The label is positive above 0.05, negative below -0.05, and neutral between.
    """

    labels = LABELS
    has_value = True
    primary_metric = "pearson_r"

    epochs: ClassVar[int]
    """Times that training sees an example; more often if there are few examples."""
    learning_rate: ClassVar[float]

    def __init__(self, *, device: str = "cpu") -> None:
        super().__init__(device=device)
        self._network = self.new_network().eval().to(device)

    @staticmethod
    @abstractmethod
    def new_network() -> Network:
        """Untrained."""

    @torch.inference_mode()
    def predict(self, texts: Sequence[str]) -> Predictions:
        hidden, _, values = self._network(texts)
        scores = label_scores(values, self._network.log_temperature)
        return Predictions(*(tensor.cpu().numpy() for tensor in (scores, hidden, values)))

    def train(self, examples: Sequence[Example], *, seed: int, progress: Progress) -> None:
        torch.manual_seed(seed)
        network = self._network = self.new_network().to(self.device)
        texts = [example.text for example in examples]
        targets = torch.tensor([_right_value(example) for example in examples])
        targets = targets.to(self.device)
        network.learn_rarity(texts)
        epochs = max(self.epochs, MIN_STEPS * BATCH_SIZE // len(texts))
        batches = [
            batch
            for _ in range(epochs)
            for batch in torch.split(torch.randperm(len(texts)), BATCH_SIZE)
        ]
        optimizer = torch.optim.AdamW(
            network.parameters(), self.learning_rate, weight_decay=WEIGHT_DECAY, fused=True
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.learning_rate, total_steps=len(batches), pct_start=0.2
        )
        for step, batch in enumerate(batches, start=1):
            _, votes, values = network([texts[i] for i in batch.tolist()])
            right = targets[batch]
            errors = (votes - right.unsqueeze(1)).square().mean(dim=0)
            labels = label_loss(values, right, network.log_temperature)
            optimizer.zero_grad()
            torch.autograd.backward(errors.sum() + LABEL_LOSS_SHARE * labels)
            optimizer.step()
            schedule.step()
            progress(step / len(batches))
        network.eval()

    def truth(self, example: Example) -> str:
        return example.label or label_of(_right_value(example))

    def eval(self, examples: Sequence[Example], predictions: Predictions) -> dict[str, float]:
        assert predictions.value is not None
        right = np.array([_right_value(example) for example in examples])
        domains = [example.domain for example in examples]
        of_domains = metrics_by_domain(domains, right, predictions.value)
        return super().eval(examples, predictions) | of_domains

    def weights(self) -> dict[str, npt.NDArray[Any]]:
        return {name: tensor.cpu().numpy() for name, tensor in self._network.state_dict().items()}

    def set_weights(self, weights: dict[str, npt.NDArray[Any]]) -> None:
        tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
        self._network.load_state_dict(tensors)


def _right_value(example: Example) -> float:
    """The mean of the ratings, -1 to 1; or what the label stands for, where somebody gave one."""
    return VALUES[example.label] if example.label else example.rating / MAX_RATING
