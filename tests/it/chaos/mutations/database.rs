//! Mutations of a correct database.

/// Jobs selected by their history, for use in the statements.
pub const CAST: &[(&str, &str)] = &[
    (
        "completed",
        "select id from aftercall.jobs j where state = 'completed' and completed_via = 'webhook'
            and request->>'contentUri' is not null
            and (select count(*) from aftercall.deliveries d where d.job_id = j.id) = 1
            and (select count(*) from aftercall.attempts a where a.job_id = j.id) = 1
            and exists (select from aftercall.results r
                where r.job_id = id and document like '%\"start\":0%')
         order by id limit 1",
    ),
    (
        "other",
        "select id from aftercall.jobs where state = 'completed' and completed_via = 'webhook'
            and request->>'contentUri' is not null
            and exists (select from aftercall.results r
                where r.job_id = id and document like '%\"start\":0%')
         order by id desc limit 1",
    ),
    ("hopeless", "select id from aftercall.jobs where state = 'timed_out' order by id limit 1"),
    ("failed", "select id from aftercall.jobs where state = 'failed' order by id limit 1"),
    (
        "submitted",
        "select job_id from aftercall.attempts where outcome = 'accepted' order by job_id limit 1",
    ),
    (
        "doubtful",
        "select job_id from aftercall.job_events
         where kind = 'requeued' and detail->>'because' = 'unknown' order by job_id limit 1",
    ),
    (
        "delivered",
        "select job_id from aftercall.deliveries where via = 'webhook'
         group by job_id having count(*) = 1 order by job_id limit 1",
    ),
    (
        "repeated",
        "select job_id from aftercall.deliveries where outcome = 'duplicate' order by job_id limit 1",
    ),
    (
        "polled",
        "select job_id from aftercall.deliveries where outcome = 'accepted' and case via
            when 'poll' then position('order' in convert_from(body, 'UTF8')) > 0 end
         order by job_id limit 1",
    ),
    (
        "alike",
        "select job_id from aftercall.deliveries where via = 'webhook' and outcome <> 'duplicate'
         group by job_id, body_sha having count(distinct attempt) > 1 order by job_id limit 1",
    ),
    (
        "overtaken",
        "select d.job_id from aftercall.deliveries d
         join aftercall.job_events e on e.job_id = d.job_id and e.detail->>'because' = 'unknown'
         where d.via = 'webhook' and d.outcome = 'late' and d.attempt = 1 order by 1 limit 1",
    ),
    (
        "damaged",
        "select job_id from aftercall.deliveries where outcome = 'malformed' order by job_id limit 1",
    ),
];

