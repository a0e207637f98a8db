//! What the server is told of the provider: read from flags, checked at the start, refused in words.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use openidconnect::url::{Host, Url};
use openidconnect::{ClientId, ClientSecret, IssuerUrl, Scope};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::rules::Rule;

/// What is asked for unless something else is said.
const SCOPES: &str = "openid profile email";
/// Where the groups are unless something else is said.
const GROUPS_CLAIM: &str = "groups";
/// How long a session lives unless something is said: rights that were taken away at the provider end with it.
const SESSION_MAX_AGE: Duration = Duration::from_hours(12);
/// Longest label, in characters.
const MAX_NAME: usize = 60;
/// Largest file with a secret.
const MAX_SECRET: u64 = 4_096;
/// Most rules.
const MAX_RULES: usize = 1_000;

/// A secret in the configuration: not shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// What was said of the provider, each as its flag says.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "each is described at its flag in ServeArgs")]
pub struct OidcArgs {
    pub issuer: Option<String>,
    pub client_id: Option<String>,
    pub client_secret: Option<Secret>,
    pub client_secret_file: Option<PathBuf>,
    pub groups_claim: Option<String>,
    pub scopes: Option<String>,
    pub grant: Option<Vec<Rule>>,
    pub name: Option<String>,
}

/// What sign-in goes by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The provider.
    pub issuer: IssuerUrl,
    /// Who we are to it.
    pub client_id: ClientId,
    /// What proves that; a public client has none.
    pub client_secret: Option<ClientSecret>,
    /// The claim that holds the groups: its name, or a JSON pointer.
    pub groups_claim: String,
    /// What is asked for beside `openid`.
    pub scopes: Vec<Scope>,
    /// Which groups are what.
    pub rules: Vec<Rule>,
    /// What people call the provider.
    pub name: String,
    /// How long a session lives.
    pub session_max_age: Duration,
}

impl Settings {
    /// Checks what was said; `None`: nothing was, there is no provider. `public_url` is where people reach the
    /// server, which they may do without one at a loopback address. The error is a sentence.
    pub fn new(
        args: OidcArgs,
        public_url: Option<&str>,
        is_loopback: bool,
        session_max_age: Option<Duration>,
    ) -> Result<Option<Self>, String> {
        let Some(issuer) = args.issuer else {
            let said = [
                ("--oidc-client-id", args.client_id.is_some()),
                ("SHIPBOARD_OIDC_CLIENT_SECRET", args.client_secret.is_some()),
                ("--oidc-client-secret-file", args.client_secret_file.is_some()),
                ("--oidc-groups-claim", args.groups_claim.is_some()),
                ("--oidc-scopes", args.scopes.is_some()),
                ("--oidc-grant", args.grant.is_some()),
                ("--oidc-name", args.name.is_some()),
            ];
            return match said.into_iter().find(|(_, is_said)| *is_said) {
                Some((flag, _)) => Err(format!("{flag}: means nothing without --oidc-issuer")),
                None => Ok(None),
            };
        };
        let (issuer, host) = issuer_of(&issuer)?;
        check_public_url(public_url, is_loopback)?;
        let Some(client_id) = args.client_id.filter(|id| !id.trim().is_empty()) else {
            return Err("--oidc-client-id: is needed with --oidc-issuer".to_owned());
        };
        let rules = args.grant.unwrap_or_default();
        if rules.is_empty() {
            return Err(
                "--oidc-grant: at least one is needed with --oidc-issuer, or nobody could sign in".into()
            );
        }
        if rules.len() > MAX_RULES {
            return Err(format!("--oidc-grant: at most {MAX_RULES}"));
        }
        let groups_claim = args.groups_claim.unwrap_or_else(|| GROUPS_CLAIM.to_owned());
        if groups_claim.trim().is_empty() {
            return Err("--oidc-groups-claim: must be the name of a claim".to_owned());
        }
        let name = args.name.unwrap_or(host);
        if name.trim().is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(format!("--oidc-name: must be 1 to {MAX_NAME} plain characters"));
        }
        Ok(Some(Self {
            issuer,
            client_id: ClientId::new(client_id.trim().to_owned()),
            client_secret: secret(args.client_secret, args.client_secret_file.as_deref())?,
            groups_claim,
            scopes: scopes(args.scopes.as_deref().unwrap_or(SCOPES))?,
            rules,
            name: name.trim().to_owned(),
            session_max_age: session_max_age.unwrap_or(SESSION_MAX_AGE),
        }))
    }
}

