-- The waveforms of uploaded recordings. A row goes with its recording.
set local lock_timeout = '5s';

create table aftercall.media_peaks (
    media_id         uuid             not null constraint media_peaks_pkey primary key
        constraint media_peaks_media references aftercall.media on delete cascade,
    -- Until then, the process that wrote it computes the peaks. It is extended while the work goes on.
    claimed_until    timestamptz      not null,
    computed_at      timestamptz,
    channels         integer          not null default 0,
    -- One byte for each stretch, channel after channel; 255 is full scale.
    peaks            bytea            not null default '',
    duration_seconds double precision not null default 0,
    -- Why the recording has none.
    failure          text
);
select aftercall.compress_with_lz4('aftercall.media_peaks', 'peaks');
