//! Signatures of messages, as Standard Webhooks 1.0.0 defines them.
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::Secret;

/// The value of `webhook-signature`: one signature for each secret, separated by spaces. A receiver accepts a message
/// if it knows any of the secrets, so a secret can be replaced without a gap.
pub fn signatures(secrets: &[Secret], id: &str, timestamp: i64, body: &[u8]) -> String {
    let signed = secrets.iter().map(|secret| signature(secret, id, timestamp, body));
    signed.collect::<Vec<_>>().join(" ")
}

/// `v1,` and the base64 of the HMAC over `id.timestamp.body`.
fn signature(secret: &Secret, id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut tag = Vec::new();
    // HMAC accepts keys of any length; the error belongs to the trait.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.bytes()) {
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        tag.extend_from_slice(&mac.finalize().into_bytes());
    }
    format!("v1,{}", BASE64_STANDARD.encode(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of the specification's reference libraries.
    #[test]
    fn the_specifications_vectors() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signed = signatures(&[secret], id, 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".parse().unwrap();
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        let signed = signatures(&[secret], "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body);
        assert_eq!(signed, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }

    #[test]
    fn each_secret_signs() {
        let secrets = [Secret::generate(), Secret::generate()];
        let [both, first, last] = [&secrets[..], &secrets[..1], &secrets[1..]]
            .map(|secrets| signatures(secrets, "msg_1", 1, b"{}"));
        assert_eq!(both, format!("{first} {last}"));
    }
}
