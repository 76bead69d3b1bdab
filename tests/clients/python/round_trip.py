"""A recording goes in and its insights come out, through the generated client only."""
import os
from http import HTTPStatus
from typing import TypeVar
from uuid import UUID, uuid4

from aftercall import AuthenticatedClient
from aftercall.api.jobs import get_job, get_timeline, list_jobs, submit_job
from aftercall.api.results import get_result, list_insights, list_speakers, list_utterances
from aftercall.models import (
    InsightsView,
    JobView,
    PageEventView,
    PageJobView,
    PageUtteranceView,
    Problem,
    Result,
    SpeakersView,
    State,
    SubmitJob,
    SubmitJobEncoding,
)

T = TypeVar("T")


def found(kind: type[T], parsed: object) -> T:
    assert isinstance(parsed, kind), parsed
    return parsed


def main() -> None:
    recording = os.environ["AFTERCALL_RECORDING"]
    with AuthenticatedClient(os.environ["AFTERCALL_API"], os.environ["AFTERCALL_KEY"]) as client:
        name = f"python-{uuid4()}"
        body = SubmitJob(content_uri=recording, encoding=SubmitJobEncoding.WAV, external_id=name, tags=["python"])
        key = str(uuid4())
        job = found(JobView, submit_job.sync(client=client, body=body, idempotency_key=key))
        again = found(JobView, submit_job.sync(client=client, body=body, idempotency_key=key))
        assert again.id == job.id and job.state == State.QUEUED

        job = found(JobView, get_job.sync(job.id, client=client))
        utterances = read(client, job.id)
        page = found(PageJobView, list_jobs.sync(client=client, external_id=name))
        assert [job.id for job in page.data] == [again.id] and not page.has_more
        print(f"job {job.id} is {job.state}, with {utterances} utterances")

        refused = submit_job.sync_detailed(client=client, body=SubmitJob(encoding=SubmitJobEncoding.WAV))
        problem = found(Problem, refused.parsed)
        assert refused.status_code == HTTPStatus.UNPROCESSABLE_ENTITY and problem.code == "validation-failed"
        missing = found(Problem, get_job.sync(uuid4(), client=client))
        assert missing.code == "job-not-found", missing


def read(client: AuthenticatedClient, job: UUID) -> int:
    found(Result, get_result.sync(job, client=client))
    utterances = found(PageUtteranceView, list_utterances.sync(job, client=client)).data
    assert utterances and all(it.end >= it.start and it.text for it in utterances)
    speakers = found(SpeakersView, list_speakers.sync(job, client=client)).data
    assert len(speakers) == 2
    assert {it.name for it in found(InsightsView, list_insights.sync(job, client=client)).data}
    events = found(PageEventView, get_timeline.sync(job, client=client)).data
    assert [it.seq for it in events] == list(range(1, len(events) + 1))
    return len(utterances)


if __name__ == "__main__":
    main()