/// Statements that corrupt the database, and part of the message the checker must then report.
pub const STATEMENTS: &[(&str, &str)] = &[
    // Results and their rows.
    ("delete from aftercall.results where job_id = {completed}", "0 results"),
    (
        "alter table aftercall.results drop constraint results_pkey;
         insert into aftercall.results select * from aftercall.results where job_id = {completed}",
        "2 results",
    ),
    (
        "update aftercall.results set document = overlay(document placing
            chr(ascii(substr(document, length(document) - 40, 1)) + 1)
            from length(document) - 40 for 1) where job_id = {completed}",
        "its document has another digest",
    ),
    (
        "update aftercall.results set document = replace(document, 'order', 'ordex'),
            document_sha = sha256(convert_to(replace(document, 'order', 'ordex'), 'UTF8'))
         where job_id = {completed}",
        "utteranceInsights is not what the provider computed",
    ),
    (
        "update aftercall.results set document = (document::jsonb - 'speakerInsights')::text
         where job_id = {completed}",
        "speakerInsights is not what the provider computed",
    ),
    (
        "update aftercall.results set document = (document::jsonb || '{\"more\": 1}')::text
         where job_id = {completed}",
        "members that the response has not",
    ),
    (
        "update aftercall.results r set document = o.document, document_sha = o.document_sha
         from aftercall.results o
         where (r.job_id, o.job_id) in (({completed}, {other}), ({other}, {completed}))",
        "document: jobId is",
    ),
    (
        "update aftercall.results r set document = replace(o.document, o.job_id::text, r.job_id::text)
         from aftercall.results o
         where (r.job_id, o.job_id) in (({completed}, {other}), ({other}, {completed}))",
        "utteranceInsights is not what the provider computed",
    ),
    ("delete from aftercall.utterances where job_id = {completed} and seq = 1", "utterances: "),
    (
        "alter table aftercall.utterances drop constraint utterances_pkey;
         insert into aftercall.utterances select * from aftercall.utterances
         where job_id = {completed} and seq = 1",
        "utterances: ",
    ),
    (
        "update aftercall.utterances set text = text || '.' where job_id = {completed} and seq = 0",
        "utterances: ",
    ),
    (
        "update aftercall.utterances set start_seconds = start_seconds + 0.01
         where job_id = {completed} and seq = 0",
        "utterances: ",
    ),
    (
        "update aftercall.utterances u set text = o.text from aftercall.utterances o
         where (u.job_id, o.job_id) in (({completed}, {other}), ({other}, {completed}))
           and u.seq = o.seq",
        "utterances: ",
    ),
    ("delete from aftercall.speakers where job_id = {completed}", "speakers: 0 rows"),
    (
        "update aftercall.speakers set word_count = word_count + 1 where job_id = {completed}",
        "speakers: ",
    ),
    (
        "delete from aftercall.speaker_insights where job_id = {completed} and name = 'Energy'",
        "speaker_insights: ",
    ),
    ("delete from aftercall.questions where job_id = {completed}", "questions: 0 rows"),
    (
        "update aftercall.conversation_insights set value = value || '!'
         where job_id = {completed} and name = 'KeyPhrases' and seq = 0",
        "conversation_insights: ",
    ),
    (
        "insert into aftercall.utterances (job_id, seq, start_seconds, end_seconds, text)
         values ({failed}, 0, 0, 1, 'Made up.')",
        "utterances: 1 rows without result",
    ),
    (
        "insert into aftercall.questions (job_id, seq, speaker_id, text)
         select aftercall.uuid_floor(now()), 0, '0', 'Whose?'",
        "questions has a row of a job that is not there",
    ),
    // Jobs.
    (
        "update aftercall.jobs set state = 'failed' where id = {completed}",
        "its timeline ends completed, it is failed",
    ),
    (
        "update aftercall.jobs set state = 'completed', completed_via = 'webhook' where id = {failed}",
        "0 results",
    ),
    (
        "update aftercall.jobs set state = 'timed_out' where id = {completed}",
        "timed out, although",
    ),
    (
        "update aftercall.jobs set state = 'queued', finished_at = null, due_at = now()
         where id = {completed}",
        "ended as queued",
    ),
    (
        "update aftercall.jobs set completed_via = 'replay' where id = {completed}",
        "completed via",
    ),
    (
        "update aftercall.jobs set error = '{\"code\": \"CAI-999\"}' where id = {failed}",
        "failed with",
    ),
    ("update aftercall.jobs set version = version + 1 where id = {completed}", "its events are not"),
    ("delete from aftercall.jobs where id = {completed}", "accepted a job that is not there"),
    (
        "update aftercall.attempts set provider_job_id = 'made-up' where job_id = {hopeless}",
        "timed out, although the provider could be asked",
    ),
    // Attempts.
    (
        "update aftercall.attempts set outcome = 'broken' where job_id = {submitted}",
        "broken, yet accepted",
    ),
    (
        "update aftercall.attempts set token_sha = sha256(token_sha) where job_id = {completed}",
        "no attempt has the token of",
    ),
    (
        "update aftercall.attempts a set token_sha = o.token_sha from aftercall.attempts o
         where (a.job_id, o.job_id) in (({completed}, {other}), ({other}, {completed}))
           and a.number = o.number",
        "no attempt has the token of",
    ),
    (
        "update aftercall.attempts set provider_job_id = 'another' where job_id = {completed}",
        "has the id of another provider job",
    ),
    (
        "delete from aftercall.attempts where job_id = {completed}",
        "an attempt is not told of",
    ),
    (
        "insert into aftercall.attempts (job_id, number, token_sha, outcome, created_at)
         select job_id, number + 1, sha256(token_sha), 'unknown', created_at + interval '1 hour'
         from aftercall.attempts where job_id = {completed} order by number desc limit 1",
        "an attempt is not told of",
    ),
    (
        "update aftercall.attempts set created_at = created_at - interval '4 seconds'
         where job_id = {doubtful} and number > 1",
        "was repeated after",
    ),
    (
        "delete from aftercall.job_events
         where job_id = {doubtful} and kind in ('unconfirmed', 'abandoned')",
        "was repeated without a doubt",
    ),
    (
        "update aftercall.attempts set created_at = created_at + interval '1 hour'
         where job_id = {overtaken} and number = 2",
        "was repeated although its end was told",
    ),
    // Deliveries.
    (
        "update aftercall.deliveries d set outcome = 'duplicate', body = null
         where job_id = {alike} and exists (select from aftercall.deliveries o
            where o.job_id = d.job_id and o.body_sha = d.body_sha and o.attempt < d.attempt)",
        "a duplicate is the first delivery of its body for its attempt",
    ),
    ("delete from aftercall.deliveries where job_id = {delivered}", "got a 200, 0 are stored"),
    (
        "delete from aftercall.deliveries where job_id = {repeated} and outcome = 'duplicate'",
        "got a 200, ",
    ),
    (
        "update aftercall.deliveries set body = set_byte(body, 10, get_byte(body, 10) # 1)
         where job_id = {completed} and body is not null",
        "a body is not the one that was received",
    ),
    (
        "update aftercall.deliveries set body = set_byte(body, 10, get_byte(body, 10) # 1),
            body_sha = sha256(set_byte(body, 10, get_byte(body, 10) # 1))
         where job_id = {delivered}",
        "was never sent to its webhook",
    ),
    (
        "alter table aftercall.deliveries drop constraint deliveries_body_kept;
         update aftercall.deliveries set body = null where job_id = {completed}",
        "the bytes of a body are not kept exactly once",
    ),
    (
        "update aftercall.deliveries set outcome = 'superseded'
         where job_id = {completed} and outcome = 'accepted'",
        "0 deliveries were accepted",
    ),
    (
        "update aftercall.deliveries set outcome = 'mismatch' where job_id = {completed}",
        "a delivery is mismatch",
    ),
    (
        "insert into aftercall.deliveries select job_id, gen_random_uuid(), attempt, via,
            'duplicate', null, headers, null, body_sha, body_bytes from aftercall.deliveries
         where job_id = {delivered}",
        "are stored, fewer were sent",
    ),
    (
        "update aftercall.deliveries set body = convert_to(
            replace(convert_from(body, 'UTF8'), 'order', 'ordex'), 'UTF8'),
            body_sha = sha256(convert_to(
                replace(convert_from(body, 'UTF8'), 'order', 'ordex'), 'UTF8'))
         where job_id = {polled} and via = 'poll'",
        "is not what the provider has",
    ),
    (
        "update aftercall.deliveries set outcome = 'superseded'
         where job_id = {damaged} and outcome = 'malformed'",
        "truncated is true, but it is superseded",
    ),
    // Timelines.
    (
        "delete from aftercall.job_events where job_id = {completed} and kind = 'submitting'",
        "its events are not",
    ),
    (
        "update aftercall.job_events set seq = seq + 1 where job_id = {completed}
           and kind = 'completed'",
        "its events are not",
    ),
    (
        "alter table aftercall.job_events drop constraint job_events_pkey;
         insert into aftercall.job_events select * from aftercall.job_events
         where job_id = {completed} and seq = 1",
        "its events are not",
    ),
    (
        "update aftercall.job_events set kind = 'abandoned'
         where job_id = {completed} and kind = 'completed'",
        "but events",
    ),
    (
        "with gone as (delete from aftercall.job_events where job_id = {repeated}
            and kind = 'delivery' returning job_id)
         update aftercall.jobs set version = version - (select count(*) from gone)
         where id = {repeated}",
        "but events",
    ),
    // Keys.
    (
        "delete from aftercall.idempotency_keys where location = '/v1/jobs/' || {completed}",
        "0 keys name it",
    ),
    (
        "insert into aftercall.idempotency_keys select caller_id, route, key || '-again',
            fingerprint, location, body, created_at
         from aftercall.idempotency_keys where location = '/v1/jobs/' || {completed}",
        "2 keys name it",
    ),
    (
        "update aftercall.idempotency_keys set location = '/v1/jobs/' || {other}
         where location = '/v1/jobs/' || {completed}",
        "is stored for a job that is not there",
    ),
    (
        "update aftercall.jobs j set external_id = o.external_id from aftercall.jobs o
         where j.id = {completed} and o.id = {other}",
        "it is the same call as job",
    ),
];