impl Settings {
    /// All that decides what somebody's groups give, as a hash. The order of the rules decides nothing.
    pub fn fingerprint(&self) -> String {
        let mut rules: Vec<String> = self.rules.iter().map(Rule::to_string).collect();
        rules.sort_unstable();
        rules.dedup();
        let parts = [self.issuer.as_str(), self.client_id.as_str(), &self.groups_claim];
        let parts = parts.into_iter().chain(rules.iter().map(String::as_str));
        let hashed = parts.fold(Sha256::new(), |hashed, part| {
            // With its length: no two lists of parts are the same bytes.
            hashed.chain_update((part.len() as u64).to_be_bytes()).chain_update(part)
        });
        hex::encode(&hashed.finalize()[..16])
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// The address may be trusted on the way to it: nobody in between can read or change what is sent.
pub fn is_private(url: &Url) -> bool {
    url.scheme() == "https" || url.scheme() == "http" && is_loopback(url)
}

fn issuer_of(text: &str) -> Result<(IssuerUrl, String), String> {
    let wrong = |what: &str| Err(format!("--oidc-issuer: `{text}` {what}"));
    // Before anything is said that shows it.
    if text.contains('@') {
        return Err("--oidc-issuer: must not hold a name or password".to_owned());
    }
    let Ok(url) = Url::parse(text) else { return wrong("is no URL") };
    if !is_private(&url) {
        return wrong("must begin with https:// (http:// is for a provider on this machine)");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("must have no query and no fragment");
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    // As it was written: providers compare it letter by letter.
    match IssuerUrl::new(text.to_owned()) {
        Ok(issuer) => Ok((issuer, host)),
        Err(_) => wrong("is no URL"),
    }
}

/// The code comes back to this address, and the session's cookie is set there.
fn check_public_url(public_url: Option<&str>, is_loopback_listener: bool) -> Result<(), String> {
    let Some(public_url) = public_url else {
        return if is_loopback_listener {
            Ok(())
        } else {
            Err("--public-url: is needed with --oidc-issuer: the provider sends people back there".to_owned())
        };
    };
    match Url::parse(public_url) {
        Ok(url) if !is_private(&url) => Err(format!(
            "--public-url: `{public_url}` must begin with https:// with --oidc-issuer (http:// is for loopback)"
        )),
        Ok(url) if url.path() != "/" || url.query().is_some() || url.fragment().is_some() => {
            Err(format!("--public-url: `{public_url}` must be scheme and host alone"))
        }
        Ok(_) => Ok(()),
        Err(_) => Err(format!("--public-url: `{public_url}` is no URL")),
    }
}

fn secret(said: Option<Secret>, file: Option<&Path>) -> Result<Option<ClientSecret>, String> {
    let secret = match (said, file) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err("--oidc-client-secret-file: the secret is in SHIPBOARD_OIDC_CLIENT_SECRET as well; \
                        one of them is enough"
                .to_owned());
        }
        (Some(Secret(secret)), None) => secret,
        (None, Some(path)) => {
            let wrong = |error: &str| format!("--oidc-client-secret-file: {}: {error}", path.display());
            let length = std::fs::metadata(path).map_err(|error| wrong(&error.to_string()))?.len();
            if length > MAX_SECRET {
                return Err(wrong(&format!("has more than {MAX_SECRET} bytes")));
            }
            std::fs::read_to_string(path).map_err(|error| wrong(&error.to_string()))?
        }
    };
    let secret = secret.trim();
    if secret.is_empty() {
        return Err("the provider's client secret is empty; leave it out for a public client".to_owned());
    }
    Ok(Some(ClientSecret::new(secret.to_owned())))
}

fn scopes(text: &str) -> Result<Vec<Scope>, String> {
    let is_scope = |word: &str| word.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
    let words: Vec<&str> = text.split_whitespace().collect();
    if let Some(word) = words.iter().find(|word| !is_scope(word)) {
        return Err(format!("--oidc-scopes: `{word}` is no scope"));
    }
    // The crate asks for `openid` itself.
    Ok(words.into_iter().filter(|word| *word != "openid").map(|word| Scope::new(word.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> OidcArgs {
        OidcArgs {
            issuer: Some("https://id.example.com/realms/ship".to_owned()),
            client_id: Some("shipboard".to_owned()),
            grant: Some(vec!["ops=admin@acme".parse().unwrap()]),
            ..OidcArgs::default()
        }
    }

    fn checked(args: OidcArgs) -> Result<Settings, String> {
        Settings::new(args, Some("https://ship.example.com"), false, None).map(Option::unwrap)
    }

    #[test]
    fn the_least_that_is_said_is_enough() {
        let settings = checked(args()).unwrap();
        assert_eq!((&*settings.groups_claim, &*settings.name), ("groups", "id.example.com"));
        let scopes: Vec<_> = settings.scopes.iter().map(|scope| scope.to_string()).collect();
        assert_eq!(scopes, ["profile", "email"]);
        assert_eq!(settings.session_max_age, SESSION_MAX_AGE);
        assert!(settings.client_secret.is_none());
        assert!(Settings::new(OidcArgs::default(), None, false, None).unwrap().is_none());
    }

    #[test]
    fn the_fingerprint_is_of_all_that_decides_what_groups_give_and_of_nothing_else() {
        let two = ["ops=admin@acme", "ship-{tenant}=viewer@{tenant}/production,staging"];
        let of = |rules: &[&str], change: &dyn Fn(&mut OidcArgs)| {
            let rules = rules.iter().map(|text| text.parse().unwrap()).collect();
            let mut args = OidcArgs { grant: Some(rules), ..args() };
            change(&mut args);
            checked(args).unwrap().fingerprint()
        };
        let known = of(&two, &|_| {});
        assert_eq!(of(&[two[1], two[0], two[1]], &|_| {}), known);
        assert_eq!(of(&two, &|args| args.name = Some("another".to_owned())), known);
        for other in [
            &two[..1],
            &["ops=viewer@acme", two[1]],
            &["ops=admin@other", two[1]],
            &["op=admin@acme", two[1]],
            &[two[0], "ship-{tenant}=viewer@{tenant}/production"],
            &[two[0], "ship-{tenant}=viewer@{tenant}"],
            &[two[0], "ship-{tenant}s=viewer@{tenant}/production,staging"],
        ] {
            assert_ne!(of(other, &|_| {}), known, "{other:?}");
        }
        assert_ne!(of(&two, &|args| args.groups_claim = Some("roles".to_owned())), known);
        assert_ne!(of(&two, &|args| args.client_id = Some("another".to_owned())), known);
        assert_ne!(of(&two, &|args| args.issuer = Some("https://id.example.com".to_owned())), known);
    }

    #[test]
    fn what_cannot_be_is_refused_by_the_name_of_its_flag() {
        let check = |change: &dyn Fn(&mut OidcArgs), begins: &str| {
            let mut args = args();
            change(&mut args);
            let refused = checked(args).unwrap_err();
            assert!(refused.starts_with(begins), "{refused}");
        };
        for issuer in [
            "id.example.com",
            "http://id.example.com",
            "ftp://id.example.com",
            "https://id.example.com/?a=b",
            "https://id.example.com/#a",
            "https://u:p@id.example.com",
        ] {
            check(&|args| args.issuer = Some(issuer.to_owned()), "--oidc-issuer: ");
        }
        check(&|args| args.client_id = None, "--oidc-client-id: ");
        check(&|args| args.client_id = Some(" ".to_owned()), "--oidc-client-id: ");
        check(&|args| args.grant = None, "--oidc-grant: ");
        check(&|args| args.groups_claim = Some(String::new()), "--oidc-groups-claim: ");
        check(&|args| args.scopes = Some("openid gr\u{fc}n".to_owned()), "--oidc-scopes: ");
        check(&|args| args.name = Some("x".repeat(61)), "--oidc-name: ");
        check(&|args| args.name = Some("a\nb".to_owned()), "--oidc-name: ");
        check(
            &|args| args.client_secret_file = Some("/does/not/exist".into()),
            "--oidc-client-secret-file: ",
        );
        check(
            &|args| args.client_secret = Some(Secret(" \n".to_owned())),
            "the provider's client secret is empty",
        );
        check(&|args| args.issuer = None, "--oidc-client-id: means nothing without");
    }

    #[test]
    fn the_way_back_has_to_be_known_and_private() {
        let check = |public_url: Option<&str>, is_loopback: bool, taken: bool| {
            let checked = Settings::new(args(), public_url, is_loopback, None);
            assert_eq!(checked.is_ok(), taken, "{public_url:?} {checked:?}");
        };
        check(None, true, true);
        check(None, false, false);
        check(Some("https://ship.example.com"), false, true);
        check(Some("http://localhost:7700"), true, true);
        check(Some("http://ship.example.com"), false, false);
        check(Some("https://ship.example.com/board"), false, false);
        check(Some("ship.example.com"), false, false);
    }

    #[test]
    fn a_secret_comes_from_the_environment_or_a_file_and_is_never_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "geheim\n").unwrap();
        let from_file = OidcArgs { client_secret_file: Some(file.path().to_owned()), ..args() };
        let said = OidcArgs { client_secret: Some(Secret("geheim".to_owned())), ..args() };
        assert!(!format!("{said:?}").contains("geheim"));
        for args in [from_file, said] {
            let settings = checked(args).unwrap();
            assert_eq!(settings.client_secret.as_ref().unwrap().secret(), "geheim");
            assert!(!format!("{settings:?}").contains("geheim"), "{settings:?}");
        }
        let both = OidcArgs {
            client_secret: Some(Secret("geheim".to_owned())),
            client_secret_file: Some(file.path().to_owned()),
            ..args()
        };
        assert!(!checked(both).unwrap_err().contains("geheim"));
    }
}
