//! `shipboard import`: files of reports, good and bad.

use std::path::{Path, PathBuf};
use std::process::Output;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Server, binary, board};

struct Import<'a> {
    server: &'a Server,
    folder: tempfile::TempDir,
}

impl<'a> Import<'a> {
    fn new(server: &'a Server) -> Self {
        Self { server, folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn run(&self, file: &Path, args: &[&str]) -> Output {
        let mut command = binary();
        command.arg("import").arg(file).args(["--server", &self.server.url, "--tenant", "acme", "--json"]);
        command.args(args).output().unwrap()
    }
}

fn summary(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[tokio::test]
async fn a_csv_is_imported_once_however_often_it_is_repeated() {
    let server = Server::start();
    let import = Import::new(&server);
    let file = import.file(
        "history.csv",
        "env,workflow,version,status,occurred_at,actor,commit.sha\n\
         staging,crane,v1,success,2026-03-01T10:00:00Z,mara,abc\n\
         production,crane,v1,success,2026-03-01T10:09:00Z,mara,abc\n\
         production,crane,v2,failed,2026-03-02T10:00:00Z,joost,def\n",
    );
    let once = import.run(&file, &[]);
    assert!(once.status.success(), "{once:?}");
    assert_eq!(summary(&once), json!({"lines": 3, "created": 3, "known": 0, "refused": 0, "undated": 0}));
    assert!(once.stderr.is_empty(), "no bar where there is no terminal");
    let before = server.get(&board("/deployments")).await;
    let again = import.run(&file, &[]);
    assert_eq!(summary(&again), json!({"lines": 3, "created": 0, "known": 3, "refused": 0, "undated": 0}));
    assert_eq!(server.get(&board("/deployments")).await, before, "not even an event");
    assert_eq!(before["items"][0]["version"], "v2");
    assert_eq!(before["items"][0]["source"], "import");
    server.check();
}

#[tokio::test]
async fn bad_lines_are_named_and_harm_no_other() {
    let server = Server::start();
    let (status, gone) = server
        .send(
            Method::POST,
            &board("/deployments"),
            &json!({"workflow": "a", "external_id": "x", "source": "import"}),
        )
        .await;
    assert!(status.is_success());
    server.delete(&board(&format!("/deployments/{}", gone["deployment"]["id"].as_str().unwrap()))).await;
    let import = Import::new(&server);
    let at = "2026-03-01T10:00:00Z";
    let lines = [
        json!({"workflow": "crane", "status": "success", "occurred_at": at}).to_string(),
        "{".to_owned(),
        json!({"workflow": "Crane!", "occurred_at": at}).to_string(),
        json!({"workflow": "crane", "external_id": "x", "occurred_at": at}).to_string(),
        json!({"workflow": "winch", "status": "success", "occurred_at": at}).to_string(),
    ];
    let output = import.run(&import.file("x.jsonl", &lines.join("\n")), &["--env", "production"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(summary(&output), json!({"lines": 5, "created": 2, "known": 0, "refused": 3, "undated": 0}));
    let said = String::from_utf8(output.stderr).unwrap();
    for expected in ["line 2: is no JSON object", "line 3: workflow:", "line 4: this deployment was deleted"]
    {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert_eq!(server.get(&board("/counts")).await["counts"]["deployments"]["success"], 2);
}

#[tokio::test]
async fn a_file_larger_than_a_batch_goes_in_several() {
    let server = Server::start();
    let import = Import::new(&server);
    let line = |n: u32| {
        let at = format!("2026-03-{:02}T10:{:02}:00Z", n / 60 % 28 + 1, n % 60);
        let message = "x".repeat(1_500);
        json!({"workflow": "crane", "external_id": n.to_string(), "occurred_at": at, "message": message})
            .to_string()
    };
    let lines: Vec<_> = (0..2_300).map(line).collect();
    let output = import.run(&import.file("x.jsonl", &lines.join("\n")), &["--env", "production"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(summary(&output)["created"], 2_300);
    assert_eq!(server.get(&board("/counts")).await["counts"]["deployments"]["total"], 2_300);
    server.check();
}

#[tokio::test]
async fn what_cannot_be_begun_is_an_error() {
    let server = Server::start();
    let import = Import::new(&server);
    let output = import.run(Path::new("/no/such/file.csv"), &[]);
    assert_eq!(output.status.code(), Some(1));
    let output = import.run(&import.file("x.csv", "service\ncrane\n"), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no column `workflow`"));
    let output = import.run(&import.file("y.csv", "workflow\ncrane\n"), &[]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("line 2: env: is missing"));
}

/// Ninety days of somebody's real deployments, where they lie beside the project.
#[tokio::test]
async fn a_real_history_is_imported_and_adds_up() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/fixtures/history/govuk/govuk-image-tags-last-90-days.csv");
    if !file.exists() {
        println!("skipped a_real_history_is_imported_and_adds_up: {} is not there", file.display());
        return;
    }
    let server = Server::start();
    let import = Import::new(&server);
    let columns = ["requested_at=occurred_at", "environment=env", "application=workflow"];
    let mut args: Vec<_> = columns.iter().flat_map(|column| ["--rename", *column]).collect();
    args.extend(["--set", "status=success"]);
    let output = import.run(&file, &args);
    assert!(output.status.success(), "{output:?}");
    assert_eq!((&summary(&output)["lines"], &summary(&output)["refused"]), (&json!(7_456), &json!(0)));
    let mut total = 0;
    for env in ["integration", "staging", "production"] {
        let counts = server.get(&format!("/api/v1/tenants/acme/envs/{env}/counts")).await;
        total += counts["counts"]["deployments"]["success"].as_u64().unwrap();
    }
    assert_eq!(total, summary(&output)["created"].as_u64().unwrap());
    server.check();
}
