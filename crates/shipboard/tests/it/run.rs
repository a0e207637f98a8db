//! `shipboard run`, `start`, `update` and `finish` against a real server, and against none.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::harness::{Server, binary, board, eventually};

/// What tells a CI by; a test run by one is not to take its deployments for that CI's.
const CI: [&str; 11] = [
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "BUILDKITE",
    "CIRCLECI",
    "BITBUCKET_BUILD_NUMBER",
    "TF_BUILD",
    "DRONE",
    "TRAVIS",
    "TEAMCITY_VERSION",
    "CODEBUILD_BUILD_ID",
    "JENKINS_URL",
];

/// A reporter outside of any CI, with a spool of its own.
fn reporter(server: &str, spool: &Path) -> Command {
    let mut command = binary();
    for name in CI {
        command.env_remove(name);
    }
    command.envs([
        ("SHIPBOARD_SERVER", server),
        ("SHIPBOARD_TENANT", "acme"),
        ("SHIPBOARD_ENV", "production"),
    ]);
    command.env("SHIPBOARD_SPOOL", spool).stdin(Stdio::null());
    command
}

struct Reporter<'a> {
    server: &'a Server,
    spool: tempfile::TempDir,
}

impl<'a> Reporter<'a> {
    fn new(server: &'a Server) -> Self {
        Self { server, spool: tempfile::tempdir().unwrap() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = reporter(&self.server.url, self.spool.path());
        command.args(args);
        command
    }

    /// Runs a shell script as the workflow `crane`.
    fn run(&self, script: &str) -> Output {
        self.command(&["run", "--workflow", "crane", "--", "sh", "-c", script]).output().unwrap()
    }

    fn start(&self, script: &str) -> Child {
        let mut command = self.command(&["run", "--workflow", "crane", "--", "sh", "-c", script]);
        // Not in the foreground of whatever terminal the tests run in: there Control-C needs no forwarding.
        command.process_group(0);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    async fn newest(&self) -> Value {
        self.server.get(&board("/deployments?limit=1")).await["items"][0].clone()
    }

    async fn log(&self, row: &Value) -> String {
        self.server.text(&board(&format!("/deployments/{}/logs", row["id"].as_str().unwrap()))).await
    }

    /// Waits until the newest deployment's log has this in it.
    async fn until_logged(&self, text: &str) -> Value {
        eventually("the log arrives", async || {
            let row = self.newest().await;
            (row["has_log"] == json!(true) && self.log(&row).await.contains(text)).then_some(row)
        })
        .await
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn a_command_keeps_its_streams_and_its_code_and_is_on_the_board() {
    let server = Server::start();
    let reporter = Reporter::new(&server);
    let output = reporter.run(r"printf 'out\000\377\n'; printf 'err' >&2; exit 7");
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(output.stdout, b"out\0\xff\n", "byte for byte");
    assert_eq!(output.stderr, b"err", "and no words of ours");

    let row = reporter.newest().await;
    assert_eq!(row["status"], "failed");
    assert_eq!(row["workflow_id"], "crane");
    assert_eq!(row["source"], "cli");
    assert_eq!(row["message"], "Ended with exit code 7");
    let log = reporter.log(&row).await;
    assert!(log.contains("out\u{fffd}\u{fffd}\n") && log.contains("err"), "{log:?}");
    let details = server.get(&board(&format!("/deployments/{}", row["id"].as_str().unwrap()))).await;
    let told: Vec<_> =
        details["timeline"].as_array().unwrap().iter().map(|it| it["status"].clone()).collect();
    assert_eq!(told, [json!("queued"), json!("running"), json!("failed")]);
    server.check();
}

#[tokio::test]
async fn codes_are_those_a_shell_would_give() {
    let server = Server::start();
    let reporter = Reporter::new(&server);
    let check = async |command: &[&str], code: i32, status: &str| {
        let args = [&["run", "--workflow", "crane", "--"], command].concat();
        let output = reporter.command(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{command:?}: {}", text(&output.stderr));
        assert_eq!(reporter.newest().await["status"], status, "{command:?}");
    };
    check(&["true"], 0, "success").await;
    check(&["/no/such/command"], 127, "failed").await;
    check(&["/etc/passwd"], 126, "failed").await;
    check(&["sh", "-c", "kill -9 $$"], 137, "failed").await;
    check(&["sh", "-c", "kill -TERM $$"], 143, "cancelled").await;
}

#[tokio::test]
async fn signals_reach_the_command_and_it_counts_as_cancelled() {
    let server = Server::start();
    let reporter = Reporter::new(&server);
    let check = async |script: &str, signal: Signal, code: i32| {
        let mut child = reporter.start(script);
        reporter.until_logged("ready").await;
        kill(Pid::from_raw(child.id() as i32), signal).unwrap();
        let status = eventually("it ends", async || child.try_wait().unwrap()).await;
        assert_eq!(status.code(), Some(code), "{script}");
        let row = reporter.newest().await;
        assert_eq!(row["status"], "cancelled");
        assert_eq!(row["message"], format!("Stopped by {signal}"));
        server.delete(&board(&format!("/deployments/{}", row["id"].as_str().unwrap()))).await;
    };
    check("echo ready; exec sleep 60", Signal::SIGINT, 130).await;
    check("echo ready; exec sleep 60", Signal::SIGTERM, 143).await;
    let cleaning_up = "trap 'echo bye; exit 9' TERM; echo ready; while :; do sleep 0.05; done";
    check(cleaning_up, Signal::SIGTERM, 9).await;
}

#[tokio::test]
async fn the_log_arrives_while_the_command_runs() {
    let server = Server::start();
    let reporter = Reporter::new(&server);
    let mut command =
        reporter.command(&["run", "--workflow", "crane", "--", "sh", "-c", "echo one; read line"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let row = reporter.until_logged("one\n").await;
    assert_eq!(row["status"], "running");
    child.stdin.take().unwrap().write_all(b"on\n").unwrap();
    assert!(child.wait().unwrap().success(), "standard input is the command's");
    assert_eq!(reporter.newest().await["status"], "success");
}

#[tokio::test]
async fn without_a_log_the_command_has_the_real_streams() {
    let server = Server::start();
    let reporter = Reporter::new(&server);
    let args = ["run", "--workflow", "crane", "--no-log", "--", "echo", "hello"];
    let output = reporter.command(&args).output().unwrap();
    assert_eq!(text(&output.stdout), "hello\n");
    let row = reporter.newest().await;
    assert_eq!((&row["status"], &row["has_log"]), (&json!("success"), &json!(false)));
}

#[tokio::test]
async fn what_the_command_left_behind_does_not_hold_us() {
    let server = Server::start();
    let reporter = Reporter::new(&server);
    let output = reporter.run("sleep 600 & echo $!");
    assert!(output.status.success());
    let left: i32 = text(&output.stdout).trim().parse().unwrap();
    kill(Pid::from_raw(left), Signal::SIGKILL).unwrap();
    assert_eq!(reporter.newest().await["status"], "success");
}

#[tokio::test]
async fn a_script_inside_attaches_to_its_deployment() {
    let server = Server::start();
    let reporter = Reporter::new(&server);
    let script = r#"
        "$SB" update --progress 40 --phase rollout --step "3/7 migrate" &&
        "$SB" update --step migrate --step-status success && echo "$SHIPBOARD_DEPLOYMENT_URL" && false"#;
    let mut command = reporter.command(&["run", "--workflow", "crane", "--", "sh", "-c", script]);
    let output = command.env("SB", env!("CARGO_BIN_EXE_shipboard")).output().unwrap();
    let row = reporter.newest().await;
    assert_eq!(row["progress"], json!({"percent": 40.0, "phase": "rollout", "step": "migrate"}));
    let id = row["id"].as_str().unwrap();
    assert_eq!(text(&output.stdout), format!("{}/t/acme/production/d/{id}\n", server.url));
    let details = server.get(&board(&format!("/deployments/{id}"))).await;
    let steps: Vec<_> =
        details["timeline"].as_array().unwrap().iter().filter(|it| it["kind"] == "step").collect();
    assert_eq!(steps.len(), 1, "{steps:?}");
    assert_eq!(server.get(&board("/counts")).await["counts"]["deployments"]["total"], 1);
}

#[tokio::test]
async fn a_ci_s_second_try_is_another_attempt_and_its_log_goes_on() {
    let server = Server::start();
    let reporter = Reporter::new(&server);
    let run = |attempt: &str, script: &str| {
        let mut command = reporter.command(&["run", "--workflow", "crane", "--", "sh", "-c", script]);
        command.envs([
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REPOSITORY", "harbour/crane"),
            ("GITHUB_RUN_ID", "500"),
            ("GITHUB_RUN_ATTEMPT", attempt),
            ("GITHUB_JOB", "deploy"),
            ("GITHUB_SHA", "0123456789abcdef"),
            ("GITHUB_REF_NAME", "main"),
            ("GITHUB_ACTOR", "mara"),
        ]);
        command.output().unwrap()
    };
    run("1", "echo first; false");
    run("2", "echo second");
    let row = reporter.newest().await;
    assert_eq!((&row["status"], &row["attempt"]), (&json!("success"), &json!(2)));
    assert_eq!(row["external_id"], "harbour/crane/500/deploy/crane");
    assert_eq!((&row["actor"], &row["version"]), (&json!("mara"), &json!("0123456")));
    assert_eq!(row["url"], "https://github.com/harbour/crane/actions/runs/500");
    assert_eq!(reporter.log(&row).await, "first\nsecond\n");
    assert_eq!(server.get(&board("/counts")).await["counts"]["deployments"]["total"], 1);
}

#[tokio::test]
async fn without_a_server_the_command_runs_and_that_is_said_once() {
    let output = binary().args(["run", "--", "sh", "-c", "echo hello; exit 3"]).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(3), "hello\n"));
    let said = text(&output.stderr);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("no --server"), "{said}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_holds_nobody_up() {
    // Connections are accepted by the system, and nobody ever reads them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let spool = tempfile::tempdir().unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut command = reporter(&url, spool.path());
    let began = std::time::Instant::now();
    let output = command
        .args(["run", "--workflow", "crane", "--", "sh", "-c", "echo hello; exit 3"])
        .output()
        .unwrap();
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(3), "hello\n"));
    assert!(began.elapsed() < std::time::Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(std::fs::read_dir(spool.path()).unwrap().count(), 1, "it waits in the spool");
}

#[tokio::test]
async fn what_was_missed_while_the_server_was_away_is_delivered_later() {
    let mut server = Server::start();
    server.kill();
    let spool = tempfile::tempdir().unwrap();
    let run = |url: &str, script: &str| {
        let mut command = reporter(url, spool.path());
        command.args(["run", "--workflow", "crane", "--", "sh", "-c", script]).output().unwrap()
    };
    let output = run(&server.url, "echo missed; exit 4");
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains("cannot be reached"), "{}", text(&output.stderr));
    server.restart();
    // The next one delivers it, and is itself on the board.
    let mut waiting = reporter(&server.url, spool.path());
    waiting.args(["run", "--workflow", "winch", "--", "sh", "-c", "read line"]).stdin(Stdio::piped());
    let mut waiting = waiting.spawn().unwrap();
    let missed = eventually("what was missed arrives", async || {
        let list = server.get(&board("/deployments?workflow=crane")).await;
        list["items"].get(0).filter(|row| row["has_log"] == json!(true)).cloned()
    })
    .await;
    drop(waiting.stdin.take());
    waiting.wait().unwrap();
    assert_eq!((&missed["status"], &missed["message"]), (&json!("failed"), &json!("Ended with exit code 4")));
    let log = server.text(&board(&format!("/deployments/{}/logs", missed["id"].as_str().unwrap()))).await;
    assert_eq!(log, "missed\n");
    assert_eq!(std::fs::read_dir(spool.path()).unwrap().count(), 0, "nothing waits any more");
    server.check();
}

#[tokio::test]
async fn strict_runs_nothing_that_it_cannot_report() {
    let server = Server::with(&["--auth", "required"]);
    let reporter = Reporter::new(&server);
    let mark = reporter.spool.path().join("ran");
    let touch = ["--", "touch", mark.to_str().unwrap()];
    let refused = reporter.command(&[&["run", "--workflow", "crane", "--strict"], &touch[..]].concat());
    let mut nowhere = binary();
    nowhere.args([&["run", "--strict"], &touch[..]].concat());
    for mut command in [refused, nowhere] {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(125));
        assert!(text(&output.stderr).contains("was not run"), "{}", text(&output.stderr));
        assert!(!mark.exists());
    }
    // Without it the same refusal is told once, and the command runs.
    let output = reporter.command(&[&["run", "--workflow", "crane"], &touch[..]].concat()).output().unwrap();
    assert!(output.status.success() && mark.exists());
    assert_eq!(text(&output.stderr).lines().count(), 1, "{}", text(&output.stderr));
}

#[tokio::test]
async fn start_prints_the_id_that_update_and_finish_take() {
    let server = Server::start();
    let reporter = Reporter::new(&server);
    let succeeds = |args: &[&str]| {
        let output = reporter.command(args).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let id = succeeds(&["start", "--workflow", "crane", "--version", "v7", "--actor", "mara"]);
    let row = reporter.newest().await;
    assert_eq!(id, format!("{}\n", row["id"].as_str().unwrap()), "the id and nothing else");
    assert_eq!(
        (&row["status"], &row["version"], &row["actor"]),
        (&json!("running"), &json!("v7"), &json!("mara"))
    );

    assert_eq!(
        succeeds(&["update", "--id", id.trim(), "--status", "waiting", "--message", "for the tide"]),
        ""
    );
    assert_eq!(reporter.newest().await["status"], "waiting");
    let mut finish = reporter.command(&["finish", "--status", "failed"]);
    assert!(finish.env("SHIPBOARD_DEPLOYMENT_ID", id.trim()).output().unwrap().status.success());
    assert_eq!(reporter.newest().await["status"], "failed");

    let started = succeeds(&["start", "--workflow", "winch", "--json"]);
    let started: Value = serde_json::from_str(&started).unwrap();
    let page = format!("{}/t/acme/production/d/{}", server.url, started["id"].as_str().unwrap());
    assert_eq!(started["url"], page);
}

#[tokio::test]
async fn a_status_that_nobody_knows_is_a_mistake_of_the_script_s() {
    let server = Server::start();
    let reporter = Reporter::new(&server);
    let started = reporter.command(&["start", "--workflow", "crane"]).output().unwrap();
    let id = text(&started.stdout);
    for args in
        [["finish", "--status", "bogus"], ["finish", "--status", "running"], ["update", "--status", "done"]]
    {
        let output = reporter.command(&args).args(["--id", id.trim()]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains(args[2]), "{}", text(&output.stderr));
    }
    let finish = reporter.command(&["finish", "--status", "Aborted", "--id", id.trim()]).output().unwrap();
    assert!(finish.status.success(), "{}", text(&finish.stderr));
    assert_eq!(reporter.newest().await["status"], "cancelled");
}

#[tokio::test]
async fn a_script_s_report_that_is_not_taken_fails_it_only_if_strict() {
    let server = Server::start();
    let reporter = Reporter::new(&server);
    let unknown = "01890a5d-ac96-774b-bcce-b302099a8057";
    let update = ["update", "--id", unknown, "--progress", "10"];
    let output = reporter.command(&update).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("404"), "{}", text(&output.stderr));
    let output = reporter.command(&update).arg("--strict").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let output = reporter.command(&["finish"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "no id is no reason to fail");
}
