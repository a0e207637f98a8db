//! Texts that other systems chose: cut to what a report may carry, since nobody is there to correct them.

use shipboard_core::report::{MAX_TEXT_CHARS, MAX_URL_CHARS, cut};

/// A name: blank is absent. Whole, since what is made of it must tell long names apart.
pub(crate) fn name(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// A short text: blank is absent, too long is cut, and NUL, which no database keeps, becomes U+FFFD.
pub(crate) fn brief(text: Option<&str>) -> Option<String> {
    name(text).map(|text| cut(text, MAX_TEXT_CHARS).replace('\0', "\u{fffd}"))
}

/// A link: what is no http(s) URL, or too long to be kept, is absent.
pub(crate) fn link(url: Option<&str>) -> Option<String> {
    let url = url.map(str::trim)?;
    let (scheme, _) = url.split_once("://")?;
    let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    (is_web && url.chars().count() <= MAX_URL_CHARS).then(|| url.to_owned())
}

/// `v1.2.3`, `1.2`, `2026.01.31-2`: numbers and dots, perhaps a `v` before and more after `-` or `+`.
pub(crate) fn reads_like_a_version(reference: &str) -> bool {
    let numbers = reference.strip_prefix('v').unwrap_or(reference);
    let numbers = numbers.split(['-', '+']).next().unwrap_or_default();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    numbers.contains('.') && numbers.split('.').all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_others_are_trimmed_and_cut_and_blank_ones_are_absent() {
        assert_eq!(brief(Some("  v1 ")).as_deref(), Some("v1"));
        assert_eq!(brief(Some(" \t")), None);
        assert_eq!(brief(Some("a\0b")).as_deref(), Some("a\u{fffd}b"));
        assert_eq!(brief(Some(&"é".repeat(300))).map(|text| text.chars().count()), Some(MAX_TEXT_CHARS));
    }

    #[test]
    fn only_web_addresses_become_links() {
        assert_eq!(link(Some("HTTPS://example.com/x")).as_deref(), Some("HTTPS://example.com/x"));
        for bad in ["", "example.com", "javascript:alert(1)", "ftp://example.com", "://"] {
            assert_eq!(link(Some(bad)), None, "{bad}");
        }
        assert_eq!(link(Some(&format!("https://example.com/{}", "x".repeat(MAX_URL_CHARS)))), None);
    }
}
