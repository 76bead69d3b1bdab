//! The provider's three error formats: platform, analytics (CAI) and OAuth.
use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One entry of `errors` in an analytics response or a failed delivery.
///
/// The provider documents only CAI-101; every other code here is a placeholder from the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CaiError {
    pub error_code: String,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter_name: Option<String>,
}

impl CaiError {
    /// CAI-101, the code of the provider's published examples. `rule` completes "It should be …".
    pub fn invalid(parameter: &str, rule: &str) -> Self {
        Self {
            error_code: "CAI-101".to_owned(),
            message: format!("Parameter [{parameter}] is invalid. It should be {rule}"),
            parameter_name: Some(parameter.to_owned()),
        }
    }
}

/// An error response.
#[derive(Debug)]
pub struct Refusal {
    pub status: StatusCode,
    body: Value,
    challenge: Option<String>,
}

impl Refusal {
    /// Platform format: the error at the top level and again in `errors`.
    pub fn platform(status: StatusCode, code: &str, message: &str) -> Self {
        Self::nested(status, code, code, message)
    }

    /// Platform format whose outer code differs from the inner one, as for an unknown token.
    pub fn nested(status: StatusCode, outer: &str, inner: &str, message: &str) -> Self {
        let body = json!({
            "errorCode": outer,
            "message": message,
            "errors": [{ "errorCode": inner, "message": message }],
        });
        Self { status, body, challenge: None }
    }

    pub fn cai(status: StatusCode, errors: &[CaiError]) -> Self {
        Self { status, body: json!({ "errors": errors }), challenge: None }
    }

    /// 400 with OAuth's `error` and the platform's `errors`.
    pub fn oauth(error: &str, code: &str, description: &str) -> Self {
        let body = json!({
            "error": error,
            "error_description": description,
            "errors": [{ "errorCode": code, "message": description }],
        });
        let realm = format!(
            "Bearer realm=\"RingCentral REST API\", error=\"{error}\", error_description=\"{description}\""
        );
        let challenge = (error == "invalid_client").then_some(realm);
        Self { status: StatusCode::BAD_REQUEST, body, challenge }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(value) = self.challenge.and_then(|text| text.parse().ok()) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
        }
        response
    }
}
