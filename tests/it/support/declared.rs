//! Checks the problems that an operation returns against those it declares in the API document.
use std::sync::LazyLock;

use axum::http::Request;
use serde_json::Value;

pub struct Operation {
    id: String,
    method: String,
    path: Vec<String>,
    /// The problem codes it declares.
    codes: Vec<String>,
}

static DOCUMENTED: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let document: Value = serde_json::from_str(&aftercall::app::document().unwrap()).unwrap();
    let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let mut documented = Vec::new();
    for (path, item) in members(&document["paths"]) {
        for (method, operation) in members(&item) {
            let responses = members(&operation["responses"]);
            let problems = responses.values().map(|it| &it["content"]["application/problem+json"]);
            let codes = problems.flat_map(|problem| members(&problem["examples"])).map(|it| it.0);
            documented.push(Operation {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase(),
                path: path.split('/').map(str::to_owned).collect(),
                codes: codes.collect(),
            });
        }
    }
    documented
});

impl Operation {
    /// The operation of a request; `None` if it is not documented.
    pub fn of<T>(request: &Request<T>) -> Option<&'static Self> {
        let path: Vec<_> = request.uri().path().split('/').collect();
        let fits = |(known, part): (&String, &&str)| {
            known == part || (known.starts_with('{') && !part.is_empty())
        };
        DOCUMENTED.iter().find(|it| {
            it.method == request.method().as_str()
                && it.path.len() == path.len()
                && it.path.iter().zip(&path).all(fits)
        })
    }

    /// Asserts that the operation declares this problem.
    #[track_caller]
    pub fn check(&self, code: &str) {
        let is_declared = self.codes.iter().any(|declared| declared == code);
        assert!(is_declared, "{} does not say that it answers {code}", self.id);
    }
}
