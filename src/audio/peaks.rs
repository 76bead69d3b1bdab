//! How loud a recording is over time, as waveforms show it: the largest sample of each of many short stretches.
use std::{
    io::{Read, Seek},
    time::Duration,
};

use symphonia::core::{
    codecs::audio::{AudioDecoder, AudioDecoderOptions},
    errors::Error,
    formats::FormatReader,
};

use super::{
    OpenError, Opened,
    bounded::{Allowance, Bounded},
    inspect::{HEADERS, next_packet},
    open,
};

/// Stretches of a recording at least, unless it has fewer samples. At twice as many, pairs are merged, so that the memory
/// does not grow with the recording.
const STRETCHES: usize = 4096;
/// Channels with peaks; further ones are left out.
const MOST_CHANNELS: usize = 16;
/// Bytes that may be read for one packet.
const PACKET: u64 = 8 << 20;

/// The loudness of each channel. All channels have the same number of stretches, all but the last of the same length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peaks {
    /// 255 is full scale.
    pub channels: Vec<Vec<u8>>,
    pub duration: Duration,
}

/// Why there are none; for people.
#[derive(Debug, thiserror::Error)]
pub enum NoPeaks {
    #[error("its sound cannot be decoded: {0}")]
    Undecodable(String),
    #[error("it contains no sound")]
    NoSound,
    /// Says nothing about the recording.
    #[error("it was interrupted")]
    Interrupted,
}

/// Decodes all of `file`, which is of this length, up to where it breaks off. Memory is constant, but it takes up to minutes:
/// run it where blocking is allowed.
///
/// # Errors
/// [`NoPeaks::Interrupted`] soon after `is_interrupted` returns true.
pub fn peaks(
    file: impl Read + Seek + Send + Sync + 'static,
    length: u64,
    is_interrupted: impl Fn() -> bool,
) -> Result<Peaks, NoPeaks> {
    let left = Allowance::new(HEADERS);
    let Opened { mut format, track_id, parameters } =
        open(Box::new(Bounded::new(file, length, left.clone()))).map_err(|error| match error {
            OpenError::Unreadable(why) => NoPeaks::Undecodable(why),
            OpenError::NoAudio => NoPeaks::NoSound,
        })?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(&parameters, &AudioDecoderOptions::default())
        .map_err(|error| NoPeaks::Undecodable(error.to_string()))?;
    let mut wave = Wave::default();
    decode(&mut *format, &mut *decoder, track_id, &left, &is_interrupted, &mut wave)?;
    wave.finished().ok_or(NoPeaks::NoSound)
}

fn decode(
    format: &mut dyn FormatReader,
    decoder: &mut dyn AudioDecoder,
    track_id: u32,
    left: &Allowance,
    is_interrupted: &impl Fn() -> bool,
    wave: &mut Wave,
) -> Result<(), NoPeaks> {
    let mut planes: Vec<Vec<f32>> = Vec::new();
    loop {
        if is_interrupted() {
            return Err(NoPeaks::Interrupted);
        }
        left.set(PACKET);
        // Where the file is damaged, its sound ends.
        let Ok(Some(packet)) = next_packet(format, track_id) else { return Ok(()) };
        let sound = match decoder.decode(&packet) {
            Ok(sound) => sound,
            // One damaged packet is a click.
            Err(Error::DecodeError(_)) => continue,
            Err(_) => return Ok(()),
        };
        sound.copy_to_vecs_planar(&mut planes);
        wave.add(sound.spec().rate(), &planes);
    }
}

/// Peaks that are being collected.
#[derive(Debug, Default)]
struct Wave {
    channels: Vec<Vec<u8>>,
    /// Frames of a stretch; 0 before the first sound.
    width: usize,
    /// Frames in the last stretch.
    filled: usize,
    frames: u64,
    rate: u32,
}

impl Wave {
    fn add(&mut self, rate: u32, planes: &[Vec<f32>]) {
        let frames = planes.first().map_or(0, Vec::len);
        if frames == 0 {
            return;
        }
        if self.width == 0 {
            self.width = 1;
            self.filled = 1;
            self.rate = rate;
            self.channels.resize_with(planes.len().min(MOST_CHANNELS), Vec::new);
        }
        let mut from = 0;
        while from < frames {
            self.make_room();
            let to = frames.min(from + self.width - self.filled);
            for (channel, plane) in self.channels.iter_mut().zip(planes) {
                let samples = plane.get(from..to).unwrap_or_default();
                let loudest = samples.iter().fold(0.0_f32, |most, it| most.max(it.abs()));
                if let Some(last) = channel.last_mut() {
                    *last = (*last).max(level(loudest));
                }
            }
            self.filled += to - from;
            from = to;
        }
        self.frames += frames as u64;
    }

    /// Begins a new stretch if the last one is full.
    fn make_room(&mut self) {
        if self.filled < self.width {
            return;
        }
        if self.channels.first().is_some_and(|channel| channel.len() == 2 * STRETCHES) {
            self.width *= 2;
            for channel in &mut self.channels {
                let pairs = channel.chunks(2).map(|pair| pair.iter().copied().max().unwrap_or(0));
                *channel = pairs.collect();
            }
        }
        self.filled = 0;
        for channel in &mut self.channels {
            channel.push(0);
        }
    }

