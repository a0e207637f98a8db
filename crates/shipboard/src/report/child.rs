//! The wrapped command: started without a shell, its streams passed on byte by byte, signals forwarded,
//! its end turned into an exit code.
//!
//! Where its output is wanted as the log, standard output and error are pipes to it and not the terminal
//! (programs may leave out colours); with `--no-log` it has the real ones. Standard input always is the
//! real one. Were a pseudo-terminal used instead, the two streams would be one, and not byte-exact.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::log::{Log, Writer};

/// How long its pipes are read on after its end, if something it left behind holds them open.
const LINGER: Duration = Duration::from_millis(500);
const BUFFER: usize = 16 * 1024;
/// What a shell answers for a command that is not there, and for one that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// By itself, with this code.
    Exited(u8),
    /// By a signal.
    Signalled(i32),
    /// There is no such command.
    NotFound,
    /// It cannot be run.
    NotExecutable,
}

impl End {
    /// The code that we end with.
    pub(super) fn exit_code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Signalled(number) => 128_u8.saturating_add(number.clamp(0, 127) as u8),
            Self::NotFound => NOT_FOUND,
            Self::NotExecutable => NOT_EXECUTABLE,
        }
    }

    /// The status to report. Whoever stopped us stopped the command, however it took it.
    pub(super) fn status(self, stopped: Option<Signal>) -> &'static str {
        let by_somebody = |number| number == Signal::SIGINT as i32 || number == Signal::SIGTERM as i32;
        match self {
            _ if stopped.is_some() => "cancelled",
            Self::Signalled(number) if by_somebody(number) => "cancelled",
            Self::Exited(0) => "success",
            _ => "failed",
        }
    }

    /// What there is to say of it. Neither arguments nor variables are ever told.
    pub(super) fn message(self, stopped: Option<Signal>) -> Option<String> {
        let name = |number: i32| Signal::try_from(number).map_or(number.to_string(), |it| it.to_string());
        match (self, stopped) {
            (_, Some(signal)) => Some(format!("Stopped by {signal}")),
            (Self::Exited(0), None) => None,
            (Self::Exited(code), None) => Some(format!("Ended with exit code {code}")),
            (Self::Signalled(number), None) => Some(format!("Ended by {}", name(number))),
            (Self::NotFound, None) => Some("The command was not found".to_owned()),
            (Self::NotExecutable, None) => Some("The command cannot be executed".to_owned()),
        }
    }
}

impl From<ExitStatus> for End {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exited(code as u8),
            (None, Some(number)) => Self::Signalled(number),
            (None, None) => Self::Exited(1),
        }
    }
}

/// SIGINT and SIGTERM, taken from the moment this is made.
pub(super) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            Some(()) = self.interrupt.recv() => Signal::SIGINT,
            Some(()) = self.terminate.recv() => Signal::SIGTERM,
            else => std::future::pending().await,
        }
    }
}

/// The command, running.
pub(super) struct Child(tokio::process::Child);

impl Child {
    /// Starts the command. `captured`: its output comes to us.
    pub(super) fn start(
        command: &[OsString],
        variables: &[(&str, Option<String>)],
        captured: bool,
    ) -> Result<Self, (End, std::io::Error)> {
        let Some((program, arguments)) = command.split_first() else {
            return Err((End::NotFound, std::io::ErrorKind::NotFound.into()));
        };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::inherit());
        for (name, value) in variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let stream = || if captured { Stdio::piped() } else { Stdio::inherit() };
        command.stdout(stream()).stderr(stream());
        command.spawn().map(Self).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => (End::NotFound, error),
            _ => (End::NotExecutable, error),
        })
    }

    /// Passes its streams on until it ends, and signals to it. Also says which signal came last.
    pub(super) async fn watch(mut self, signals: &mut Signals, log: &Log) -> (End, Option<Signal>) {
        let (out, err) = (self.0.stdout.take(), self.0.stderr.take());
        let ended = CancellationToken::new();
        let streams = async {
            tokio::join!(
                pass_on(out, tokio::io::stdout(), Writer::new(log), &ended),
                pass_on(err, tokio::io::stderr(), Writer::new(log), &ended),
            )
        };
        let life = async {
            let end = self.wait(signals).await;
            ended.cancel();
            end
        };
        let (end, _) = tokio::join!(life, streams);
        end
    }

    async fn wait(&mut self, signals: &mut Signals) -> (End, Option<Signal>) {
        let mut stopped = None;
        loop {
            tokio::select! {
                status = self.0.wait() => {
                    return (status.map_or(End::Exited(1), End::from), stopped);
                }
                signal = signals.next() => {
                    stopped = Some(signal);
                    self.forward(signal);
                }
            }
        }
    }

    fn forward(&self, signal: Signal) {
        // Control-C reaches everything in the terminal's foreground, the command too. Twice would mean
        // "now, at once" to many.
        if signal == Signal::SIGINT && in_foreground() {
            return;
        }
        if let Some(id) = self.0.id() {
            // It may have ended by now.
            let _ = kill(Pid::from_raw(id as i32), signal);
        }
    }
}

fn in_foreground() -> bool {
    // There is none where no terminal controls us, as in any CI.
    let Ok(terminal) = std::fs::File::open("/dev/tty") else { return false };
    nix::unistd::tcgetpgrp(&terminal).is_ok_and(|group| group == nix::unistd::getpgrp())
}

/// Copies a stream as it comes. If ours was closed, the command's is too, and it learns it the usual way.
async fn pass_on(
    from: Option<impl AsyncRead + Unpin>,
    mut to: impl AsyncWrite + Unpin,
    mut log: Writer<'_>,
    ended: &CancellationToken,
) {
    let Some(mut from) = from else { return };
    let mut buffer = vec![0; BUFFER];
    let lingered = async {
        ended.cancelled().await;
        tokio::time::sleep(LINGER).await;
    };
    tokio::pin!(lingered);
    loop {
        let read = tokio::select! {
            biased;
            read = from.read(&mut buffer) => read.unwrap_or(0),
            () = &mut lingered => 0,
        };
        if read == 0 {
            return;
        }
        let bytes = &buffer[..read];
        log.write(bytes);
        if to.write_all(bytes).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_become_the_codes_that_a_shell_would_give() {
        let check = |end: End, code: u8| assert_eq!(end.exit_code(), code, "{end:?}");
        check(End::Exited(0), 0);
        check(End::Exited(7), 7);
        check(End::Exited(255), 255);
        check(End::Signalled(9), 137);
        check(End::Signalled(15), 143);
        check(End::NotFound, 127);
        check(End::NotExecutable, 126);
    }

    #[test]
    fn ends_become_statuses() {
        let check = |end: End, stopped: Option<Signal>, status: &str| {
            assert_eq!(end.status(stopped), status, "{end:?} {stopped:?}");
        };
        check(End::Exited(0), None, "success");
        check(End::Exited(1), None, "failed");
        check(End::Signalled(9), None, "failed");
        check(End::Signalled(2), None, "cancelled");
        check(End::Exited(1), Some(Signal::SIGTERM), "cancelled");
        check(End::Signalled(15), Some(Signal::SIGTERM), "cancelled");
        check(End::NotFound, None, "failed");
    }

    #[test]
    fn what_is_not_there_and_what_cannot_run_are_told_apart() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        let start = |program: &str| Child::start(&[program.into()], &[], true).err().map(|(end, _)| end);
        assert_eq!(start("/no/such/command"), Some(End::NotFound));
        assert_eq!(start("/etc/passwd"), Some(End::NotExecutable));
        assert_eq!(start("/"), Some(End::NotExecutable));
    }
}
