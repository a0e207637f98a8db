//! Whether whoever sent these bytes knows a secret. All that is here compares in constant time and tries every
//! secret, so that nothing can be learnt from how long it takes. An empty secret is nobody's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use shipboard_core::time::Timestamp;

/// How far from now a signature's own time may be, in milliseconds.
const MAX_AGE_MS: i64 = 5 * 60 * 1_000;
/// Most signatures looked at of a header that may hold several.
const MAX_SIGNATURES: usize = 8;
/// What a secret in base64 begins with where it is signed with as Standard Webhooks have it.
const IN_BASE64: &str = "whsec_";

/// `X-Hub-Signature-256`: HMAC-SHA256 over the bytes as received, form or JSON.
pub(super) fn is_hub_signed<S: AsRef<[u8]>>(secrets: &[S], header: Option<&str>, body: &[u8]) -> bool {
    let Some(sent) = header.and_then(|header| header.trim().strip_prefix("sha256=")) else { return false };
    let Ok(sent) = hex::decode(sent) else { return false };
    any(secrets, |secret| signs(secret, std::slice::from_ref(&sent), &[body]))
}

/// The secret itself, as a token. Compared by hashes: neither its length nor how much of it is right shows.
pub(super) fn is_shown<S: AsRef<[u8]>>(secrets: &[S], sent: Option<&str>) -> bool {
    let Some(sent) = sent else { return false };
    let hashed = |secret: &[u8]| Hmac::<Sha256>::new_from_slice(b"shown").map(|mac| mac.chain_update(secret));
    let Ok(sent) = hashed(sent.as_bytes()).map(|mac| mac.finalize().into_bytes()) else { return false };
    any(secrets, |secret| hashed(secret).is_ok_and(|mac| mac.verify_slice(&sent).is_ok()))
}

/// `webhook-signature: v1,…` over id, time and bytes, as Standard Webhooks have it. An old one is none:
/// whoever listened in on it cannot use it later.
pub(super) fn is_standard_signed<S: AsRef<[u8]>>(
    secrets: &[S],
    [id, at, signature]: [Option<&str>; 3],
    body: &[u8],
    now: Timestamp,
) -> bool {
    let (Some(id), Some(at), Some(signature)) = (id, at, signature) else { return false };
    let Some(sent_at) = at.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1_000)) else {
        return false;
    };
    if now.as_millis().saturating_sub(sent_at).saturating_abs() > MAX_AGE_MS {
        return false;
    }
    let sent = signature.split_ascii_whitespace().filter_map(|one| one.strip_prefix("v1,"));
    let sent = sent.take(MAX_SIGNATURES).filter_map(|one| BASE64.decode(one).ok()).collect::<Vec<_>>();
    let parts = [id.as_bytes(), b".", at.as_bytes(), b".", body];
    any(secrets, |secret| {
        // As it is, and as what it is the base64 of: senders do not agree.
        let decoded = std::str::from_utf8(secret).unwrap_or_default();
        let decoded = BASE64.decode(decoded.strip_prefix(IN_BASE64).unwrap_or(decoded));
        signs(secret, &sent, &parts) | signs(&decoded.unwrap_or_default(), &sent, &parts)
    })
}

fn any<S: AsRef<[u8]>>(secrets: &[S], check: impl Fn(&[u8]) -> bool) -> bool {
    secrets
        .iter()
        .map(AsRef::as_ref)
        .fold(false, |known, secret| known | (check(secret) & !secret.is_empty()))
}

