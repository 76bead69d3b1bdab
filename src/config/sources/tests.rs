//! Precedence of sources, errors, and redaction of secrets.
use super::*;
use crate::config::Allowed;

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn loaded(pairs: &[(&str, &str)]) -> Loaded {
    from_variables(None, "", &variables(pairs)).unwrap()
}

fn refused(pairs: &[(&str, &str)]) -> String {
    from_variables(None, "", &variables(pairs)).unwrap_err().to_string()
}

#[test]
fn the_defaults_alone_are_a_configuration() {
    let loaded = loaded(&[]);
    assert_eq!(loaded.settings.dispatch.concurrency, 4);
    assert!(!loaded.settings.has_provider());
}

#[test]
fn the_preset_of_the_demo_fits_the_settings() {
    let loaded = from_variables(None, DEMO, &variables(&[])).unwrap();
    assert_eq!(loaded.origins["dispatch.lease"].source, "demo");
}

#[test]
fn a_variable_overrides_the_default_and_is_named_as_the_source() {
    let loaded =
        loaded(&[("AFTERCALL__DISPATCH__CONCURRENCY", "9"), ("AFTERCALL__ROLES", "api, worker")]);
    assert_eq!(loaded.settings.dispatch.concurrency, 9);
    assert_eq!(loaded.settings.roles.len(), 2);
    let origin = &loaded.origins["dispatch.concurrency"];
    assert_eq!(
        (origin.value.as_str(), origin.source.as_str()),
        ("9", "AFTERCALL__DISPATCH__CONCURRENCY")
    );
}

#[test]
fn all_faults_are_reported_at_once_and_unknown_keys_name_the_closest() {
    let text = refused(&[
        ("AFTERCALL__DISPATCH__CONCURENCY", "9"),
        ("AFTERCALL__JOBS__DEADLINE", "soon"),
        ("AFTERCALL_API__LISTEN", "127.0.0.1:1"),
    ]);
    assert!(text.contains("did you mean dispatch.concurrency?"), "{text}");
    assert!(text.contains("jobs.deadline"), "{text}");
    assert!(text.contains("two underscores"), "{text}");
}

