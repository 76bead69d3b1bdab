//! What the operations ask of a key.
use std::collections::HashMap;

use axum::http::Method;

use crate::callers::Scopes;

/// What one operation asks.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Units of the key's rate limit.
    pub weight: u32,
    /// What the key must have, all of it.
    pub scopes: Scopes,
}

impl Default for Terms {
    fn default() -> Self {
        Self { weight: 1, scopes: Scopes::default() }
    }
}

/// The terms by route and method.
#[derive(Debug, Default)]
pub struct Operations(HashMap<String, Vec<(Method, Terms)>>);

impl Operations {
    pub fn add(&mut self, route: &str, method: Method, terms: Terms) {
        self.0.entry(route.to_owned()).or_default().push((method, terms));
    }

    pub(super) fn terms(&self, route: &str, method: &Method) -> Terms {
        // The handler of GET responds to it.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let of_route = self.0.get(route).into_iter().flatten();
        of_route.filter(|(of, _)| of == method).map(|(_, terms)| *terms).next().unwrap_or_default()
    }
}
