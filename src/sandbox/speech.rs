//! Detects speech in the loudness of a channel and measures how loud it is.
//!
//! A frame is speech when it is louder than a threshold derived from the channel; short gaps are
//! closed and short bursts dropped.
use super::{decode::FRAME, number};

/// Pauses shorter than this many seconds, such as stops inside words, are part of the speech.
const GAP: f64 = 0.3;
/// Sounds shorter than this many seconds are clicks.
const BURST: f64 = 0.1;
/// Nothing below this level, in dB of full scale, is speech.
const QUIETEST: f64 = -60.0;

/// A stretch of speech, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    pub start: f64,
    pub end: f64,
}

impl Segment {
    pub fn length(self) -> f64 {
        self.end - self.start
    }

    /// Seconds that both have in common.
    pub fn overlap(self, other: Self) -> f64 {
        (self.end.min(other.end) - self.start.max(other.start)).max(0.0)
    }
}

/// Total seconds of speech.
pub fn talk_time(segments: &[Segment]) -> f64 {
    segments.iter().map(|segment| segment.length()).sum()
}

/// Speech in one channel, given the mean square of each frame.
pub fn segments(levels: &[f64]) -> Vec<Segment> {
    let threshold = threshold(levels);
    let mut found: Vec<Segment> = Vec::new();
    for (frame, level) in levels.iter().enumerate() {
        if decibels(*level) <= threshold {
            continue;
        }
        let (start, end) = (number::of(frame) * FRAME, number::of(frame + 1) * FRAME);
        match found.last_mut() {
            Some(last) if start - last.end < GAP => last.end = end,
            _ => found.push(Segment { start, end }),
        }
    }
    found.retain(|segment| segment.length() >= BURST);
    found
}

/// Energy on a scale of 0 to 100: the mean level of the speech inside `spans`, where `floor` (in dB
/// of full scale) maps to 0 and full scale to 100. `None` without speech.
pub fn energy(levels: &[f64], spans: &[Segment], floor: f64) -> Option<f64> {
    let threshold = threshold(levels);
    let inside = spans.iter().flat_map(|span| {
        let first = number::whole((span.start / FRAME).round());
        let last = number::whole((span.end / FRAME).round()).min(levels.len());
        levels.get(first..last.max(first)).unwrap_or_default()
    });
    let loud: Vec<f64> = inside.copied().filter(|level| decibels(*level) > threshold).collect();
    if loud.is_empty() {
        return None;
    }
    let mean = loud.iter().sum::<f64>() / number::of(loud.len());
    Some((100.0 * (1.0 - decibels(mean) / floor)).clamp(0.0, 100.0))
}

fn decibels(mean_square: f64) -> f64 {
    10.0 * mean_square.max(1e-10).log10()
}

/// 30 dB below the loudest speech, raised above background noise where there is a lot of it, but
/// never so far that a voice without pauses counts as noise.
fn threshold(levels: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = levels.iter().map(|level| decibels(*level)).collect();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| {
        sorted.get(number::whole(number::of(sorted.len()) * share)).copied().unwrap_or(QUIETEST)
    };
    let (background, loudest) = (at(0.1), at(0.98));
    (loudest - 30.0).max((background + 10.0).min(loudest - 18.0)).max(QUIETEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(seconds, dB)` pieces as frames.
    fn frames(pieces: &[(f64, f64)]) -> Vec<f64> {
        let piece = |(seconds, level): &(f64, f64)| {
            vec![10_f64.powf(level / 10.0); number::whole((seconds / FRAME).round())]
        };
        pieces.iter().flat_map(piece).collect()
    }

    fn rounded(levels: &[f64]) -> Vec<(String, String)> {
        let text = |seconds: f64| format!("{seconds:.2}");
        segments(levels).iter().map(|s| (text(s.start), text(s.end))).collect()
    }

    fn pair(start: &str, end: &str) -> (String, String) {
        (start.to_owned(), end.to_owned())
    }

    #[test]
    fn pauses_split_and_stops_inside_words_do_not() {
        let levels = frames(&[
            (1.0, -90.0),
            (0.5, -20.0),
            (0.2, -90.0),
            (0.5, -22.0),
            (1.0, -90.0),
            (0.6, -18.0),
        ]);
        assert_eq!(rounded(&levels), [pair("1.00", "2.20"), pair("3.20", "3.80")]);
    }

    #[test]
    fn clicks_and_background_noise_are_no_speech() {
        let levels =
            frames(&[(1.0, -42.0), (0.06, -15.0), (1.0, -42.0), (2.0, -20.0), (1.0, -42.0)]);
        assert_eq!(rounded(&levels), [pair("2.06", "4.06")]);
        assert_eq!(rounded(&frames(&[(3.0, -80.0)])), []);
    }

    #[test]
    fn a_voice_without_pauses_is_speech_all_through() {
        let levels = frames(&[(1.0, -20.0), (1.0, -25.0), (1.0, -18.0)]);
        assert_eq!(rounded(&levels), [pair("0.00", "3.00")]);
    }

    #[test]
    fn energy_is_the_level_of_the_speech_alone() {
        let levels = frames(&[(1.0, -30.0), (5.0, -90.0)]);
        let all = Segment { start: 0.0, end: 6.0 };
        let energy = energy(&levels, &[all], -60.0).unwrap();
        assert!((energy - 50.0).abs() < 0.01, "{energy}");
        let silence = Segment { start: 2.0, end: 3.0 };
        assert_eq!(super::energy(&levels, &[silence], -60.0), None);
    }
}
