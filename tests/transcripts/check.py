"""Compares each golden transcript, as webvtt-py, srt and csv read it, with the JSON one."""
import csv
import html
import json
import re
import sys
import unicodedata
from pathlib import Path

import srt
import webvtt

ISOLATES = "\u2068\u2069"


def plain(text):
    """Without white space, control characters and isolates: what every form has to keep."""
    kept = (c for c in text if not c.isspace() and unicodedata.category(c) != "Cc")
    return "".join(c for c in kept if c not in ISOLATES)


def label(said):
    if said["speaker"] is not None:
        return said["speaker"]
    return None if said["speakerId"] is None else f"Speaker {said['speakerId']}"


def vtt(path):
    """Cues as (start, end, speaker, text); times in seconds."""
    for cue in webvtt.read(path):
        speaker = None if cue.voice is None else html.unescape(cue.voice)
        text = html.unescape(re.sub("<[^>]*>", "", cue.raw_text))
        yield cue.start_in_seconds, cue.end_in_seconds, speaker, text


def exact_vtt_times(path):
    """The library's seconds are whole."""
    times = re.findall(r"^([\d:.]+) --> ([\d:.]+)$", path.read_text("utf-8"), re.M)
    return [(srt.srt_timestamp_to_timedelta(start).total_seconds(),
             srt.srt_timestamp_to_timedelta(end).total_seconds()) for start, end in times]


def check_times(cues, spoken, where):
    """One cue for each utterance that has a text, with its times."""
    spoken = sorted(spoken, key=lambda said: round(said["start"], 3))
    assert len(cues) == len(spoken), f"{where}: {len(cues)} cues, {len(spoken)} utterances"
    for (start, end), said in zip(cues, spoken):
        lasts = max(said["end"], said["start"] + 0.001)
        assert abs(start - said["start"]) <= 0.001, f"{where}: {start} {said}"
        assert abs(end - lasts) <= 0.0015, f"{where}: {end} {said}"
    return spoken


def check_text(shown, spoken, where):
    """Cut or not, the same text in the same order."""
    spoken = sorted(spoken, key=lambda said: round(said["start"], 3))
    assert plain("".join(shown)) == plain("".join(said["text"] for said in spoken)), where


def check_width(path, texts, longest=32):
    for text in texts:
        lines = text.split("\n")
        assert len(lines) <= 2 and all(lines), f"{path}: {text!r}"
        # Of other lines, Python knows code points, not what is seen as one character.
        assert all(len(line) <= longest for line in lines if line.isascii()), f"{path}: {text!r}"


def check_vtt(folder, spoken):
    path = folder / "transcript.vtt"
    cues = list(vtt(path))
    ordered = check_times(exact_vtt_times(path), spoken, path)
    assert len(cues) == len(ordered), path
    for (_, _, speaker, text), said in zip(cues, ordered):
        expected = label(said)
        assert plain(speaker or "") == plain(expected or ""), f"{path}: {speaker!r} {said}"
        assert plain(text) == plain(said["text"]), f"{path}: {text!r} {said}"
    path = folder / "max32.vtt"
    texts = [text for _, _, _, text in vtt(path)]
    if not any(a["end"] > b["start"] for a, b in zip(ordered, ordered[1:])):
        check_text(texts, spoken, path)
    check_width(path, texts)
    return len(cues) + len(texts)


def check_srt(folder, spoken):
    path = folder / "transcript.srt"
    cues = list(srt.parse(path.read_text("utf-8")))
    assert [cue.index for cue in cues] == list(range(1, len(cues) + 1)), path
    times = [(cue.start.total_seconds(), cue.end.total_seconds()) for cue in cues]
    ordered = check_times(times, spoken, path)
    for cue, said in zip(cues, ordered):
        name = label(said)
        expected = said["text"] if name is None else f"{name}: {said['text']}"
        expected = expected.replace("-->", "→")
        assert plain(cue.content) == plain(expected), f"{path}: {cue.content!r} {said}"
    path = folder / "max32.srt"
    short = list(srt.parse(path.read_text("utf-8")))
    check_width(path, [cue.content for cue in short])
    return len(cues) + len(short)


def check_csv(folder, spoken):
    path = folder / "transcript.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert len(rows) == len(spoken), path
    for row, said in zip(rows, spoken):
        cells = {name: re.sub(r"^'(?=[=+\-@\t\r\n])", "", cell) for name, cell in row.items()}
        assert not any(cell.startswith(tuple("=+-@\t\r\n")) for cell in row.values()), row
        assert int(cells["seq"]) == said["seq"] and cells["text"] == said["text"], f"{path}: {row}"
        times = (float(cells["start"]), float(cells["end"]))
        assert times == (said["start"], said["end"]), f"{path}: {row}"
        assert cells["speakerId"] == (said["speakerId"] or ""), f"{path}: {row}"
    return len(rows)


def main(base):
    counts = [0, 0, 0]
    folders = sorted(path for path in Path(base).iterdir() if path.is_dir())
    for folder in folders:
        spoken = json.loads((folder / "transcript.json").read_text("utf-8"))["utterances"]
        shown = [said for said in spoken if plain(said["text"])]
        counts[0] += check_vtt(folder, shown)
        counts[1] += check_srt(folder, shown)
        counts[2] += check_csv(folder, spoken)
    assert len(folders) >= 6 and min(counts) > 0, (len(folders), counts)
    cues, subtitles, rows = counts
    print(f"{len(folders)} conversations: {cues} cues of WebVTT, {subtitles} of SubRip, {rows} rows of CSV")


main(sys.argv[1])
