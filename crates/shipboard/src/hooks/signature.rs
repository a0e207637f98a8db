//! `X-Hub-Signature-256`: HMAC-SHA256 over the bytes as received, form or JSON.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The header is the signature of these bytes under one of the secrets. Compares in constant time and
/// tries every secret, so that nothing can be learnt from how long it takes. An empty secret signs nothing.
pub fn verify<S: AsRef<[u8]>>(secrets: &[S], header: Option<&str>, body: &[u8]) -> bool {
    let Some(sent) = header.and_then(|header| header.trim().strip_prefix("sha256=")) else { return false };
    let Ok(sent) = hex::decode(sent) else { return false };
    secrets.iter().fold(false, |known, secret| known | signs(secret.as_ref(), &sent, body))
}

fn signs(secret: &[u8], sent: &[u8], body: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return false };
    mac.update(body);
    mac.verify_slice(sent).is_ok() & !secret.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "It's a Secret to Everybody";
    const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    #[test]
    fn github_s_own_test_vector_is_verified() {
        assert!(verify(&[SECRET], Some(SIGNATURE), b"Hello, World!"));
        assert!(verify(&[SECRET], Some(&SIGNATURE.replace("757107ea", "757107EA")), b"Hello, World!"));
    }

    #[test]
    fn any_of_several_secrets_will_do_so_that_they_can_be_rotated() {
        assert!(verify(&["new", SECRET], Some(SIGNATURE), b"Hello, World!"));
        assert!(verify(&[SECRET, "new"], Some(SIGNATURE), b"Hello, World!"));
    }

    #[test]
    fn whatever_else_is_refused() {
        let check = |secrets: &[&str], header: Option<&str>, body: &[u8]| {
            assert!(!verify(secrets, header, body), "{secrets:?} {header:?}");
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
}