/// One of these is the secret's signature. It is computed once, however many are sent.
fn signs(secret: &[u8], sent: &[Vec<u8>], parts: &[&[u8]]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return false };
    parts.iter().for_each(|part| mac.update(part));
    let known = sent.iter().fold(false, |known, sent| known | mac.clone().verify_slice(sent).is_ok());
    known & !secret.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "It's a Secret to Everybody";
    const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    #[test]
    fn github_s_own_test_vector_is_verified() {
        assert!(is_hub_signed(&[SECRET], Some(SIGNATURE), b"Hello, World!"));
        assert!(is_hub_signed(&[SECRET], Some(&SIGNATURE.replace("757107ea", "757107EA")), b"Hello, World!"));
    }

    #[test]
    fn any_of_several_secrets_will_do_so_that_they_can_be_rotated() {
        assert!(is_hub_signed(&["new", SECRET], Some(SIGNATURE), b"Hello, World!"));
        assert!(is_hub_signed(&[SECRET, "new"], Some(SIGNATURE), b"Hello, World!"));
    }

    #[test]
    fn whatever_else_is_refused() {
        let check = |secrets: &[&str], header: Option<&str>, body: &[u8]| {
            assert!(!is_hub_signed(secrets, header, body), "{secrets:?} {header:?}");
        };
        check(&[SECRET], Some(SIGNATURE), b"Hello, World?");
        check(&["other"], Some(SIGNATURE), b"Hello, World!");
        check(&[], Some(SIGNATURE), b"Hello, World!");
        check(&[SECRET], None, b"Hello, World!");
        check(&[SECRET], Some(&SIGNATURE[..SIGNATURE.len() - 2]), b"Hello, World!");
        check(&[SECRET], Some(&SIGNATURE.replace("sha256=", "sha1=")), b"Hello, World!");
        check(&[SECRET], Some("sha256=zz"), b"Hello, World!");
        check(&[SECRET], Some("sha256="), b"Hello, World!");
        let of_nothing = "sha256=b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
        check(&[""], Some(of_nothing), b"");
    }

    #[test]
    fn a_token_is_the_secret_to_the_letter() {
        let check = |secrets: &[&str], sent: Option<&str>, known: bool| {
            assert_eq!(is_shown(secrets, sent), known, "{secrets:?} {sent:?}");
        };
        check(&[SECRET], Some(SECRET), true);
        check(&["new", SECRET], Some("new"), true);
        check(&[SECRET], Some(&SECRET[1..]), false);
        check(&[SECRET], Some("It's a Secret to Everybody\0"), false);
        check(&[SECRET], Some(""), false);
        check(&[SECRET], None, false);
        check(&[], Some(SECRET), false);
        check(&[""], Some(""), false);
    }

    /// Of the specification's own example: a secret, an id, a time in seconds, a body.
    const STANDARD: [&str; 4] = [
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "1614265330",
        r#"{"test": 2432232314}"#,
    ];

    fn standard(secrets: &[&str], headers: [Option<&str>; 3], later_s: i64) -> bool {
        let now = Timestamp::from_millis((1_614_265_330 + later_s) * 1_000);
        is_standard_signed(secrets, headers, STANDARD[3].as_bytes(), now)
    }

    #[test]
    fn a_standard_signature_holds_for_five_minutes() {
        let [secret, id, at, _] = STANDARD;
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let headers = [Some(id), Some(at), Some(signature)];
        for (later_s, holds) in [(0, true), (300, true), (301, false), (-300, true), (-301, false)] {
            assert_eq!(standard(&[secret], headers, later_s), holds, "{later_s} s later");
        }
        let several = format!("v1a,other v1,AAAA v1,!! {signature}");
        assert!(standard(&["new", secret], [Some(id), Some(at), Some(&several)], 0));
        assert!(!standard(&[secret], [Some("msg_other"), Some(at), Some(signature)], 0));
        assert!(!standard(&[secret], [Some(id), Some("1614265331"), Some(signature)], 0));
        assert!(!standard(&[secret], [Some(id), Some("noon"), Some(signature)], 0));
        assert!(!standard(&[secret], [Some(id), Some("9223372036854775807"), Some(signature)], 0));
        assert!(!standard(&[secret], [None, Some(at), Some(signature)], 0));
        assert!(!standard(&["other"], headers, 0));
        assert!(!standard(&["", "whsec_"], headers, 0));
    }

    #[test]
    fn a_secret_may_sign_as_it_is() {
        let [_, id, at, body] = STANDARD;
        let mut mac = Hmac::<Sha256>::new_from_slice(b"plain words").unwrap();
        mac.update(format!("{id}.{at}.{body}").as_bytes());
        let signature = format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()));
        assert!(standard(&["plain words"], [Some(id), Some(at), Some(&signature)], 0));
    }
}
