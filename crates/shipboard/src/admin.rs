//! `shipboard tenant|token|hook|audit`: who may come in, and who let them. Works on the database, beside a running server,
//! which takes notice within seconds.

use std::io::Write as _;
use std::path::Path;
use std::str::FromStr;

use clap::{Args, Subcommand};
use serde_json::json;
use shipboard_core::id::Slug;
use shipboard_core::time::Timestamp;

use crate::app::StartError;
use crate::audit::Actor;
use crate::config::{MAX_SPAN, SecretUrl, Span};
use crate::credentials::NewToken;
use crate::hooks::Source;
use crate::store::{ALL, EnvKey, Grant, Hook, Role, Store};
use crate::{clock, credentials, envs};

/// The database these commands work on.
#[derive(Clone, Debug, Args)]
pub struct DatabaseArgs {
    /// The database: sqlite:PATH or `postgres://USER:PASSWORD@HOST/NAME`
    #[arg(long, env = "SHIPBOARD_DATABASE", hide_env_values = true, default_value = "sqlite:shipboard.db")]
    pub database: SecretUrl,
}

/// Tenants.
#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Create a tenant
    Create {
        /// Its slug: 1 to 63 of a-z, 0-9, '.', '_' and '-'
        slug: Slug,
        /// What people call it
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        #[allow(missing_docs, reason = "described where it is defined")]
        database: DatabaseArgs,
    },
    /// Change a tenant's own limits, and print them; what is not named stays as it is
    Limit {
        /// Whose
        slug: Slug,
        /// How long finished deployments are kept: 90d, 12h; 0: for ever; default: as --keep-deployments says
        #[arg(long, value_name = "SPAN|default")]
        keep_deployments: Option<Own<Span>>,
        /// Most streams open at once on each instance; default: as --max-streams-per-tenant says
        #[arg(long, value_name = "N|default")]
        max_streams: Option<Own<usize>>,
        #[command(flatten)]
        #[allow(missing_docs, reason = "described where it is defined")]
        database: DatabaseArgs,
    },
    /// List the tenants
    List {
        #[command(flatten)]
        #[allow(missing_docs, reason = "described where it is defined")]
        database: DatabaseArgs,
    },
}

/// A value of a tenant's own; `default`: the server's.
#[derive(Clone, Copy, Debug)]
pub struct Own<T>(Option<T>);

impl<T: FromStr> FromStr for Own<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        if text == "default" { Ok(Self(None)) } else { text.parse().map(|value| Self(Some(value))) }
    }
}