#[test]
fn the_names_of_the_seed_are_fallbacks() {
    let seed = [
        ("RC_SERVER_URL", "https://platform.example"),
        ("RC_CLIENT_ID", "id"),
        ("RC_CLIENT_SECRET", "hush-1"),
        ("RC_JWT", "hush-2"),
        ("AFTERCALL__WEBHOOK__PUBLIC_URL", "https://hooks.example"),
    ];
    let mut with_own = seed.to_vec();
    with_own.push(("AFTERCALL__PROVIDER__CLIENT_ID", "own"));
    assert_eq!(loaded(&seed).settings.provider.client_id.unwrap(), "id");
    let loaded = loaded(&with_own);
    assert_eq!(loaded.settings.provider.client_id.as_deref(), Some("own"));
    let shown = format!("{loaded:?}");
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn a_secret_comes_from_a_file_but_not_from_both() {
    let path = std::env::temp_dir().join(format!("aftercall-secret-{}", std::process::id()));
    std::fs::write(&path, "postgres://u:hush@h/d\n").unwrap();
    let file = path.to_str().unwrap();
    let loaded = loaded(&[("DATABASE_URL_FILE", file)]);
    assert_eq!(loaded.origins["database.url"].source, "DATABASE_URL_FILE");
    assert_eq!(loaded.origins["database.url"].value, "(set, not shown)");
    let text = refused(&[("DATABASE_URL_FILE", file), ("DATABASE_URL", "postgres://x/y")]);
    assert!(text.contains("both set"), "{text}");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn keys_live_and_are_limited_within_reason() {
    let text = refused(&[
        ("AFTERCALL__KEYS__LIFETIME", "1s"),
        ("AFTERCALL__KEYS__OVERLAP", "100y"),
        ("AFTERCALL__KEYS__RATE_LIMIT", "0"),
        ("AFTERCALL__KEYS__RATE_WINDOW", "1500ms"),
        ("AFTERCALL__KEYS__UNKNOWN_KEYS", "0"),
    ]);
    for name in ["lifetime", "overlap", "rate_limit", "rate_window", "unknown_keys"] {
        assert!(text.contains(&format!("keys.{name} must be")), "{text}");
    }
    assert_eq!(loaded(&[("AFTERCALL__KEYS__LIFETIME", "off")]).settings.keys.lifetime, None);
}

#[test]
fn production_refuses_the_embedded_database_and_the_sandbox() {
    let text = refused(&[("AFTERCALL_ENV", "production")]);
    assert!(text.contains("database.url") && text.contains("provider.base_url"), "{text}");
}

#[test]
fn production_refuses_a_provider_over_plain_http() {
    let asked = |environment: &str, provider: &str| {
        let pairs = [
            ("AFTERCALL_ENV", environment),
            ("DATABASE_URL", "postgres://u@h/d"),
            ("RC_SERVER_URL", provider),
            ("RC_CLIENT_ID", "id"),
            ("RC_CLIENT_SECRET", "secret"),
            ("RC_JWT", "jwt"),
            ("AFTERCALL__WEBHOOK__PUBLIC_URL", "https://hooks.example"),
            ("AFTERCALL__SEAL__KEY", "k:dGVzdHRlc3R0ZXN0dGVzdHRlc3R0ZXN0dGVzdHRlc3Q="),
        ];
        from_variables(None, "", &variables(&pairs))
    };
    let text = asked("production", "http://platform.example").unwrap_err().to_string();
    assert!(text.contains("provider.base_url must be https"), "{text}");
    asked("production", "https://platform.example").unwrap();
    asked("staging", "http://platform.example").unwrap();
}

#[test]
fn user_info_in_any_url_is_not_shown() {
    let urls = ["api.public_url", "webhook.public_url", "sandbox.url", "sandbox.webhook_url"];
    for key in urls {
        let name = format!("AFTERCALL__{}", key.to_uppercase().replace('.', "__"));
        for (user_info, shown) in [("me:hush@", "***@"), ("hush@", "***@"), ("", "")] {
            let url = format!("https://{user_info}a.example/b?c=d");
            let loaded = loaded(&[(&name, &url)]);
            let expected = format!("https://{shown}a.example/b?c=d");
            assert_eq!(loaded.origins[key].value, expected);
        }
    }
}

#[test]
fn private_networks_are_closed_in_production_unless_they_are_opened() {
    assert!(loaded(&[]).settings.notify.private_networks);
    let production = [
        ("AFTERCALL_ENV", "production"),
        ("DATABASE_URL", "postgres://h/d"),
        ("AFTERCALL__WEBHOOK__PUBLIC_URL", "https://hooks.example"),
        ("RC_SERVER_URL", "https://platform.example"),
        ("RC_CLIENT_ID", "id"),
        ("RC_CLIENT_SECRET", "secret"),
        ("RC_JWT", "jwt"),
        ("AFTERCALL__SEAL__KEY", "k:dGVzdHRlc3R0ZXN0dGVzdHRlc3R0ZXN0dGVzdHRlc3Q="),
    ];
    let closed = loaded(&production);
    assert!(!closed.settings.notify.private_networks);
    assert_eq!(closed.origins["notify.private_networks"].value, "false");
    let opened = [&production[..], &[("AFTERCALL__NOTIFY__PRIVATE_NETWORKS", "true")]].concat();
    assert!(loaded(&opened).settings.notify.private_networks);
}

#[test]
fn what_may_be_sent_to_is_an_exact_name_an_address_or_a_network() {
    let list = "Hooks.Internal., 127.0.0.1,10.0.0.0/8, [::1], 192.0.2.7/32";
    let allow = loaded(&[("AFTERCALL__NOTIFY__ALLOW", list)]).settings.notify.allow;
    let expected = [
        Allowed::Host("hooks.internal".to_owned()),
        Allowed::Address([127, 0, 0, 1].into()),
        Allowed::Network("10.0.0.0/8".parse().unwrap()),
        Allowed::Address("::1".parse().unwrap()),
        Allowed::Address([192, 0, 2, 7].into()),
    ];
    assert_eq!(allow, expected);
    for wrong in ["https://a.example", "a.example:80", "*.example", "10.0.0.0/40", "a b", "10.1"] {
        let text = refused(&[("AFTERCALL__NOTIFY__ALLOW", wrong)]);
        assert!(text.contains("must be a host name, an address or a network"), "{wrong}: {text}");
    }
    for idle in ["127.0.0.0/8", "169.254.0.0/16", "fe80::/10", "224.0.0.0/4"] {
        let text = refused(&[("AFTERCALL__NOTIFY__ALLOW", idle)]);
        assert!(text.contains("has no effect: name each"), "{idle}: {text}");
    }
}

const TWO_ACCOUNTS: [(&str, &str); 9] = [
    ("RC_SERVER_URL", "https://platform.example"),
    ("RC_CLIENT_ID", "id"),
    ("RC_CLIENT_SECRET", "hush-1"),
    ("RC_JWT", "hush-2"),
    ("AFTERCALL__WEBHOOK__PUBLIC_URL", "https://hooks.example"),
    ("AFTERCALL__PROVIDER__ACCOUNTS__CRM__CLIENT_ID", "crm"),
    ("AFTERCALL__PROVIDER__ACCOUNTS__CRM__CLIENT_SECRET", "hush-3"),
    ("AFTERCALL__PROVIDER__ACCOUNTS__CRM__JWT", "hush-4"),
    ("AFTERCALL__PROVIDER__ACCOUNTS__CRM__LIMIT", "40"),
];

#[test]
fn a_further_account_has_what_it_does_not_set_from_the_default_one() {
    let loaded = loaded(&TWO_ACCOUNTS);
    let gates = loaded.settings.provider.gates();
    let told: Vec<_> = gates.iter().map(|it| (&*it.account, it.settings.limit)).collect();
    assert_eq!(told, [("default", 10), ("crm", 40)]);
    assert_eq!(gates[1].settings.window, gates[0].settings.window);
    assert_eq!(loaded.origins["provider.accounts.crm.jwt"].value, "(set, not shown)");
    let shown = format!("{loaded:?}");
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn everything_wrong_with_accounts_is_said_at_once() {
    let mut with = TWO_ACCOUNTS.to_vec();
    with.push(("AFTERCALL__PROVIDER__ACCOUNTS__CRM__SECRET", "x"));
    let text = refused(&with);
    assert!(text.contains("unknown setting provider.accounts.crm.secret"), "{text}");
    let text = refused(&[
        ("AFTERCALL__PROVIDER__ACCOUNTS__CRM__CLIENT_ID", "crm"),
        ("AFTERCALL__PROVIDER__ACCOUNTS__CRM__LIMIT", "0"),
        ("AFTERCALL__PROVIDER__ACCOUNTS__DEFAULT__WINDOW", "0s"),
    ]);
    for fault in [
        "provider.accounts.crm needs client_id, client_secret and jwt",
        "provider.accounts.crm.limit must be at least 1",
        "provider.accounts.crm is set without provider.base_url",
        "provider.accounts.default: use another name",
        "provider.accounts.default.window must be greater than 0",
    ] {
        assert!(text.contains(fault), "{fault}: {text}");
    }
}

#[test]
fn a_secret_of_an_account_comes_from_a_file() {
    let path = std::env::temp_dir().join(format!("aftercall-account-{}", std::process::id()));
    std::fs::write(&path, "hush-5\n").unwrap();
    let mut with = TWO_ACCOUNTS.to_vec();
    with[7] = ("AFTERCALL__PROVIDER__ACCOUNTS__CRM__JWT_FILE", path.to_str().unwrap());
    let loaded = loaded(&with);
    let origin = &loaded.origins["provider.accounts.crm.jwt"];
    assert_eq!((&*origin.source, &*origin.value), (with[7].0, "(set, not shown)"));
    assert_eq!(
        loaded.settings.provider.accounts["crm"].jwt.as_ref().unwrap().expose_secret(),
        "hush-5"
    );
    std::fs::remove_file(&path).unwrap();
}
