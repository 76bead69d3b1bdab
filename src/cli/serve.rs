//! `aftercall serve`: the service itself.
use crate::{
    app::{self, LoadSettings, Reloads, ToldToStop},
    telemetry,
};

/// `load` is called again whenever the process is asked to reload its settings.
pub async fn run(load: LoadSettings) -> anyhow::Result<()> {
    let loaded = load()?;
    let settings = loaded.settings.clone();
    telemetry::init(settings.log.format, &settings.log.filter)?;
    let reloads = Reloads::listen(load, loaded)?;
    let mut app = match app::start(&settings).await {
        Err(error) if error.is::<ToldToStop>() => return Ok(()),
        started => started?,
    };
    app.reload_on(reloads);
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
