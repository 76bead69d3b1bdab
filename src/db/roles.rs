//! The roles of `config/postgres/roles.sql`: who owns the tables, and who may do what with them.
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::Rng as _;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, PgConnection, PgExecutor};

use super::is_forbidden;

/// The statements that create the roles and grant them their rights. Running them again changes nothing.
pub const ROLES: &str = include_str!("../../config/postgres/roles.sql");

/// A role that someone logs in as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginRole {
    /// The service.
    Runtime,
    /// Dashboards.
    Reader,
}

impl LoginRole {
    pub fn name(self) -> &'static str {
        match self {
            Self::Runtime => "aftercall_runtime",
            Self::Reader => "aftercall_reader",
        }
    }
}

/// Creates missing roles and grants missing rights; `false` if the session may not.
pub(super) async fn grant(db: &mut PgConnection) -> sqlx::Result<bool> {
    match sqlx::raw_sql(ROLES).execute(db).await {
        Ok(_) => Ok(true),
        Err(error) if is_forbidden(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Continues with the rights of the owner, so that new tables belong to it, if the session may.
pub(super) async fn become_owner(db: &mut PgConnection) -> sqlx::Result<()> {
    let may = sqlx::query_scalar!(
        r#"
        select coalesce(pg_has_role(to_regrole('aftercall_owner'), 'usage')
            and has_database_privilege(to_regrole('aftercall_owner'), current_database(), 'create'),
            false) as "may!"
        "#
    )
    .fetch_one(&mut *db)
    .await?;
    if may {
        sqlx::raw_sql("set role aftercall_owner").execute(db).await?;
    }
    Ok(())
}

/// Whether the session is not subject to any rights.
pub async fn is_superuser(db: impl PgExecutor<'_>) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select rolsuper as "is!" from pg_roles where rolname = current_user"#)
        .fetch_one(db)
        .await
}

/// Sets the password of a role. The server receives only a SCRAM verifier, so that the password is in no statement, log or
/// error.
///
/// # Errors
/// When the password is empty or not ASCII: Postgres and its clients may normalize other characters differently.
pub async fn set_password(
    db: impl PgExecutor<'_>,
    role: LoginRole,
    password: &SecretString,
) -> anyhow::Result<()> {
    let password = password.expose_secret();
    anyhow::ensure!(
        !password.is_empty() && password.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        "the password of {} must consist of printable ASCII characters",
        role.name(),
    );
    let mut salt = [0; 16];
    rand::rng().fill_bytes(&mut salt);
    let verifier = scram_verifier(password.as_bytes(), &salt);
    let statement = format!("alter role {} password '{verifier}'", role.name());
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(db).await?;
    Ok(())
}

/// As in Postgres.
const ITERATIONS: u32 = 4096;

/// What Postgres stores for a password: RFC 5803 with the keys of RFC 5802, section 3.
fn scram_verifier(password: &[u8], salt: &[u8]) -> String {
    let mut block = hmac(password, &[salt, &1_u32.to_be_bytes()].concat());
    let mut salted = block;
    for _ in 1..ITERATIONS {
        block = hmac(password, &block);
        for (salted, byte) in salted.iter_mut().zip(block) {
            *salted ^= byte;
        }
    }
    let stored_key = Sha256::digest(hmac(&salted, b"Client Key"));
    let server_key = hmac(&salted, b"Server Key");
    let [salt, stored_key, server_key] =
        [salt, &stored_key[..], &server_key[..]].map(|bytes| BASE64_STANDARD.encode(bytes));
    format!("SCRAM-SHA-256${ITERATIONS}:{salt}${stored_key}:{server_key}")
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut tag = [0; 32];
    // HMAC accepts keys of any length; the error belongs to the trait.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) {
        mac.update(message);
        tag.copy_from_slice(&mac.finalize().into_bytes());
    }
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677, section 3, succeeds with what is stored.
    #[test]
    fn a_client_proves_the_password_to_a_server_that_has_the_verifier() {
        let decode = |text: &str| BASE64_STANDARD.decode(text).unwrap();
        let salt = decode("W22ZaJ0SNY7soEsUEjb6gQ==");
        let verifier = scram_verifier(b"pencil", &salt);
        let (_, keys) = verifier.rsplit_once('$').unwrap();
        let (stored_key, server_key) = keys.split_once(':').unwrap();
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let exchange = format!(
            "n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}"
        );
        let mut client_key = decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        let signature = hmac(&decode(stored_key), exchange.as_bytes());
        client_key.iter_mut().zip(signature).for_each(|(byte, signed)| *byte ^= signed);
        assert_eq!(Sha256::digest(&client_key)[..], decode(stored_key));
        let signature = hmac(&decode(server_key), exchange.as_bytes());
        assert_eq!(
            BASE64_STANDARD.encode(signature),
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
    }
}
