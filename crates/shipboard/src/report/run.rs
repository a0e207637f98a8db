//! `shipboard run`: runs a command and reports it. The command comes first: it starts whether or not the
//! server answers, and ends the program with its own code.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use nix::sys::signal::Signal;
use shipboard_core::report::ReportBody;

use super::child::{Child, End, Signals};
use super::courier::Courier;
use super::log::Log;
use super::spool::Spool;
use super::subject::{About, Surroundings};
use super::words::{Words, insist};
use super::{Place, script};
use crate::clock;

/// Longest that the command's start waits for the server.
const BEFORE: Duration = Duration::from_secs(2);
/// Longest that our end waits for a server that has answered before. One that never has gets one last call.
const AFTER: Duration = Duration::from_secs(5);
const LAST_CALL: Duration = Duration::from_secs(1);
/// The same with `--strict`.
const STRICT: Duration = Duration::from_secs(30);
/// With `--strict`: the command was not run, or not wholly reported. As with other wrappers, e.g. timeout.
const OUR_FAULT: u8 = 125;

/// Flags of `shipboard run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    about: About,
    /// Do not send the output as the log; the command then has the real output streams (colours, width)
    #[arg(long)]
    no_log: bool,
    /// Fail with 125 if reporting fails: the command does not run unless the deployment could be reported
    #[arg(long, env = "SHIPBOARD_STRICT")]
    strict: bool,
    /// Say nothing about trouble with reporting
    #[arg(long, short)]
    quiet: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

pub(super) async fn execute(args: RunArgs) -> ExitCode {
    let words = Words::new(args.quiet);
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            insist(format_args!("signals cannot be handled: {error}"));
            return ExitCode::from(OUR_FAULT);
        }
    };
    let around = tokio::select! {
        around = Surroundings::look(&args.about) => around,
        signal = signals.next() => return ExitCode::from(End::Signalled(signal as i32).exit_code()),
    };
    let opened = args.place.client().and_then(|client| {
        let env = args.place.env(around.facts.env.as_deref())?;
        Ok(Courier::new(client, env, words))
    });
    match opened {
        Ok(courier) => reported(&args, &around, &courier, signals, words).await,
        Err(why) if args.strict => {
            insist(format_args!("{why}; the command was not run"));
            ExitCode::from(OUR_FAULT)
        }
        Err(why) => {
            words.say(format_args!("{why}; the command runs unreported"));
            unreported(&args, signals).await
        }
    }
}

async fn unreported(args: &RunArgs, mut signals: Signals) -> ExitCode {
    let end = match Child::start(&args.command, &[], false) {
        Ok(child) => child.watch(&mut signals, &Log::default()).await.0,
        Err((end, error)) => not_started(args, end, &error),
    };
    ExitCode::from(end.exit_code())
}

fn not_started(args: &RunArgs, end: End, error: &std::io::Error) -> End {
    let program = args.command.first().map(|program| program.to_string_lossy().into_owned());
    insist(format_args!("{}: {error}", program.unwrap_or_default()));
    end
}

async fn reported(
    args: &RunArgs,
    around: &Surroundings,
    courier: &Courier,
    mut signals: Signals,
    words: Words,
) -> ExitCode {
    let subject = args.about.describe(around);
    let queued = ReportBody { message: subject.message.clone(), ..subject.clone() };
    courier.put(now("queued", queued));
    let before = async {
        if args.strict {
            courier.settle(STRICT).await;
        } else {
            // Whatever went wrong was told; it is tried again while the command runs.
            let _ = tokio::time::timeout(BEFORE, courier.deliver()).await;
        }
    };
    let stopped = tokio::select! {
        () = before => None,
        signal = signals.next() => Some(signal),
    };
    let (end, stopped) = match stopped {
        Some(signal) => (End::Signalled(signal as i32), Some(signal)),
        None if args.strict && !courier.is_done() => {
            insist("the deployment could not be reported; the command was not run");
            return ExitCode::from(OUR_FAULT);
        }
        None => run(args, &subject, courier, &mut signals).await,
    };
    let ended = ReportBody { message: end.message(stopped), ..same(&subject) };
    courier.put(now(end.status(stopped), ended));
    if args.strict {
        courier.settle(STRICT).await;
    } else if courier.has_been_answered() {
        courier.settle(AFTER).await;
    } else {
        let _ = tokio::time::timeout(LAST_CALL, courier.deliver()).await;
    }
    let complete = courier.is_done();
    keep_rest(args, courier, words);
    match end.exit_code() {
        0 if args.strict && !complete => ExitCode::from(OUR_FAULT),
        code => ExitCode::from(code),
    }
}

