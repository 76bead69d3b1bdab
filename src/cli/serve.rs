//! `aftercall serve`: the service itself.
use crate::{
    app::{self, ToldToStop},
    config::Settings,
    telemetry,
};

pub async fn run(settings: Settings) -> anyhow::Result<()> {
    telemetry::init(settings.log.format, "info,sqlx=warn")?;
    let app = match app::start(&settings).await {
        Err(error) if error.is::<ToldToStop>() => return Ok(()),
        started => started?,
    };
    let addresses = &app.addresses;
    tracing::info!(
        api = addresses.api.map(tracing::field::display),
        webhook = addresses.webhook.map(tracing::field::display),
        ops = %addresses.ops,
        recording = addresses.sandbox.as_ref().map(|it| tracing::field::display(&it.recording_url)),
        "ready"
    );
    app.run().await
}
