//! What may be said, and what comes of it.

use super::*;

fn file(text: &str) -> Result<Config, ConfigError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Config::new(ServeArgs::default(), Some(file.path()))
}

#[test]
fn the_example_says_what_the_defaults_are() {
    let example = format!("{:?}", file(EXAMPLE).unwrap());
    assert_eq!(example, format!("{:?}", file("").unwrap()));
}

#[test]
fn a_flag_wins_over_the_file_and_an_unknown_key_stops_the_start() {
    let kept = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(kept.path(), "max-streams = 5\ndrain = \"3s\"").unwrap();
    let args = ServeArgs { max_streams: Some(7), ..ServeArgs::default() };
    let config = Config::new(args, Some(kept.path())).unwrap();
    assert_eq!((config.max_streams, config.drain), (7, Duration::from_secs(3)));
    assert!(matches!(file("max-stream = 5"), Err(ConfigError::Key { .. })));
}

#[test]
fn times_are_within_their_bounds_and_nothing_is_for_ever_only_where_that_can_be() {
    let check = |text: &str, taken: bool| assert_eq!(file(text).is_ok(), taken, "{text}");
    check("heartbeat = \"99ms\"", false);
    check("heartbeat = \"100ms\"", true);
    check("max-stream-age = \"0\"", true);
    check("drain = \"0\"", true);
    check("keep-events = \"0s\"", true);
    for flag in ["heartbeat", "write-timeout", "lost-after", "lost-waiting-after"] {
        check(&format!("{flag} = \"0\""), false);
        check(&format!("{flag} = \"101y\""), false);
        check(&format!("{flag} = \"99y\""), true);
    }
}

#[test]
fn a_certificate_needs_its_key_and_makes_the_server_https() {
    assert!(matches!(file("tls-cert = \"a.pem\""), Err(ConfigError::Value(_))));
    assert!(matches!(file("tls-key = \"a.key\""), Err(ConfigError::Value(_))));
    assert!(file("tls-cert = \"a.pem\"\ntls-key = \"a.key\"").unwrap().is_https());
    assert!(file("public-url = \"https://ship.example.com\"").unwrap().is_https());
    assert!(!file("public-url = \"http://ship.example.com\"").unwrap().is_https());
    assert!(!file("").unwrap().is_https());
}

#[test]
fn trusted_proxies_are_addresses_and_networks() {
    let config = file("trusted-proxies = \"127.0.0.1, 10.0.0.0/8,::1\"").unwrap();
    let check = |address: &str, held: bool| {
        assert_eq!(config.trusted_proxies.hold(address.parse().unwrap()), held, "{address}");
    };
    check("127.0.0.1", true);
    check("127.0.0.2", false);
    check("10.200.3.4", true);
    check("::1", true);
    check("::2", false);
    assert!(file("trusted-proxies = \"proxy.example.com\"").is_err());
}

#[test]
fn a_password_is_never_shown() {
    let config =
        file("database = \"postgres://u:geheim@db/x\"\nbus = \"nats://u:geheim@broker:4222\"").unwrap();
    assert!(!format!("{config:?}").contains("geheim"), "{config:?}");
    for wrong in [
        "bus = \"amqp://u:geheim@broker\"",
        "oidc-client-secrt = \"geheim\"",
        "database = postgres://u:geheim@db/x",
        "database = [\"postgres://u:geheim@db/x\"]",
        "database = \"postgres://u:geheim@db/x",
        "\"oidc-client-secret\" = {geheim = 1}",
        "oidc-client-secret = \"geheim\" \"geheim\"",
        "drain = \"1s\"\n\n  bus = 4711 # geheim",
        "oidc-issuer = \"http://u:geheim@id.example.com\"\noidc-client-id = \"x\"\noidc-grant = [\"a=admin@b\"]",
    ] {
        let wrong = file(wrong).unwrap_err();
        assert!(!format!("{wrong} {wrong:?}").contains("geheim"), "{wrong:?}");
        assert!(!format!("{wrong} {wrong:?}").contains("4711"), "{wrong:?}");
    }
}

#[test]
fn what_is_wrong_with_the_file_is_told_by_its_line() {
    let told = |text: &str| match file(text).unwrap_err() {
        ConfigError::Key { line, wrong, .. } => (line, wrong),
        other => panic!("{other}"),
    };
    let (line, wrong) = told("drain = \"1s\"\n\nmax-stream = 5\n");
    assert_eq!(line, 3);
    assert!(wrong.contains("max-stream"), "{wrong}");
    let (line, wrong) = told("max-streams = \"many\"");
    assert_eq!(line, 1);
    assert!(wrong.contains("many"), "{wrong}");
    let (line, wrong) = told("database = 5");
    assert_eq!(line, 1);
    assert!(wrong.starts_with("database: its value cannot be read"), "{wrong}");
}

#[test]
fn a_provider_closes_the_doors() {
    let provider = "oidc-issuer = \"https://id.example.com\"\noidc-client-id = \"ship\"\n\
                    oidc-grant = [\"ops=admin@acme\"]\n";
    let config = file(provider).unwrap();
    assert_eq!((config.auth, config.said_mode()), (None, Some(AuthMode::Required)));
    assert_eq!(file("").unwrap().said_mode(), None);
    assert!(matches!(file(&format!("{provider}auth = \"open\"")), Err(ConfigError::Value(_))));
    assert!(matches!(file(&format!("{provider}listen = \"0.0.0.0:7700\"")), Err(ConfigError::Value(_))));
    let secret = file(&format!("{provider}oidc-client-secret = \"geheim\"")).unwrap();
    assert!(!format!("{secret:?}").contains("geheim"), "{secret:?}");
    assert!(file("oidc-grant = [\"ops=admin\"]").is_err());
}

#[test]
fn open_doors_are_refused_on_an_address_that_others_reach() {
    assert!(matches!(file("listen = \"0.0.0.0:7700\"\nauth = \"open\""), Err(ConfigError::Value(_))));
    assert!(file("listen = \"[::1]:7700\"\nauth = \"open\"").is_ok());
}

#[test]
fn the_address_that_people_use_is_one() {
    for wrong in ["ship.example.com", "not a url", "ftp://x", "", "https://", "https://x/?q=1"] {
        assert!(matches!(file(&format!("public-url = \"{wrong}\"")), Err(ConfigError::Value(_))), "{wrong}");
    }
    for right in ["https://ship.example.com", "http://127.0.0.1:7700/", "https://[::1]:8443"] {
        assert!(file(&format!("public-url = \"{right}\"")).is_ok(), "{right}");
    }
}