    fn finished(self) -> Option<Peaks> {
        if self.frames == 0 || self.rate == 0 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let seconds = self.frames as f64 / f64::from(self.rate);
        let duration = Duration::try_from_secs_f64(seconds).ok()?;
        Some(Peaks { channels: self.channels, duration })
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
fn level(sample: f32) -> u8 {
    (sample.min(1.0) * 255.0).round() as u8
}

impl Peaks {
    /// A channel in `points` parts, the loudest of each; parts that are shorter than the stretches repeat them.
    pub fn folded(&self, channel: usize, points: usize) -> Option<Vec<u8>> {
        let stretches = self.channels.get(channel)?;
        let part = |n: usize| {
            let from = n * stretches.len() / points;
            let to = ((n + 1) * stretches.len()).div_ceil(points).max(from + 1);
            stretches.get(from..to).into_iter().flatten().copied().max().unwrap_or(0)
        };
        Some((0..points).map(part).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    /// A WAV file of 16-bit samples, frame by frame.
    fn wav(channels: u16, rate: u32, samples: &[i16]) -> Vec<u8> {
        let bytes = u32::try_from(samples.len() * 2).unwrap();
        let mut file = b"RIFF".to_vec();
        file.extend((36 + bytes).to_le_bytes());
        file.extend(b"WAVEfmt \x10\0\0\0\x01\0");
        file.extend(channels.to_le_bytes());
        file.extend(rate.to_le_bytes());
        file.extend((rate * u32::from(channels) * 2).to_le_bytes());
        file.extend((channels * 2).to_le_bytes());
        file.extend(b"\x10\0data");
        file.extend(bytes.to_le_bytes());
        file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        file
    }

    fn of(file: Vec<u8>) -> Peaks {
        let length = file.len() as u64;
        peaks(Cursor::new(file), length, || false).unwrap()
    }

    #[test]
    fn each_channel_has_its_own_peaks() {
        let mut samples = Vec::new();
        for frame in 0..80_000 {
            let left = if frame / 8000 == 3 { -16_384 } else { 0 };
            let right = if frame == 79_999 { i16::MAX } else { 0 };
            samples.extend([left, right]);
        }
        let found = of(wav(2, 8000, &samples));
        assert_eq!(found.duration, Duration::from_secs(10));
        assert_eq!(found.folded(0, 10).unwrap(), [0, 0, 0, 128, 0, 0, 0, 0, 0, 0]);
        assert_eq!(found.folded(1, 10).unwrap(), [0, 0, 0, 0, 0, 0, 0, 0, 0, 255]);
        assert_eq!(found.folded(2, 10), None);
    }

    #[test]
    fn a_recording_shorter_than_its_points_is_stretched() {
        let found = of(wav(1, 8000, &[0, i16::MAX, 0, 0]));
        assert_eq!(found.folded(0, 8).unwrap(), [0, 0, 255, 255, 0, 0, 0, 0]);
    }

    #[test]
    fn a_recording_that_breaks_off_has_peaks_up_to_there() {
        let mut file = wav(1, 8000, &vec![i16::MAX; 16_000]);
        file.truncate(44 + 16_000);
        let found = of(file);
        assert_eq!(found.duration, Duration::from_secs(1));
        assert!(found.folded(0, 50).unwrap().iter().all(|peak| *peak == 255));
    }

    #[test]
    fn what_is_interrupted_has_none() {
        let file = wav(1, 8000, &vec![0; 8000]);
        let length = file.len() as u64;
        let interrupted = peaks(Cursor::new(file), length, || true);
        assert!(matches!(interrupted, Err(NoPeaks::Interrupted)));
        let text = b"no sound at all".to_vec();
        assert!(matches!(peaks(Cursor::new(text), 15, || false), Err(NoPeaks::Undecodable(_))));
    }

    proptest! {
        /// However the sound is divided into packets, the stretches are those of the whole.
        #[test]
        fn memory_is_bounded_and_no_peak_is_lost(
            packets in prop::collection::vec(1_usize..5000, 1..40),
            loud in 0.0_f64..1.0,
        ) {
            let frames: usize = packets.iter().sum();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small")]
            let at = (loud * frames as f64) as usize;
            let mut wave = Wave::default();
            let mut begun = 0;
            for packet in packets {
                let mut plane = vec![0.0; packet];
                if (begun..begun + packet).contains(&at) {
                    plane[at - begun] = -1.0;
                }
                begun += packet;
                wave.add(8000, &[plane]);
                prop_assert!(wave.channels[0].len() <= 2 * STRETCHES);
            }
            let width = wave.width;
            let peaks = wave.finished().unwrap();
            let stretches = &peaks.channels[0];
            prop_assert_eq!(stretches.len(), frames.div_ceil(width));
            prop_assert!(stretches.len() >= STRETCHES.min(frames));
            let expected = (0..stretches.len()).map(|n| if n == at / width { 255 } else { 0 });
            prop_assert!(stretches.iter().copied().eq(expected));
        }
    }
}
