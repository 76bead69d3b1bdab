//! Finds the audio track of a file.
use symphonia::core::{
    codecs::audio::AudioCodecParameters,
    formats::{FormatOptions, FormatReader, TrackType, probe::Hint},
    io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions},
    meta::MetadataOptions,
};

/// A file whose headers have been read.
pub struct Opened {
    pub format: Box<dyn FormatReader>,
    /// Of the track in `format`.
    pub track_id: u32,
    pub parameters: AudioCodecParameters,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("it is not readable audio: {0}")]
    Unreadable(String),
    #[error("it has no audio track")]
    NoAudio,
}

/// Supports what symphonia is built with here: WAV (PCM, mu-law, A-law, ADPCM), MP3, MP4 and AAC, Ogg Vorbis, FLAC,
/// Matroska.
pub fn open(source: Box<dyn MediaSource>) -> Result<Opened, OpenError> {
    let source = MediaSourceStream::new(source, MediaSourceStreamOptions::default());
    let format = symphonia::default::get_probe()
        .probe(&Hint::new(), source, FormatOptions::default(), MetadataOptions::default())
        .map_err(|error| OpenError::Unreadable(error.to_string()))?;
    let track = format.default_track(TrackType::Audio).ok_or(OpenError::NoAudio)?;
    let parameters = track.codec_params.as_ref().and_then(|params| params.audio());
    let parameters = parameters.cloned().ok_or(OpenError::NoAudio)?;
    let track_id = track.id;
    Ok(Opened { format, track_id, parameters })
}
