//! A database that accepts no writes because its disk is full or it is read-only.
use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

use axum::http::StatusCode;
use nix::unistd::geteuid;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Home, Service};
use crate::support::{app::TestApp, db::TestDb, eventually};

/// Status and body of `/readyz`.
async fn readiness(service: &Service) -> (u16, Value) {
    let answer = service.http.get(format!("{}/readyz?verbose", service.ops)).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn until_ready(service: &Service) {
    eventually("readiness", async || (readiness(service).await.0 == 200).then_some(())).await;
}

/// The response blames neither the caller nor the service.
async fn turned_away(service: &Service, body: &Value) {
    let request = service.http.post(format!("{}/v1/jobs", service.api)).bearer_auth(&service.key);
    let answer = request.json(body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "5");
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], "unavailable");
    eventually("unreadiness", async || {
        let (status, told) = readiness(service).await;
        (status == 503 && told["checks"]["writes"] == "fail").then_some(())
    })
    .await;
    let live = format!("{}/livez", service.ops);
    assert_eq!(service.status(&live).await, StatusCode::OK);
}

/// An in-memory file system, unmounted after the test.
pub struct SmallDisk(pub PathBuf);

impl SmallDisk {
    /// `None` if this process may not mount one.
    pub fn mounted_on(folder: &Path) -> Option<Self> {
        if !geteuid().is_root() {
            return None;
        }
        fs::create_dir(folder).unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=160m,mode=755", "tmpfs"]).arg(folder);
        let mounted = mount.status().is_ok_and(|status| status.success());
        mounted.then(|| Self(folder.to_path_buf()))
    }

    /// Writes a file that takes all free space.
    pub fn fill(&self) -> PathBuf {
        let path = self.0.join("ballast");
        let mut ballast = File::create(&path).unwrap();
        for size in [1 << 20, 1 << 12] {
            while ballast.write_all(&vec![0; size]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: its server may still be stopping.
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn while_the_disk_is_full_it_turns_writers_away_and_comes_back_by_itself() {
    let home = Home::new();
    let Some(disk) = SmallDisk::mounted_on(&home.path().join("disk")) else {
        eprintln!("no file system can be mounted here: only faults stand in for a full disk");
        return;
    };
    let home = home.set("AFTERCALL_DATA_DIR", disk.0.join("data").display().to_string());
    let service = Service::start(&home).await;
    until_ready(&service).await;
    let content = "UklGRg".repeat(200_000);
    let body = json!({ "content": content, "encoding": "Wav" });

    let ballast = disk.fill();
    turned_away(&service, &body).await;
    service.get("/v1/jobs").await;

    fs::remove_file(ballast).unwrap();
    until_ready(&service).await;
    let (status, job) = service.send(Method::POST, "/v1/jobs", Some(&body)).await;
    assert_eq!(status, 202, "{job}");
    service.stop().await.success();
}

#[tokio::test]
async fn while_the_database_is_read_only_it_turns_writers_away_and_comes_back_by_itself() {
    let db = TestDb::new().await;
    let home = Home::on(&db);
    let service = Service::start(&home).await;
    until_ready(&service).await;
    let set = async |how: &str| {
        let statement = format!("alter database {} {how}", db.name());
        let mut admin = db.admin().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut admin).await.unwrap();
        db.end_sessions().await;
    };
    let body = json!({ "contentUri": service.recording, "encoding": "Wav" });
    set("set default_transaction_read_only = on").await;
    turned_away(&service, &body).await;
    eventually("reads, on connections that were not cut", async || {
        (service.send(Method::GET, "/v1/jobs", None).await.0 == 200).then_some(())
    })
    .await;

    set("reset default_transaction_read_only").await;
    until_ready(&service).await;
    let id = service.submit(json!({})).await;
    assert_eq!(service.finished(&id).await["state"], "completed");
    service.stop().await.success();
}

#[tokio::test]
async fn what_the_database_cannot_do_now_is_503_for_callers_and_for_the_provider() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let fail = "create table public.fault (code text);
        create function fail() returns trigger language plpgsql as
        $$ begin raise exception using errcode = (select code from public.fault); end $$;
        create trigger fail before insert on aftercall.jobs for each row execute function fail();
        create trigger fail before insert on aftercall.deliveries for each row execute function fail();
        insert into public.fault values ('');
        grant select on public.fault to public";
    sqlx::raw_sql(fail).execute(&app.db.pool).await.unwrap();
    let body = json!({ "contentUri": "https://media.example/1.wav", "encoding": "Wav" });
    for code in ["53100", "53200", "53300", "57P01", "57P03", "25006", "40001", "40P01", "58030"] {
        let set = sqlx::query("update public.fault set code = $1").bind(code);
        set.execute(&app.db.pool).await.unwrap();
        let answer = app.post("/v1/jobs", &body).await;
        answer.problem(503, "unavailable");
        assert_eq!(answer.header("retry-after"), "5", "{code}");
        let delivered = app.deliver(&job.webhook, "{}").await;
        assert_eq!(delivered.status, StatusCode::SERVICE_UNAVAILABLE, "{code}");
    }
    let end = "drop function fail() cascade";
    sqlx::raw_sql(end).execute(&app.db.pool).await.unwrap();
    assert_eq!(app.post("/v1/jobs", &body).await.status, StatusCode::ACCEPTED);
    assert_eq!(app.deliver(&job.webhook, "{}").await.status, StatusCode::OK);
}
