//! The running service and its role.
use std::fs;

use aftercall::{db::LoginRole, embedded::DATABASE};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use crate::{
    embedded::{self, data},
    process::{Home, Service},
    support::{app::SEAL_KEY, db::TestDb},
};

fn production(home: Home, url: impl Into<String>) -> Home {
    home.set("AFTERCALL_ENV", "production")
        .set("DATABASE_URL", url)
        .set("RC_SERVER_URL", "https://provider.invalid")
        .set("RC_CLIENT_ID", "id")
        .set("RC_CLIENT_SECRET", "hush")
        .set("RC_JWT", "hush")
        .set("AFTERCALL__SEAL__KEY", SEAL_KEY)
        .set("AFTERCALL__WEBHOOK__PUBLIC_URL", "https://hooks.example")
}

#[tokio::test]
async fn production_refuses_a_superuser() {
    let db = TestDb::new().await;
    let home = production(Home::new(), db.connect_options().to_url_lossy());
    let told = home.run(&["serve"]).await.failure(78);
    assert!(told.contains("aftercall_runtime") && told.contains("allow_superuser"), "{told}");
    let allowed = home.set("AFTERCALL__DATABASE__ALLOW_SUPERUSER", "true");
    let mut process = allowed.start(["serve"]);
    process.logged("ready").await;
    let runtime = db.options_of(LoginRole::Runtime).to_url_lossy();
    let home = production(Home::new(), runtime);
    let mut process = home.start(["serve"]);
    process.logged("ready").await;
}

#[tokio::test]
async fn roles_log_in_with_the_passwords_that_migrate_was_given() {
    let home = Home::new();
    let folder = home.path().join("elsewhere");
    let cluster = embedded::start(&folder).await;
    cluster.create_database(DATABASE).await.unwrap();
    let admin = cluster.connect_options(DATABASE);
    let rules = format!("local all {} trust\nlocal all all scram-sha-256\n", admin.get_username());
    fs::write(data(&folder).unwrap().join("pg_hba.conf"), rules).unwrap();
    let mut db = PgConnection::connect_with(&admin).await.unwrap();
    sqlx::raw_sql("select pg_reload_conf()").execute(&mut db).await.unwrap();
    db.close().await.unwrap();

    fs::write(home.path().join("runtime"), "canary $'\\ runtime\n").unwrap();
    let home = home
        .set("DATABASE_URL", admin.to_url_lossy())
        .set("AFTERCALL__DATABASE__RUNTIME_PASSWORD_FILE", "runtime")
        .set("AFTERCALL__DATABASE__READER_PASSWORD", "canary reader");
    for _ in 0..2 {
        let told = home.run(&["migrate"]).await;
        assert!(!told.out.contains("canary") && !told.err.contains("canary"));
        told.success();
    }
    let logs_in = async |role: LoginRole, password: &str| {
        let options = admin.clone().username(role.name()).password(password);
        PgConnection::connect_with(&options).await.is_ok()
    };
    assert!(logs_in(LoginRole::Runtime, "canary $'\\ runtime").await);
    assert!(logs_in(LoginRole::Reader, "canary reader").await);
    assert!(!logs_in(LoginRole::Reader, "canary runtime").await);

    let home = home
        .set("DATABASE_URL", admin.clone().username(LoginRole::Runtime.name()).to_url_lossy())
        .set("AFTERCALL__DATABASE__PASSWORD_FILE", "runtime");
    let service = Service::start(&home).await;
    let id = service.submit(serde_json::json!({})).await;
    assert_eq!(service.finished(&id).await["state"], "completed");
    service.stop().await.success();
    let bad = home.set("DATABASE_URL", admin.to_url_lossy());
    let bad = bad.set("AFTERCALL__DATABASE__READER_PASSWORD", "señor").run(&["migrate"]).await;
    let told = bad.failure(1);
    assert!(told.contains("aftercall_reader") && !told.contains("señor"), "{told}");
    cluster.stop().await;
}

#[tokio::test]
async fn a_role_that_may_not_migrate_says_what_to_do() {
    let home = Home::new();
    let folder = home.path().join("elsewhere");
    let cluster = embedded::start(&folder).await;
    cluster.create_database(DATABASE).await.unwrap();
    let admin = cluster.connect_options(DATABASE);
    let mut db = PgConnection::connect_with(&admin).await.unwrap();
    sqlx::raw_sql("create role nobody login").execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    let url = admin.clone().username("nobody").to_url_lossy();
    let told = home.set("DATABASE_URL", url).run(&["serve"]).await.failure(1);
    assert!(told.contains("aftercall_migrator") && told.contains("migration_url"), "{told}");
    cluster.stop().await;
}

#[tokio::test]
async fn the_statements_for_administrators_are_the_file() {
    let home = Home::new().set("AFTERCALL__JOBS__DEADLINE", "soon");
    let out = home.run(&["migrate", "--print-roles"]).await.success();
    assert_eq!(out, include_str!("../../../config/postgres/roles.sql"));
}
