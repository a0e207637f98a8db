//! The command line's own refusals: settings that cannot be, and databases that are not there.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Output, Stdio};

use crate::harness::{Server, binary};

fn run(directory: &Path, args: &[&str]) -> Output {
    binary().current_dir(directory).args(args).output().unwrap()
}

/// The command ends with an error that names what is wrong. A server that starts all the same is not waited
/// for.
fn refused(directory: &Path, args: &[&str], named: &str) {
    let mut command = binary();
    command.current_dir(directory).args(args).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        said += &line.unwrap();
        if said.contains("listening on ") {
            child.kill().unwrap();
            break;
        }
    }
    assert!(!child.wait().unwrap().success(), "{args:?}");
    assert!(said.contains(named) && !said.contains("panicked"), "{args:?}: {said}");
}

#[test]
fn a_command_that_needs_what_is_kept_makes_no_database() {
    let directory = tempfile::tempdir().unwrap();
    for database in ["sqlite:typo.db", "sqlite://typo.db"] {
        for args in [
            &["check"][..],
            &["tenant", "list"],
            &["token", "list"],
            &["token", "revoke", "1"],
            &["token", "create", "--tenant", "acme", "--role", "viewer"],
            &["hook", "list"],
            &["hook", "revoke", "1"],
            &["hook", "create", "--tenant", "acme", "--source", "github"],
            &["audit"],
        ] {
            refused(directory.path(), &[args, &["--database", database]].concat(), "typo.db");
        }
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    let made = run(directory.path(), &["tenant", "create", "acme", "--database", "sqlite:new.db"]);
    assert!(made.status.success(), "a tenant may be the first of all");
}

#[test]
fn a_database_that_would_not_be_kept_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for database in ["sqlite::memory:", "sqlite:", "sqlite://", "sqlite://:memory:"] {
        refused(
            directory.path(),
            &["serve", "--listen", "127.0.0.1:0", "--database", database],
            "--database",
        );
        refused(directory.path(), &["tenant", "create", "acme", "--database", database], "--database");
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_time_that_cannot_be_stops_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let times = [
        ("--heartbeat", "10ns"),
        ("--heartbeat", "0"),
        ("--write-timeout", "0"),
        ("--lost-after", "0s"),
        ("--lost-waiting-after", "0"),
        ("--lost-after", "20000y"),
        ("--keep-events", "101y"),
    ];
    for (flag, time) in times {
        refused(directory.path(), &["serve", "--listen", "127.0.0.1:0", flag, time], flag);
    }
}

#[test]
fn a_tenant_that_is_there_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let with = |args: &[&str]| run(directory.path(), &[args, &["--database", "sqlite:board.db"]].concat());
    assert!(with(&["tenant", "create", "acme", "--name", "Acme"]).status.success());
    assert!(!with(&["tenant", "create", "acme", "--name", "Other"]).status.success());
    assert!(!with(&["tenant", "create", "more", "--name", &"x".repeat(256)]).status.success());
    assert_eq!(with(&["tenant", "list"]).stdout, b"acme\tAcme\n");
    let audit = String::from_utf8(with(&["audit", "--tenant", "acme"]).stdout).unwrap();
    assert_eq!(audit.lines().count(), 1, "what was refused changed nothing: {audit}");
    let record: serde_json::Value = serde_json::from_str(&audit).unwrap();
    assert_eq!((&record["action"], &record["detail"]["name"]), (&"tenant.put".into(), &"Acme".into()));
}

#[test]
fn a_token_s_life_is_neither_nothing_nor_longer_than_a_century() {
    let server = Server::start();
    let database = server.database();
    let directory = tempfile::tempdir().unwrap();
    let with = |args: &[&str]| run(directory.path(), &[args, &["--database", &database]].concat());
    assert!(with(&["tenant", "create", "acme"]).status.success());
    for expires in ["20000y", "101y", "0", "0s", "1ns"] {
        let args =
            ["token", "create", "--tenant", "acme", "--role", "viewer", "--expires", expires, "--database"];
        refused(directory.path(), &[&args[..], &[&database]].concat(), "--expires");
    }
    let made = with(&["token", "create", "--tenant", "acme", "--role", "viewer", "--expires", "99y"]);
    assert!(made.status.success());
    let list = String::from_utf8(with(&["token", "list"]).stdout).unwrap();
    assert_eq!(list.lines().count(), 1, "{list}");
}
