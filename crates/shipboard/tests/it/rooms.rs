//! The arrows between the rooms: what a room must not know, by the paths its files name.

use std::path::{Path, PathBuf};

/// A room (a folder or file below `crates/`), and what no line of code in it may name.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "core/src",
        &["tokio", "sqlx", "axum", "reqwest", "std::fs", "std::env", "SystemTime", "Instant", "rand::"],
    ),
    ("shipboard/src/store", &["axum", "hyper", "crate::http", "crate::board", "crate::writer", "crate::app"]),
    ("shipboard/src/board", &["axum", "hyper", "sqlx", "crate::http", "crate::writer", "crate::app"]),
    ("shipboard/src/writer.rs", &["axum", "hyper", "sqlx", "crate::http"]),
    ("shipboard/src/http", &["sqlx"]),
    (
        "shipboard/src/hooks",
        &["tokio", "axum", "sqlx", "crate::http", "crate::store", "crate::board", "crate::writer"],
    ),
    (
        "shipboard/src/oidc",
        &["axum", "hyper", "sqlx", "crate::http", "crate::board", "crate::writer", "crate::app"],
    ),
    (
        "shipboard/src/report",
        &["axum", "sqlx", "crate::http", "crate::store", "crate::board", "crate::writer"],
    ),
];

fn sources(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_file() {
        found.push(path.to_owned());
        return;
    }
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "rs") {
            sources(&path, found);
        }
    }
}

/// A file's code, without comments and without its tests, which may use what they like.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let before_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = before_tests.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn is_test(path: &Path) -> bool {
    let name = path.to_string_lossy();
    ["tests", "contract.rs", "typescript.rs", "/model"].iter().any(|part| name.contains(part))
}

#[test]
fn no_arrow_between_the_rooms_turns_back() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = Vec::new();
    for (room, forbidden) in FORBIDDEN {
        let mut files = Vec::new();
        sources(&crates.join(room), &mut files);
        assert!(!files.is_empty(), "{room} is gone: tell this test where it went");
        for file in files.iter().filter(|file| !is_test(file)) {
            let code = code(file);
            let known = forbidden.iter().filter(|name| names(&code, name));
            found.extend(known.map(|name| format!("{} names {name}", file.display())));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// The code names a path: not as a part of a longer word.
fn names(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
    })
}
