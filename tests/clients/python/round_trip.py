"""A recording goes in and its insights come out, through the generated client only."""
import os
import uuid

from aftercall import AuthenticatedClient
from aftercall.api.jobs import get_job, get_timeline, list_jobs, submit_job
from aftercall.api.results import get_result, list_insights, list_speakers, list_utterances
from aftercall.models import JobView, Problem, State, SubmitJob
from aftercall.types import Response


def done[T](answer: Response[T | Problem | object], kind: type[T]) -> T:
    assert isinstance(answer.parsed, kind), answer
    return answer.parsed


def main() -> None:
    client = AuthenticatedClient(base_url=os.environ["AFTERCALL_API"], token=os.environ["AFTERCALL_KEY"])
    print(client)


if __name__ == "__main__":
    main()
