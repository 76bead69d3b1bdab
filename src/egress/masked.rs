//! URLs as they are shown.
use url::Url;

/// The URL without user, password, query values and fragment: any of them may be a credential.
pub fn masked(url: &Url) -> String {
    let mut url = url.clone();
    if !url.username().is_empty() || url.password().is_some() {
        // This fails only for URLs without a host, which the guard refuses.
        let _ = url.set_username("***");
        let _ = url.set_password(None);
    }
    url.set_fragment(None);
    let query = url.query().map(|query| {
        let masked = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) => format!("{name}=***"),
            None => "***".to_owned(),
        });
        masked.collect::<Vec<_>>().join("&")
    });
    url.set_query(query.as_deref());
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_no_credential_is_shown() {
        let shown = |text: &str| masked(&text.parse().unwrap());
        let url = "https://me:hush@crm.example/hook?key=hush&raw#hush";
        assert_eq!(shown(url), "https://***@crm.example/hook?key=***&***");
        assert_eq!(shown("https://crm.example/hook?hush"), "https://crm.example/hook?***");
        assert_eq!(shown("https://crm.example/hook"), "https://crm.example/hook");
    }
}
