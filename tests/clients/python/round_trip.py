"""Recordings go in and their insights come out, through the generated client only."""
import json
import os
from http import HTTPStatus
from typing import TypeVar
from uuid import UUID, uuid4

from aftercall import AuthenticatedClient
from aftercall.api.exports import export_utterances
from aftercall.api.jobs import get_job, get_timeline, list_jobs, submit_job, submit_jobs
from aftercall.api.notifications import create_endpoint, delete_endpoint, pause_endpoint
from aftercall.api.results import (
    get_result,
    get_shape,
    get_transcript,
    list_insights,
    list_utterances,
    name_speakers,
    search,
)
from aftercall.api.stats import get_job_stats
from aftercall.models import (
    BatchView,
    CreateEndpoint,
    EndpointState,
    EndpointView,
    EndpointWithSecret,
    GetJobStatsGroupBy,
    InsightsView,
    JobView,
    PageEventView,
    PageHitView,
    PageJobView,
    PageUtteranceView,
    Problem,
    Result,
    ShapeView,
    SpeakerNames,
    SpeakersView,
    State,
    StatsView,
    SubmitBatch,
    SubmitJob,
    SubmitJobEncoding,
    TranscriptView,
)

T = TypeVar("T")


def found(kind: type[T], parsed: object) -> T:
    assert isinstance(parsed, kind), parsed
    return parsed


def main() -> None:
    recording = os.environ["AFTERCALL_RECORDING"]
    with AuthenticatedClient(os.environ["AFTERCALL_API"], os.environ["AFTERCALL_KEY"]) as client:
        name = f"python-{uuid4()}"
        body = SubmitJob(content_uri=recording, encoding=SubmitJobEncoding.WAV, external_id=name, tags=[name])
        key = str(uuid4())
        job = found(JobView, submit_job.sync(client=client, body=body, idempotency_key=key))
        again = found(JobView, submit_job.sync(client=client, body=body, idempotency_key=key))
        assert again.id == job.id and job.state == State.QUEUED

        job = found(JobView, get_job.sync(job.id, client=client, wait=60))
        assert job.state == State.COMPLETED, job
        utterances = read(client, job.id)
        page = found(PageJobView, list_jobs.sync(client=client, tag=[name], status=[State.COMPLETED]))
        assert [job.id for job in page.data] == [again.id] and not page.has_more
        across(client, job.id, name, utterances)

        notified(client)

        batch = SubmitBatch(jobs=[body, SubmitJob(encoding=SubmitJobEncoding.WAV)])
        items = found(BatchView, submit_jobs.sync(client=client, body=batch, idempotency_key=str(uuid4()))).data
        assert [item.status for item in items] == [202, 422], items

        refused = submit_job.sync_detailed(client=client, body=SubmitJob(encoding=SubmitJobEncoding.WAV))
        problem = found(Problem, refused.parsed)
        assert refused.status_code == HTTPStatus.UNPROCESSABLE_ENTITY and problem.code == "validation-failed"
        missing = found(Problem, get_job.sync(uuid4(), client=client))
        assert missing.code == "job-not-found", missing
        print(f"job {job.id} is {job.state}, with {utterances} utterances")


def notified(client: AuthenticatedClient) -> None:
    body = CreateEndpoint(url="https://203.0.113.9/hook")
    endpoint = found(EndpointWithSecret, create_endpoint.sync(client=client, body=body))
    assert endpoint.secret.startswith("whsec_"), "the secret is shown once"
    paused = found(EndpointView, pause_endpoint.sync(endpoint.id, client=client))
    assert paused.state == EndpointState.PAUSED, paused
    assert delete_endpoint.sync_detailed(endpoint.id, client=client).status_code == HTTPStatus.NO_CONTENT


def read(client: AuthenticatedClient, job: UUID) -> int:
    """The parts of a result, with names for its speakers."""
    names = SpeakerNames()
    names["0"], names["1"] = "Rachel", "Tom"
    speakers = found(SpeakersView, name_speakers.sync(job, client=client, body=names)).data
    assert [it.speaker for it in speakers] == ["Rachel", "Tom"]
    found(Result, get_result.sync(job, client=client))
    utterances = found(PageUtteranceView, list_utterances.sync(job, client=client, limit=200)).data
    assert utterances and all(it.end >= it.start and it.text and it.speaker for it in utterances)
    insights = found(InsightsView, list_insights.sync(job, client=client, name=["KeyPhrases"])).data
    assert insights and all(it.evidence for it in insights), insights
    transcript = found(TranscriptView, get_transcript.sync(job, client=client))
    assert len(transcript.utterances) == len(utterances)
    shape = found(ShapeView, get_shape.sync(job, client=client))
    assert shape.utterances == len(utterances) and len(shape.speakers) == 2
    events = found(PageEventView, get_timeline.sync(job, client=client)).data
    assert [it.seq for it in events] == list(range(1, len(events) + 1))
    return len(utterances)


def across(client: AuthenticatedClient, job: UUID, tag: str, utterances: int) -> None:
    """Search, statistics and exports."""
    hits = found(PageHitView, search.sync(client=client, q='"fiber router"', job_id=job)).data
    assert hits and all("<mark>" in hit.snippet for hit in hits), hits
    group_by = GetJobStatsGroupBy.TAG
    groups = found(StatsView, get_job_stats.sync(client=client, group_by=group_by, limit=200)).data
    assert any(group.group == tag and group.measures.completed == 1 for group in groups), groups
    lines = found(str, export_utterances.sync(client=client, tag=[tag])).splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(utterances))


if __name__ == "__main__":
    main()
