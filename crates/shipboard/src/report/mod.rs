//! The reporting commands: `shipboard run`, `start`, `update`, `finish` and `import`.
//!
//! They use nothing but the public HTTP API. Unless `--strict` is given, no trouble with reporting delays
//! or fails what is being deployed: it is told once, on standard error, and what could not be delivered is
//! kept for the next time.

mod child;
mod ci;
pub mod client;
mod courier;
mod git;
pub(crate) mod import;
mod log;
mod run;
mod script;
mod spool;
mod subject;
mod words;

use std::process::ExitCode;

use shipboard_core::id::Slug;

use self::client::Client;
pub use self::import::ImportArgs;
pub use self::run::RunArgs;
pub use self::script::{FinishArgs, StartArgs, UpdateArgs};
use crate::foreign::name;

/// The commands that report.
#[derive(Debug, clap::Subcommand)]
pub enum ReportCommand {
    /// Run a command and report it as a deployment
    Run(Box<RunArgs>),
    /// Report that a deployment begins; prints its id
    Start(Box<StartArgs>),
    /// Report how a deployment comes along
    Update(Box<UpdateArgs>),
    /// Report that a deployment has ended
    Finish(Box<FinishArgs>),
    /// Import reports from a file of JSON lines or CSV
    Import(Box<ImportArgs>),
}

impl ReportCommand {
    /// Does it. The program ends with this code, and should not wait for whatever the runtime still does
    /// (a name server that does not answer, say).
    pub async fn execute(self) -> ExitCode {
        match self {
            Self::Run(args) => run::execute(*args).await,
            Self::Start(args) => script::start(*args).await,
            Self::Update(args) => script::update(*args).await,
            Self::Finish(args) => script::finish(*args).await,
            Self::Import(args) => import::execute(*args).await,
        }
    }
}

/// Where to report.
#[derive(Clone, Default, clap::Args)]
pub struct Place {
    /// The server's URL
    #[arg(long, env = "SHIPBOARD_SERVER", value_name = "URL")]
    pub server: Option<String>,
    /// The tenant
    #[arg(long, env = "SHIPBOARD_TENANT")]
    pub tenant: Option<String>,
    /// The environment deployed to
    #[arg(long, env = "SHIPBOARD_ENV")]
    pub env: Option<String>,
    /// A reporter's token; better given as the variable, which other users cannot see
    #[arg(long, env = "SHIPBOARD_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Where reports wait that could not be delivered [default: shipboard/spool in the state directory]
    #[arg(long, env = "SHIPBOARD_SPOOL", value_name = "DIR")]
    pub spool: Option<std::path::PathBuf>,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { server, tenant, env, .. } = self;
        f.debug_struct("Place").field("server", server).field("tenant", tenant).field("env", env).finish()
    }
}

impl Place {
    fn client(&self) -> Result<Client, String> {
        let server = name(self.server.as_deref()).ok_or("no --server (or SHIPBOARD_SERVER) is given")?;
        let tenant = name(self.tenant.as_deref()).ok_or("no --tenant (or SHIPBOARD_TENANT) is given")?;
        Client::new(server, Slug::from_foreign(tenant), self.token.as_deref()).map_err(|e| e.to_string())
    }

    /// The env that is given, else the one that the CI deploys to by its own account.
    fn env(&self, known: Option<&str>) -> Result<Slug, String> {
        let env = name(self.env.as_deref()).or(name(known));
        env.map(Slug::from_foreign).ok_or_else(|| "no --env (or SHIPBOARD_ENV) is given".to_owned())
    }
}
