//! What the work tree knows of its commit. Asked for at most a second: a deploy never waits for git.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// Longest that git is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// The commit of the work tree, as far as it is known.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Commit {
    pub(super) sha: Option<String>,
    pub(super) author: Option<String>,
    pub(super) message: Option<String>,
    pub(super) branch: Option<String>,
    pub(super) tag: Option<String>,
    /// Who works here.
    pub(super) user: Option<String>,
    /// The work tree's folder.
    pub(super) folder: Option<String>,
}

/// Asks about a commit, `HEAD` unless another is known.
pub(super) async fn commit(sha: Option<&str>) -> Commit {
    let revision = sha.unwrap_or("HEAD");
    let at = format!("--points-at={revision}");
    let (shown, branch, tag, user, folder) = tokio::join!(
        ask(["log", "-1", "--no-show-signature", "--format=%H%n%an%n%B", "--end-of-options", revision]),
        ask(["symbolic-ref", "--short", "--quiet", "HEAD"]),
        ask(["tag", &at]),
        ask(["config", "user.name"]),
        ask(["rev-parse", "--show-toplevel"]),
    );
    let first_line = |text: Option<String>| {
        text.and_then(|text| text.lines().next().map(str::to_owned)).filter(|line| !line.is_empty())
    };
    let folder = first_line(folder).and_then(|path| path.rsplit('/').next().map(str::to_owned));
    let user = first_line(user);
    let of_it = shown.as_deref().map(parse).unwrap_or_default();
    Commit { branch: first_line(branch), tag: first_line(tag), user, folder, ..of_it }
}

fn parse(shown: &str) -> Commit {
    let mut lines = shown.splitn(3, '\n').map(|part| part.trim().to_owned()).map(Some);
    let mut next = || lines.next().flatten().filter(|part| !part.is_empty());
    Commit { sha: next(), author: next(), message: next(), ..Commit::default() }
}

async fn ask<const N: usize>(arguments: [&str; N]) -> Option<String> {
    let mut command = Command::new("git");
    command.args(arguments).env("GIT_OPTIONAL_LOCKS", "0").env("GIT_TERMINAL_PROMPT", "0");
    command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_read_with_its_whole_message() {
        let commit = parse("abc\nMara Vos\nOil the winch\n\nIt squeaked.\n");
        assert_eq!(commit.sha.as_deref(), Some("abc"));
        assert_eq!(commit.author.as_deref(), Some("Mara Vos"));
        assert_eq!(commit.message.as_deref(), Some("Oil the winch\n\nIt squeaked."));
        assert_eq!(parse(""), Commit::default());
    }
}
