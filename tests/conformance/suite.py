"""All checks, in the order in which they run."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import grpc

from contract.errors import PredictError
from inference.calls import BatchFailed
from inference.tensors import BadTensor
from tests.conformance.check import Check, Level, NotTried, Unfit
from tests.conformance.checks import batches, failures, refusals, service, sizes, tensors
from tests.conformance.target import Target

SUITE = (
    service.live,
    service.model_ready,
    service.metadata,
    tensors.scores,
    tensors.shares,
    tensors.value,
    tensors.features,
    tensors.version_named,
    tensors.contents,
    tensors.outputs_asked_for,
    batches.by_the_gateway,
    batches.order,
    batches.alone_and_together,
    batches.side_by_side,
    sizes.odd_texts,
    sizes.longest_text,
    sizes.most_texts,
    sizes.most_bytes,
    refusals.unknown_model,
    refusals.unknown_version,
    refusals.discretion,
    refusals.deadline,
    failures.bad_text,
    failures.slow_text,
)


class Outcome(Enum):
    """How a check ended."""

    FITS = "fits"
    UNFIT = "unfit"
    NOT_TRIED = "not tried"


@dataclass(frozen=True)
class Result:
    """What a check has shown."""

    check: Check
    outcome: Outcome
    seen: str

    @property
    def is_fault(self) -> bool:
        """Whether the server does not fit for it."""
        return self.outcome is Outcome.UNFIT and self.check.level is Level.REQUIRED


async def run(target: Target, on_start: Callable[[Check], None]) -> list[Result]:
    """Run all checks, one after the other. on_start: told of each before it runs."""
    results: list[Result] = []
    blocker: Check | None = None
    for check in SUITE:
        if blocker:
            results.append(Result(check, Outcome.NOT_TRIED, f"it needs: {blocker.name}"))
            continue
        on_start(check)
        result = await _result(check, target)
        results.append(result)
        if check.is_gate and result.is_fault:
            blocker = check
    return results


async def _result(check: Check, target: Target) -> Result:
    try:
        return Result(check, Outcome.FITS, await check.run(target))
    except NotTried as why:
        return Result(check, Outcome.NOT_TRIED, str(why))
    except (Unfit, BadTensor) as why:
        return Result(check, Outcome.UNFIT, str(why))
    except BatchFailed as why:
        return Result(check, Outcome.UNFIT, f"the batch failed: {why}")
    except PredictError as error:
        return Result(check, Outcome.UNFIT, f"the gateway would say: {error}")
    except grpc.aio.AioRpcError as error:
        details = (error.details() or "").partition("\n")[0]
        return Result(check, Outcome.UNFIT, f"{error.code().name}: {details}")
