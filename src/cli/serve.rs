//! `aftercall serve`: the service itself.
use crate::{app, config::Settings, telemetry};

pub async fn run(settings: Settings) -> anyhow::Result<()> {
    telemetry::init(settings.log.format, "info,sqlx=warn")?;
    let app = app::start(&settings).await?;
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
