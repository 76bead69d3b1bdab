//! Container, codec, channels, sample rate and duration of a file.
use std::{
    fs::File,
    io::{Read as _, Seek as _},
    time::Duration,
};

use symphonia::core::{
    codecs::audio::{AudioCodecId, AudioCodecParameters, AudioDecoderOptions, well_known},
    errors::Error,
    formats::{FormatReader, Track},
    packet::Packet,
    units::{self, TimeBase, Timestamp},
};

use super::{
    Container, OpenError, Opened,
    bounded::{Allowance, Bounded},
    container::{HEAD, recognize},
    open,
};

/// Bytes of a file that its headers may take, and its first packet. The index of ten hours of MP4 audio has about
/// 8 MiB; embedded pictures are the largest headers that occur.
pub(super) const HEADERS: u64 = 64 * 1024 * 1024;

/// What an audio file contains.
#[derive(Debug, Clone, PartialEq)]
pub struct Audio {
    pub container: Container,
    /// A short name, such as `pcm_s16le` or `mp3`.
    pub codec: &'static str,
    pub channels: u16,
    /// In Hz.
    pub sample_rate: u32,
    pub duration: Duration,
}

/// What was found instead of audio, for people.
#[derive(Debug, thiserror::Error)]
pub enum NotAudio {
    #[error("the file is empty")]
    Empty,
    #[error("the file is {0}")]
    Other(&'static str),
    #[error("the file starts like {}, but is damaged: {why}", .container.name())]
    Damaged { container: Container, why: String },
    #[error("the {} file has no audio track", .0.name())]
    NoTrack(Container),
    #[error("the audio has 0 channels")]
    NoChannels,
    #[error("the {} file does not say its {what}", .container.name())]
    Untold { container: Container, what: &'static str },
    #[error("the {} file contains no sound", .0.name())]
    NoSound(Container),
    #[error("the file cannot be read back")]
    Io(#[from] std::io::Error),
}

/// Reads the headers of `file`, and as much more as its duration needs. Takes up to seconds: run it where blocking is
/// allowed.
pub fn inspect(mut file: File) -> Result<Audio, NotAudio> {
    let length = file.metadata()?.len();
    let mut head = Vec::with_capacity(HEAD);
    file.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    if head.is_empty() {
        return Err(NotAudio::Empty);
    }
    let container = recognize(&head).map_err(NotAudio::Other)?;
    if container == Container::Wav && has_no_channels(&head) {
        return Err(NotAudio::NoChannels);
    }
    file.rewind()?;
    let left = Allowance::new(HEADERS);
    let damaged = |why: String| {
        let why = if left.is_used_up() { "its headers are too large".to_owned() } else { why };
        NotAudio::Damaged { container, why }
    };
    let Opened { mut format, track_id, parameters } =
        open(Box::new(Bounded::new(file, length, left.clone()))).map_err(|error| match error {
            OpenError::NoAudio => NotAudio::NoTrack(container),
            OpenError::Unreadable(why) => damaged(why),
        })?;
    let first = next_packet(&mut *format, track_id).map_err(|error| damaged(error.to_string()))?;
    let first = first.ok_or(NotAudio::NoSound(container))?;
    let (channels, sample_rate) = measured(&parameters, &first);
    let untold = |what| NotAudio::Untold { container, what };
    let channels = channels.ok_or_else(|| untold("number of channels"))?;
    let sample_rate = sample_rate.ok_or_else(|| untold("sample rate"))?;
    if channels == 0 {
        return Err(NotAudio::NoChannels);
    }
    let stated = format
        .tracks()
        .iter()
        .find(|track| track.id == track_id)
        .and_then(|track| stated(track, sample_rate))
        .or_else(|| seconds_of(format.media_info().time_base, format.media_info().duration));
    let seconds = match stated {
        Some(seconds) if container == Container::Wav => {
            seconds.min(held(&parameters, channels, sample_rate, length).unwrap_or(seconds))
        }
        Some(seconds) => seconds,
        None => {
            // Packets are as small as a reader that streams them needs.
            left.lift();
            walked(&mut *format, track_id, &first, sample_rate)
        }
    };
    let duration = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    if duration.is_zero() {
        return Err(NotAudio::NoSound(container));
    }
    Ok(Audio { container, codec: codec_name(parameters.codec), channels, sample_rate, duration })
}

/// symphonia takes this for damage.
fn has_no_channels(head: &[u8]) -> bool {
    head.get(12..16).is_some_and(|id| id == b"fmt ") && head.get(22..24) == Some(&[0, 0])
}

/// Channels and sample rate, from the headers or else from the first packet.
fn measured(parameters: &AudioCodecParameters, first: &Packet) -> (Option<u16>, Option<u32>) {
    let count = |channels: usize| u16::try_from(channels).unwrap_or(u16::MAX);
    let channels = parameters.channels.as_ref().map(|channels| count(channels.count()));
    let rate = parameters.sample_rate.filter(|rate| *rate > 0);
    if channels.is_some() && rate.is_some() {
        return (channels, rate);
    }
    let codecs = symphonia::default::get_codecs();
    let Ok(mut decoder) = codecs.make_audio_decoder(parameters, &AudioDecoderOptions::default())
    else {
        return (channels, rate);
    };
    match decoder.decode(first) {
        Ok(sound) => {
            let spec = sound.spec();
            (channels.or(Some(count(spec.channels().count()))), rate.or(Some(spec.rate())))
        }
        Err(_) => (channels, rate),
    }
}

/// Seconds, as the headers say.
fn stated(track: &Track, sample_rate: u32) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let by_frames = || Some(track.num_frames? as f64 / f64::from(sample_rate));
    seconds_of(track.time_base, track.duration).or_else(by_frames).filter(|seconds| *seconds > 0.0)
}

fn seconds_of(base: Option<TimeBase>, duration: Option<units::Duration>) -> Option<f64> {
    let time = base?.calc_duration(duration?)?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    Some(time.as_micros() as f64 / 1e6).filter(|seconds| *seconds > 0.0)
}

/// Seconds that fit into `length` bytes; `None` for codecs that do not say. The headers of a recording that was cut off
/// say how long it should have been.
fn held(
    parameters: &AudioCodecParameters,
    channels: u16,
    sample_rate: u32,
    length: u64,
) -> Option<f64> {
    let bits = parameters.bits_per_coded_sample.or(parameters.bits_per_sample)?;
    let a_second = f64::from(bits) / 8.0 * f64::from(channels) * f64::from(sample_rate);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    Some(length as f64 / a_second).filter(|seconds| seconds.is_finite())
}

/// Seconds up to the end of the last packet that can be read.
fn walked(format: &mut dyn FormatReader, track_id: u32, first: &Packet, sample_rate: u32) -> f64 {
    let end_of = |packet: &Packet| {
        Timestamp::new(packet.pts.get().saturating_add_unsigned(packet.dur.get()))
    };
    let mut end = end_of(first);
    while let Ok(Some(packet)) = next_packet(format, track_id) {
        end = end.max(end_of(&packet));
    }
    let base = format.tracks().iter().find(|track| track.id == track_id);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let seconds = match base.and_then(|track| track.time_base) {
        Some(base) => base.calc_time_saturating(end).as_micros() as f64 / 1e6,
        None => end.get() as f64 / f64::from(sample_rate),
    };
    seconds
}

/// The next packet of the track; `None` at the end, wherever the file breaks off.
pub(super) fn next_packet(
    format: &mut dyn FormatReader,
    track_id: u32,
) -> Result<Option<Packet>, Error> {
    loop {
        match format.next_packet() {
            Ok(Some(packet)) if packet.track_id == track_id && !packet.data.is_empty() => {
                return Ok(Some(packet));
            }
            Ok(Some(_)) => {}
            Ok(None) => return Ok(None),
            Err(Error::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
    }
}

fn codec_name(codec: AudioCodecId) -> &'static str {
    match codec {
        // It has no decoder here.
        well_known::CODEC_ID_OPUS => "opus",
        codec => symphonia::default::get_codecs()
            .get_audio_decoder(codec)
            .map_or("other", |decoder| decoder.codec.info.short_name),
    }
}
