//! Notifications: the outbox, deliveries, and what callers see of them.
mod api;
mod deliver;
mod fair;
mod killed;
mod order;
mod outbox;
mod pauses;
pub mod receiver;

use aftercall::{
    callers::{self, KeyTerms, Scope},
    config::Settings,
    egress::Secret,
    seal::Place,
};
use secrecy::ExposeSecret as _;
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::app::TestApp;

/// An endpoint that nothing is sent to.
pub async fn add_endpoint(pool: &PgPool, caller: Uuid, events: &[&str]) -> Uuid {
    let id = Uuid::now_v7();
    sqlx::query(
        "insert into aftercall.endpoints (id, caller_id, url_sealed, url_shown, secret, events)
        values ($1, $2, '', '', '', $3)",
    )
    .bind(id)
    .bind(caller)
    .bind(events)
    .execute(pool)
    .await
    .unwrap();
    id
}

/// An endpoint of the caller `app`, and its secret.
pub async fn endpoint(app: &TestApp, url: &str, events: &[&str]) -> (Uuid, Secret) {
    let caller = sqlx::query_scalar("select id from aftercall.callers where name = 'app'");
    let caller = caller.fetch_one(&app.db.pool).await.unwrap();
    let (id, secret) = (add_endpoint(&app.db.pool, caller, events).await, Secret::generate());
    let place = Place { table: "endpoints", row: id };
    sqlx::query("update aftercall.endpoints set url_sealed = $2, secret = $3 where id = $1")
        .bind(id)
        .bind(app.seal().seal(place, url.as_bytes()))
        .bind(app.seal().seal(place, secret.bytes()))
        .execute(&app.db.pool)
        .await
        .unwrap();
    (id, secret)
}

/// A service whose key may also manage endpoints.
pub async fn managing(adjust: impl FnOnce(&mut Settings)) -> TestApp {
    let mut app = TestApp::with(adjust).await;
    let scopes = [Scope::PLAIN, &[Scope::NotifyWrite]].concat();
    let terms = KeyTerms { scopes: &scopes, ..KeyTerms::default() };
    let key = callers::create(&app.db.pool, "app", "notify", terms).await.unwrap();
    key.text.expose_secret().clone_into(&mut app.key);
    app
}

/// The states of all notifications, in the order of their events.
pub async fn states(app: &TestApp) -> Vec<String> {
    sqlx::query_scalar("select state from aftercall.notifications order by occurred_at, id")
        .fetch_all(&app.db.pool)
        .await
        .unwrap()
}

/// Lets the time pass that retries and failing endpoints wait for.
pub async fn pass_waits(app: &TestApp) {
    sqlx::raw_sql(
        "update aftercall.notifications set due_at = now() where state = 'pending';
        update aftercall.endpoints set slow_until = now() where slow_until is not null",
    )
    .execute(&app.db.pool)
    .await
    .unwrap();
}
