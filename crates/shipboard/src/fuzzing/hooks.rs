//! Webhooks, from headers and bytes to reports. An input is written as HTTP writes a message: headers as lines, an
//! empty line, the body. `env` is no header but what stands behind the `?`.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use shipboard_core::report::{MAX_TEXT_CHARS, Report};

use super::{NOW, is_plain, possible};
use crate::hooks::{Delivery, EnvReport, HookError, Source};

/// What nobody knows who sends these bytes.
const SECRET: &str = "b0f6ce6bcf0f4f4e8f0c7a9e5d1e6a3c7b2d8f4e1a9c5b7d3e6f8a0b2c4d6e8f";
/// In what the form of a hook is sent.
const FORM: &str = "application/x-www-form-urlencoded";

/// GitHub's.
pub fn github(data: &[u8]) -> Vec<Vec<Report>> {
    hook(Source::Github, data)
}

/// GitLab's.
pub fn gitlab(data: &[u8]) -> Vec<Vec<Report>> {
    hook(Source::Gitlab, data)
}

/// Argo CD's.
pub fn argocd(data: &[u8]) -> Vec<Vec<Report>> {
    hook(Source::Argocd, data)
}

/// CDEvents.
pub fn cdevents(data: &[u8]) -> Vec<Vec<Report>> {
    hook(Source::Cdevents, data)
}

/// Headers by their names.
type Headers<'a> = Vec<(String, &'a str)>;

fn parts(data: &[u8]) -> Option<(Headers<'_>, &[u8])> {
    // Without headers the message begins with the empty line.
    let at = if data.starts_with(b"\n") { 0 } else { data.windows(2).position(|pair| pair == b"\n\n")? + 1 };
    let head = std::str::from_utf8(&data[..at]).ok()?;
    let headers = head.lines().filter_map(|line| line.split_once(": "));
    Some((headers.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect(), &data[at + 1..]))
}

/// What is read of a delivery, env by env. What it is taken for is sound, and nobody's signature is forged.
fn hook(source: Source, data: &[u8]) -> Vec<Vec<Report>> {
    let Some((headers, body)) = parts(data) else { return Vec::new() };
    let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let delivery = Delivery { headers: &header, env: header("env"), body };
    signatures(source, &delivery);
    let keys = source.keys(&delivery);
    assert!((1..=2).contains(&keys.len()) && keys == source.keys(&delivery));
    assert!(keys.iter().all(|key| key.len() <= "body:".len() + 64), "{keys:?}");
    let told = source.read(&delivery);
    if let Err(HookError::Invalid(invalid)) = &told {
        panic!("it was read as what the core refuses: {invalid}");
    }
    let told = told.unwrap_or_default();
    assert_eq!(Some(&told), source.read(&delivery).ok().as_ref().or(Some(&Vec::new())));
    as_a_form(source, &delivery, &told);
    let mut by_env: Vec<(_, Vec<Report>)> = Vec::new();
    for EnvReport { env, env_name, report } in told {
        possible(&report);
        assert_eq!(report.source.as_deref(), Some(source.word()));
        assert_eq!(env.as_str().parse().as_ref(), Ok(&env));
        // What names an env may hold what the database would not keep: that is changed where envs are made.
        assert!(is_plain(&env_name.replace('\0', "."), MAX_TEXT_CHARS), "{env_name:?}");
        match by_env.iter_mut().find(|(known, _)| *known == env) {
            Some((_, reports)) => reports.push(report),
            None => by_env.push((env, vec![report])),
        }
    }
    by_env.into_iter().map(|(_, reports)| reports).collect()
}

/// Whoever does not know the secret signs nothing, and whoever does signs these bytes and no others.
fn signatures(source: Source, delivery: &Delivery<'_>) {
    let secrets = [SECRET.to_owned()];
    let Delivery { env, body, .. } = *delivery;
    assert!(!source.is_signed(&secrets, delivery, NOW) && !source.is_signed(&[], delivery, NOW));
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()) else { return };
    let signature = format!("sha256={}", hex::encode(mac.chain_update(body).finalize().into_bytes()));
    let shown = |name: &str| match (source, name) {
        (Source::Gitlab, "x-gitlab-token") => Some(SECRET),
        (Source::Github | Source::Argocd | Source::Cdevents, "x-hub-signature-256") => Some(&*signature),
        _ => None,
    };
    assert!(source.is_signed(&secrets, &Delivery { headers: &shown, env, body }, NOW));
    let longer = [body, b" "].concat();
    let changed = Delivery { headers: &shown, env, body: &longer };
    assert_eq!(source.is_signed(&secrets, &changed, NOW), source == Source::Gitlab, "a token signs nothing");
}

/// A form says what the JSON says that is in it.
fn as_a_form(source: Source, delivery: &Delivery<'_>, told: &[EnvReport]) {
    let content_type =
        (delivery.headers)("content-type").unwrap_or_default().trim_start().to_ascii_lowercase();
    if source != Source::Github || content_type.starts_with(FORM) {
        return;
    }
    let encoded: String = form_urlencoded::byte_serialize(delivery.body).collect();
    let form = format!("more=%7B&payload={encoded}");
    let headers = |name: &str| if name == "content-type" { Some(FORM) } else { (delivery.headers)(name) };
    let read = source.read(&Delivery { headers: &headers, env: delivery.env, body: form.as_bytes() });
    assert_eq!(read.unwrap_or_default(), told);
}