/// Tokens.
#[derive(Debug, Subcommand)]
#[allow(missing_docs, reason = "clap shows each field's own help")]
pub enum TokenCommand {
    /// Create a token, and print its secret, this once, on standard output
    Create {
        /// Whose
        #[arg(long)]
        tenant: Slug,
        /// What it allows: viewer reads, reporter reports too, admin does everything in its tenant
        #[arg(long)]
        role: Role,
        /// What people call it, e.g. whose machine it is on
        #[arg(long, default_value = "")]
        name: String,
        /// Only in this environment; may be repeated
        #[arg(long)]
        env: Vec<Slug>,
        /// For how long: 90d, 12h, 30s; for ever unless given
        #[arg(long)]
        expires: Option<Span>,
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// List the tokens, without their secrets
    List {
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Take a token back; streams opened with it end within a heartbeat
    Revoke {
        /// Its id, as `token list` shows it
        id: String,
        #[command(flatten)]
        database: DatabaseArgs,
    },
}

/// Webhooks.
#[derive(Debug, Subcommand)]
#[allow(missing_docs, reason = "clap shows each field's own help")]
pub enum HookCommand {
    /// Create a webhook's secret, and print it and the URL, this once, on standard output
    Create {
        /// Whose
        #[arg(long)]
        tenant: Slug,
        /// Which system will call
        #[arg(long, value_parser = Source::ALL.map(Source::word))]
        source: String,
        /// The address that it reaches this server by
        #[arg(long, env = "SHIPBOARD_PUBLIC_URL", default_value = "http://127.0.0.1:7700")]
        public_url: String,
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// List the webhooks, without their secrets
    List {
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Take a webhook's secret back
    Revoke {
        /// Its id, as `hook list` shows it
        id: String,
        #[command(flatten)]
        database: DatabaseArgs,
    },
}

/// What to read of the audit log.
#[derive(Debug, Args)]
#[allow(missing_docs, reason = "clap shows each field's own help")]
pub struct AuditArgs {
    /// Whose; the server's own unless given: sign-ins that were refused, and what belongs to no tenant
    #[arg(long)]
    tenant: Option<Slug>,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// Lines of the audit log that are read at a time.
const AUDIT_LINES: usize = 500;

/// Opens a database that is there: a mistyped name is told, not made a database of.
pub(crate) async fn open_existing(url: &str) -> Result<Store, StartError> {
    let path = url.strip_prefix("sqlite:").map(|path| path.trim_start_matches("//"));
    if let Some(path) = path.filter(|path| !path.is_empty() && !Path::new(path).exists()) {
        return Err(format!("--database: there is no file {path}").into());
    }
    Store::open(url).await
}

type Done = Result<(), StartError>;

/// Begins a new epoch in every env: clients let go of what they hold, and load anew.
pub async fn epoch(database: &str) -> Done {
    let store = open_existing(database).await?;
    let mut renewed = 0;
    for (tenant, env) in store.all_envs(ALL).await? {
        let key = EnvKey { tenant, env: env.slug };
        if store.renew_epoch(&key, &env.epoch, &clock::epoch()).await? {
            renewed += 1;
        }
    }
    store.close().await;
    writeln!(std::io::stdout(), "{renewed} environments have a new epoch")?;
    Ok(())
}

/// Does what is asked with tenants.
pub async fn tenant(command: TenantCommand) -> Done {
    let mut out = std::io::stdout();
    match command {
        TenantCommand::Create { slug, name, database } => {
            let name = envs::name(name.as_deref()).map_err(|wrong| format!("--{wrong}"))?;
            let store = Store::open(&database.database.0).await?;
            let is_there = store.tenant(&slug).await?.is_some();
            if !is_there {
                let detail = json!({"name": name});
                let record = Actor::at_command_line().did("tenant.put", Some(&slug), slug.as_str(), detail);
                store.note(&record).await?;
                store.put_tenant(&slug, name, clock::now()).await?;
            }
            store.close().await;
            if is_there {
                return Err(format!("there is a tenant {slug} already").into());
            }
            writeln!(out, "{slug}")?;
        }
        TenantCommand::Limit { slug, keep_deployments, max_streams, database } => {
            let store = open_existing(&database.database.0).await?;
            let known = store.tenant_limits().await?.into_iter().find(|(tenant, _)| *tenant == slug);
            let mut limits = known.map(|(_, limits)| limits).unwrap_or_default();
            if let Some(Own(keep)) = keep_deployments {
                limits.keep_deployments = keep.map(|Span(keep)| keep);
            }
            if let Some(Own(most)) = max_streams {
                limits.max_streams = most;
            }
            if limits.keep_deployments.is_some_and(|keep| keep > MAX_SPAN) {
                return Err("--keep-deployments: must be at most 100 years".into());
            }
            let keep = limits.keep_deployments.map_or("default".to_owned(), |keep| match keep.as_millis() {
                0 => "for ever".to_owned(),
                _ => humantime::format_duration(keep).to_string(),
            });
            let streams = limits.max_streams.map_or("default".to_owned(), |most| most.to_string());
            let detail = json!({"keep_deployments": keep, "max_streams": streams});
            let record = Actor::at_command_line().did("tenant.limit", Some(&slug), slug.as_str(), detail);
            let done = store.set_tenant_limits(&slug, limits, &record).await?;
            store.close().await;
            if !done {
                return Err(format!("there is no tenant {slug}").into());
            }
            writeln!(out, "{slug}\tkeep-deployments {keep}\tmax-streams {streams}")?;
        }
        TenantCommand::List { database } => {
            let store = open_existing(&database.database.0).await?;
            for (slug, name) in store.tenants().await? {
                writeln!(out, "{slug}\t{name}")?;
            }
            store.close().await;
        }
    }
    Ok(())
}

/// Does what is asked with tokens.
pub async fn token(command: TokenCommand) -> Done {
    let mut out = std::io::stdout();
    match command {
        TokenCommand::Create { tenant, role, name, env, expires, database } => {
            let store = open_existing(&database.database.0).await?;
            credentials::must_exist(&store, &tenant).await??;
            let grant = Grant { tenant, role, envs: (!env.is_empty()).then_some(env) };
            let new = NewToken { name, grant, lifetime: expires.map(|span| span.0) };
            let made = credentials::make_token(&store, new, &Actor::at_command_line()).await?;
            // What is wrong begins with the field's name, which is the flag's.
            let (token, secret) = made.map_err(|wrong| format!("--{wrong}"))?;
            store.close().await;
            writeln!(out, "{secret}")?;
            writeln!(std::io::stderr(), "token {} is shown this once; keep it well", token.id)?;
        }
        TokenCommand::List { database } => {
            let store = open_existing(&database.database.0).await?;
            for (token, _) in store.tokens(None).await? {
                let Grant { tenant, role, envs } = token.grant;
                let envs = envs.map_or("all".to_owned(), |envs| {
                    envs.iter().map(Slug::as_str).collect::<Vec<_>>().join(",")
                });
                let state = state(token.expires_at, token.revoked_at);
                let used = token.used_at.map_or("never used".to_owned(), |at| format!("used {at}"));
                let (id, role, name) = (token.id, role.as_str(), token.name);
                writeln!(out, "{id}\t{tenant}\t{role}\t{envs}\t{state}\t{used}\t{name}")?;
            }
            store.close().await;
        }
        TokenCommand::Revoke { id, database } => {
            let store = open_existing(&database.database.0).await?;
            let tokens = store.tokens(None).await?;
            let mut revoked = false;
            if let Some((token, _)) = tokens.iter().find(|(token, _)| token.id == id) {
                let tenant = &token.grant.tenant;
                let record = Actor::at_command_line().did("token.revoke", Some(tenant), &id, json!({}));
                revoked = store.revoke_token(tenant, &id, &record).await?;
            }
            store.close().await;
            if !revoked {
                return Err(format!("there is no token {id} that is not revoked already").into());
            }
        }
    }
    Ok(())
}

/// Prints the audit log as JSON lines, the newest first.
pub async fn audit(AuditArgs { tenant, database }: AuditArgs) -> Done {
    let store = open_existing(&database.database.0).await?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut last: Option<String> = None;
    loop {
        let records = store.records(tenant.as_ref(), last.as_deref(), AUDIT_LINES).await?;
        for record in &records {
            serde_json::to_writer(&mut out, record)?;
            out.write_all(b"\n")?;
        }
        last = records.last().map(|record| record.id.clone());
        if records.len() < AUDIT_LINES {
            break;
        }
    }
    store.close().await;
    out.flush()?;
    Ok(())
}

fn state(expires_at: Option<Timestamp>, revoked_at: Option<Timestamp>) -> String {
    match (revoked_at, expires_at) {
        (Some(at), _) => format!("revoked {at}"),
        (None, Some(at)) if at <= clock::now() => format!("expired {at}"),
        (None, Some(at)) => format!("until {at}"),
        (None, None) => "valid".to_owned(),
    }
}

/// Does what is asked with webhooks.
pub async fn hook(command: HookCommand) -> Done {
    let mut out = std::io::stdout();
    match command {
        HookCommand::Create { tenant, source, public_url, database } => {
            let store = open_existing(&database.database.0).await?;
            credentials::must_exist(&store, &tenant).await??;
            let actor = Actor::at_command_line();
            let hook = credentials::make_hook(&store, tenant, &source, &actor).await??;
            store.close().await;
            let path = credentials::hook_path(&hook.tenant, &hook.source);
            let url = format!("{}{path}", public_url.trim_end_matches('/'));
            writeln!(out, "{url}\n{}", hook.secret)?;
            writeln!(std::io::stderr(), "hook {}: its secret is shown this once", hook.id)?;
        }
        HookCommand::List { database } => {
            let store = open_existing(&database.database.0).await?;
            for hook in store.hooks(None).await? {
                let state = state(None, hook.revoked_at);
                writeln!(out, "{}\t{}\t{}\t{state}", hook.id, hook.tenant, hook.source)?;
            }
            store.close().await;
        }
        HookCommand::Revoke { id, database } => {
            let store = open_existing(&database.database.0).await?;
            let hooks = store.hooks(None).await?;
            let mut revoked = false;
            if let Some(Hook { tenant, .. }) = hooks.iter().find(|hook| hook.id == id) {
                let record = Actor::at_command_line().did("hook.revoke", Some(tenant), &id, json!({}));
                revoked = store.revoke_hook(tenant, &id, &record).await?;
            }
            store.close().await;
            if !revoked {
                return Err(format!("there is no hook {id} that is not revoked already").into());
            }
        }
    }
    Ok(())
}