/// Runs the command, and reports beside it.
async fn run(
    args: &RunArgs,
    subject: &ReportBody,
    courier: &Courier,
    signals: &mut Signals,
) -> (End, Option<Signal>) {
    let variables = variables(args, subject, courier);
    let child = match Child::start(&args.command, &variables, !args.no_log) {
        Ok(child) => child,
        Err((end, error)) => return (not_started(args, end, &error), None),
    };
    courier.put(now("running", same(subject)));
    let spool = Spool::new(args.place.spool.as_deref());
    let beside = async {
        let spooled = async {
            if let Some(spool) = spool.filter(|_| courier.has_been_answered()) {
                spool.send_all(courier.client()).await;
            }
        };
        tokio::join!(courier.serve(), spooled)
    };
    tokio::select! {
        end = child.watch(signals, &courier.log) => end,
        // Never: it serves until it is dropped.
        _ = beside => (End::Exited(OUR_FAULT), None),
    }
}

fn keep_rest(args: &RunArgs, courier: &Courier, words: Words) {
    let Some(rest) = courier.rest() else { return };
    let kept = match Spool::new(args.place.spool.as_deref()) {
        Some(spool) => spool.keep(&rest, clock::now()).map_err(|error| error.to_string()),
        None => Err("there is no folder for it".to_owned()),
    };
    match kept {
        Ok(path) => words.say(format_args!(
            "reporting: {} could not be reached in time; the next `shipboard run` delivers {}",
            courier.client().server(),
            path.display()
        )),
        Err(error) => words.say(format_args!("reporting: what could not be delivered is lost: {error}")),
    }
}

/// The same deployment and try, and nothing said of it.
fn same(subject: &ReportBody) -> ReportBody {
    ReportBody {
        external_id: subject.external_id.clone(),
        source: subject.source.clone(),
        workflow: subject.workflow.clone(),
        attempt: subject.attempt,
        ..ReportBody::default()
    }
}

/// Said now: with a time, it may be said twice, and late.
fn now(status: &str, body: ReportBody) -> ReportBody {
    ReportBody { status: Some(status.to_owned()), occurred_at: Some(clock::now().to_string()), ..body }
}

/// What `shipboard update` inside the command needs to attach to the deployment: its id, or, where the
/// server has not answered yet, its identity. What an outer `run` has set does not count here.
fn variables(args: &RunArgs, subject: &ReportBody, courier: &Courier) -> Vec<(&'static str, Option<String>)> {
    let (client, env, id) = (courier.client(), courier.env(), courier.id());
    let mut variables = vec![
        ("SHIPBOARD_SERVER", Some(client.server().to_owned())),
        ("SHIPBOARD_TENANT", Some(client.tenant().to_string())),
        ("SHIPBOARD_ENV", Some(env.to_string())),
        ("SHIPBOARD_DEPLOYMENT_ID", id.map(|id| id.to_string())),
        ("SHIPBOARD_DEPLOYMENT_URL", id.map(|id| client.page(env, id))),
        (script::SOURCE, subject.source.clone()),
        (script::EXTERNAL_ID, subject.external_id.clone()),
        (script::WORKFLOW, subject.workflow.clone()),
        (script::ATTEMPT, subject.attempt.map(|attempt| attempt.to_string())),
    ];
    if let Some(token) = &args.place.token {
        variables.push(("SHIPBOARD_TOKEN", Some(token.clone())));
    }
    variables
}
