//! Measures the loudness of each channel of a recording over time, without holding all samples.
use std::{io::Cursor, time::Duration};

use symphonia::core::{
    codecs::audio::{AudioDecoder, AudioDecoderOptions},
    errors::Error,
    formats::FormatReader,
};

use super::number;
use crate::audio::{self, OpenError, Opened};

/// Length in seconds of the frames over which loudness is measured.
pub const FRAME: f64 = 0.02;

/// Loudness of a recording.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Levels {
    /// Seconds.
    pub duration: f64,
    /// For each channel, the mean square of each [`FRAME`]; full scale is 1.
    pub channels: Vec<Vec<f64>>,
}

impl Levels {
    /// Mean power over all channels, frame by frame: the recording as mono.
    pub fn mixed(&self) -> Vec<f64> {
        let longest = self.channels.iter().map(Vec::len).max().unwrap_or(0);
        let share = number::of(self.channels.len().max(1));
        (0..longest)
            .map(|frame| {
                self.channels.iter().filter_map(|levels| levels.get(frame)).sum::<f64>() / share
            })
            .collect()
    }
}

/// Why a recording could not be read; the message is sent to the submitter.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("it is not readable audio: {0}")]
    Unreadable(String),
    #[error("it has no audio track")]
    NoAudio,
    #[error("it is longer than {} s", .0.as_secs())]
    TooLong(Duration),
}

impl From<OpenError> for DecodeError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Unreadable(why) => Self::Unreadable(why),
            OpenError::NoAudio => Self::NoAudio,
        }
    }
}

/// Measures the loudness of the recording in `bytes`. Takes seconds of CPU: run it off the executor.
pub fn levels(bytes: Vec<u8>, longest: Duration) -> Result<Levels, DecodeError> {
    let Opened { mut format, track_id, parameters } = audio::open(Box::new(Cursor::new(bytes)))?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(&parameters, &AudioDecoderOptions::default())
        .map_err(|error| DecodeError::Unreadable(error.to_string()))?;
    measure(&mut *format, &mut *decoder, track_id, longest)
}

fn measure(
    format: &mut dyn FormatReader,
    decoder: &mut dyn AudioDecoder,
    track: u32,
    longest: Duration,
) -> Result<Levels, DecodeError> {
    let mut meters: Vec<Meter> = Vec::new();
    let mut planes: Vec<Vec<f32>> = Vec::new();
    while let Some(packet) = next_packet(format)? {
        if packet.track_id != track {
            continue;
        }
        let sound = match decoder.decode(&packet) {
            Ok(sound) => sound,
            // One damaged packet is a click in the sound and must not fail the whole recording.
            Err(Error::DecodeError(_)) => continue,
            Err(error) => return Err(DecodeError::Unreadable(error.to_string())),
        };
        let rate = sound.spec().rate();
        sound.copy_to_vecs_planar(&mut planes);
        meters.resize_with(planes.len().max(meters.len()), || Meter::new(rate));
        for (meter, samples) in meters.iter_mut().zip(&planes) {
            meter.take(samples);
        }
        if meters.iter().any(|meter| meter.seconds() > longest.as_secs_f64()) {
            return Err(DecodeError::TooLong(longest));
        }
    }
    let duration = meters.iter().map(Meter::seconds).fold(0.0, f64::max);
    if duration <= 0.0 {
        return Err(DecodeError::NoAudio);
    }
    Ok(Levels { duration, channels: meters.into_iter().map(Meter::finish).collect() })
}

fn next_packet(
    format: &mut dyn FormatReader,
) -> Result<Option<symphonia::core::packet::Packet>, DecodeError> {
    match format.next_packet() {
        Ok(packet) => Ok(packet),
        // A truncated recording is measured up to where it breaks off.
        Err(Error::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(DecodeError::Unreadable(error.to_string())),
    }
}

/// Accumulates the samples of one channel into frames.
struct Meter {
    rate: u32,
    /// Samples per frame.
    per_frame: usize,
    samples: usize,
    sum: f64,
    frames: Vec<f64>,
}

impl Meter {
    fn new(rate: u32) -> Self {
        let per_frame = number::whole(f64::from(rate) * FRAME).max(1);
        Self { rate, per_frame, samples: 0, sum: 0.0, frames: Vec::new() }
    }

    fn take(&mut self, samples: &[f32]) {
        for sample in samples {
            self.sum += f64::from(*sample) * f64::from(*sample);
            self.samples += 1;
            if self.samples.is_multiple_of(self.per_frame) {
                self.frames.push(self.sum / number::of(self.per_frame));
                self.sum = 0.0;
            }
        }
    }

    fn seconds(&self) -> f64 {
        number::of(self.samples) / f64::from(self.rate.max(1))
    }

    fn finish(mut self) -> Vec<f64> {
        let rest = self.samples % self.per_frame;
        if rest > 0 {
            self.frames.push(self.sum / number::of(rest));
        }
        self.frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the fixtures of `tests/fixtures/audio/make.sh`: left channel 440 Hz at -6 dB from 0.5 s to 1.0 s.
    fn assert_tone(bytes: &[u8]) {
        let levels = levels(bytes.to_vec(), Duration::from_mins(1)).unwrap();
        assert_eq!(levels.channels.len(), 2);
        assert!((levels.duration - 2.0).abs() < 0.15, "{}", levels.duration);
        // A sine at -6 dB has a mean square of 10^(-0.6)/2 = -9 dB.
        let at = |channel: usize, second: f64| {
            10.0 * (levels.channels[channel][number::whole(second / FRAME)] + 1e-12).log10()
        };
        assert!((at(0, 0.75) + 9.0).abs() < 1.5, "{}", at(0, 0.75));
        assert!((at(1, 1.5) + 15.0).abs() < 1.5, "{}", at(1, 1.5));
        assert!(at(0, 1.5) < -35.0, "{}", at(0, 1.5));
        assert!(at(1, 0.75) < -35.0, "{}", at(1, 0.75));
    }

    macro_rules! fixture {
        ($file:literal) => {
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/audio/", $file))
        };
    }

    #[test]
    fn each_format_gives_the_same_loudness() {
        assert_tone(fixture!("tone.wav"));
        assert_tone(fixture!("mulaw.wav"));
        assert_tone(fixture!("tone.flac"));
        assert_tone(fixture!("tone.mp3"));
        assert_tone(fixture!("tone.m4a"));
        assert_tone(fixture!("tone.ogg"));
    }

    #[test]
    fn what_is_no_audio_is_told_apart_from_what_is_too_long() {
        let text = levels(b"<html>not found</html>".to_vec(), Duration::from_mins(1));
        assert!(matches!(text, Err(DecodeError::Unreadable(_))), "{text:?}");
        let long = levels(fixture!("tone.wav").to_vec(), Duration::from_secs(1));
        assert!(matches!(long, Err(DecodeError::TooLong(_))), "{long:?}");
    }
}
