#!/bin/sh
# Makes support-call.wav (8 kHz, 16 bit, agent left, customer right) and support-call.vtt from
# support-call.txt. Needs espeak-ng and sox (Debian: apt-get install espeak-ng sox).
# The committed files came from espeak-ng 1.51 and sox 14.4.2; other versions speak a little differently.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Seconds, as VTT writes them.
stamp() { awk -v t="$1" 'BEGIN { printf "00:%02d:%06.3f", int(t / 60), t - 60 * int(t / 60) }'; }

at=0
n=0
printf 'WEBVTT\n' > "$work/call.vtt"
grep -v '^#' support-call.txt > "$work/lines"
while IFS='|' read -r speaker pause text; do
    n=$((n + 1))
    case $speaker in
        Agent) voice="-v en-us -s 135 -p 35" ;;
        Customer) voice="-v en-gb+f3 -s 165 -p 60" ;;
    esac
    # Word splitting of $voice is meant.
    espeak-ng $voice -w "$work/raw.wav" "$text" < /dev/null
    # Trimmed at both ends, so that the cue times are those of the speech.
    sox -R -D "$work/raw.wav" -r 8000 -b 16 "$work/trimmed.wav" \
        silence 1 0.01 0.5% reverse silence 1 0.01 0.5% reverse
    gain=-3
    [ "$speaker" = Customer ] && gain=-8
    sox -R -D "$work/trimmed.wav" "$work/said.wav" norm "$gain"
    long=$(soxi -D "$work/said.wav")
    start=$(awk -v a="$at" -v p="$pause" 'BEGIN { printf "%.3f", a + p }')
    at=$(awk -v s="$start" -v l="$long" 'BEGIN { printf "%.3f", s + l }')
    printf '\n%s --> %s\n<v %s>%s\n' "$(stamp "$start")" "$(stamp "$at")" "$speaker" "$text" >> "$work/call.vtt"
    sox -R -D "$work/said.wav" "$work/$n-$speaker.wav" pad "$start"
done < "$work/lines"

for speaker in Agent Customer; do
    # -m divides by the number of inputs unless told that each is at full volume.
    sox -R -D -m $(ls "$work"/*-"$speaker".wav | sed 's/^/-v 1 /') "$work/$speaker.wav"
done
sox -R -D -M "$work/Agent.wav" "$work/Customer.wav" -b 16 support-call.wav pad 0 0.3
mv "$work/call.vtt" support-call.vtt
