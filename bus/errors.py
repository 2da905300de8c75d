"""What can go wrong with the bus, in the words of the code that uses it."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError


class BusUnavailable(Exception):
    """SNS or SQS cannot be used just now: unreachable, refusing, or without the topic or queue.

    The message is the code or the class of the cause. Trying again later may help.
    """

    def __init__(self, cause: str = "", *, dependency: str = "queue") -> None:
        """dependency: what is away: queue or topic."""
        super().__init__(cause)
        self.dependency = dependency

    @property
    def is_refusal(self) -> bool:
        """Whether SNS or SQS has answered, so that it may take other calls."""
        return isinstance(self.__cause__, ClientError)


class UndecodableMessage(Exception):
    """A message that no event can be made of; trying again does not help.

    The message of the error says why, without any of the content.
    """


@contextmanager
def bus_errors(dependency: str) -> Iterator[None]:
    """Turns what boto3 raises into BusUnavailable. dependency: of that."""
    try:
        yield
    except ClientError as error:
        raise BusUnavailable(error_code(error), dependency=dependency) from error
    except BotoCoreError as error:
        raise BusUnavailable(type(error).__name__, dependency=dependency) from error


def error_code(error: ClientError) -> str:
    """The service's own name for the error, such as "NotFound"."""
    return error.response["Error"]["Code"]
