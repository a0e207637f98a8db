//! One transaction per report: what the server would do without its group commit, run by pgbench.
//!
//! The statements are the server's own: one deployment's three reports are logged with their parameters,
//! and written down as a pgbench script in which only what differs between deployments is a variable. What
//! the server computes between the statements costs nothing here, so the comparison flatters pgbench.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::Result;
use crate::load::{Load, REPORTERS, Reporter, TENANT, WORKFLOWS};
use crate::private::{Postgres, program};
use crate::server::Server;

/// Lives before the one that is logged: each workflow has a current deployment and enough durations then.
const BEFORE: usize = 4 * WORKFLOWS;
/// More than a client tells of in any run.
const LIVES_A_RUN: usize = 20_000;
/// The env that the statements are about.
const ENV: &str = "one-by-one";

/// What of the server's statements is run.
#[derive(Clone, Copy, PartialEq)]
pub enum What {
    /// All.
    All,
    /// Only the lock and what writes: no program that has to know what it changes can do with less.
    Writes,
}

impl What {
    fn takes(self, sql: &str) -> bool {
        self == Self::All || locks(sql) || !sql.starts_with("select")
    }
}

/// It is the statement that locks the env's row.
fn locks(sql: &str) -> bool {
    sql.ends_with(" for update")
}

/// pgbench scripts of one deployment's three reports.
pub struct OneByOne {
    scripts: Vec<Script>,
    runs: AtomicUsize,
}

/// One of the scripts.
struct Script {
    what: What,
    path: PathBuf,
    /// Statements between `begin` and `commit`, of each report's transaction.
    statements: Vec<usize>,
}

/// What pgbench came to.
pub struct Pgbench {
    /// Reports a second.
    pub rate: f64,
    /// Mean time of a report's transaction.
    pub mean_ms: f64,
}

/// A statement as it was logged.
struct Logged {
    sql: String,
    parameters: Vec<Option<String>>,
}

impl OneByOne {
    /// Learns the statements from a server on this database.
    pub async fn learn(
        postgres: &Postgres,
        database: &str,
        server: &Server,
        directory: &Path,
    ) -> Result<Self> {
        let load = Load::on(&server.door, ENV);
        load.live(BEFORE).await?;
        let since: i64 =
            first(&postgres.ask("select (extract(epoch from now()) * 1000)::bigint")?)?.parse()?;
        postgres.set("log_statement", Some("all"))?;
        // Sessions read their settings anew when they are next asked something after being told to.
        tokio::time::sleep(Duration::from_millis(500)).await;

        let mut reporter = Reporter::open(&load).await?;
        let mut life = reporter.begin();
        let mut heads = vec![
            first(&postgres.ask_in(database, &format!("select head from envs where env = '{ENV}'"))?)?
                .parse()?,
        ];
        while let Some(report) = life.next(reporter.connection()) {
            heads.push(reporter.tell(&mut life, &report).await?);
            // Times are how a report's moment is told from another's.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        postgres.set("log_statement", None)?;

        let transactions = transactions(&std::fs::read_to_string(postgres.log())?)?;
        if transactions.len() != heads.len() - 1 {
            return Err(format!("{} transactions were logged for 3 reports", transactions.len()).into());
        }
        let words = Words { id: life.id.clone(), external_id: life.external_id(), since };
        let mut scripts = Vec::new();
        for (what, name) in [(What::All, "all.sql"), (What::Writes, "writes.sql")] {
            let mut script = format!(
                "\\set i :i + 1\n\\set n :i * {REPORTERS} + :client_id\n\\set before :n - {REPORTERS}\n"
            );
            for (n, statements) in transactions.iter().enumerate() {
                script += &words.transaction(statements, what, n + 1, heads[n]..heads[n + 1])?;
            }
            let path = directory.join(name);
            std::fs::write(&path, script)?;
            let taken =
                |statements: &Vec<Logged>| statements.iter().filter(|one| what.takes(&one.sql)).count();
            scripts.push(Script { what, path, statements: transactions.iter().map(taken).collect() });
        }
        Ok(Self { scripts, runs: AtomicUsize::new(0) })
    }

    /// How many statements are in each report's transaction.
    pub fn statements(&self, what: What) -> &[usize] {
        self.scripts.iter().find(|script| script.what == what).map_or(&[], |script| &script.statements)
    }

    /// Runs it from that many clients for a time.
    pub fn run(&self, what: What, url: &str, clients: usize, time: Duration) -> Result<Pgbench> {
        let script = self.scripts.iter().find(|script| script.what == what).ok_or("no script")?;
        let (clients, seconds) = (clients.to_string(), time.as_secs().to_string());
        let mut pgbench = program("pgbench");
        // Each statement planned once and for all: by its parameters it would at times be planned worse. Whose
        // rows it is about is said once and for all too.
        let options = format!("-c plan_cache_mode=force_generic_plan -c shipboard.tenant={TENANT}");
        pgbench.env("PGOPTIONS", options);
        // Each run goes on where no other comes.
        let begin = format!("i={}", self.runs.fetch_add(1, Ordering::Relaxed) * LIVES_A_RUN);
        pgbench.args(["--no-vacuum", "--protocol=prepared", "--jobs=1", "--define", &begin]);
        pgbench.args(["--client", &clients, "--time", &seconds]).arg("--file").arg(&script.path).arg(url);
        let output = pgbench.output()?;
        let (text, errors) = (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr));
        let lives =
            text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse::<f64>().ok());
        let mean = text
            .lines()
            .find_map(|line| line.strip_prefix("latency average = ")?.split(' ').next()?.parse::<f64>().ok());
        match (lives, mean) {
            (Some(lives), Some(mean)) if output.status.success() => {
                let reports = script.statements.len() as f64;
                Ok(Pgbench { rate: lives * reports, mean_ms: mean / reports })
            }
            _ => Err(format!("pgbench failed: {text}{}", errors.lines().take(5).collect::<String>()).into()),
        }
    }
}

/// The one value that was asked for.
fn first(rows: &[Vec<String>]) -> Result<&str> {
    Ok(rows.first().and_then(|row| row.first()).ok_or("nothing was found")?)
}

/// The server's writing transactions in a log, each without its `begin` and `commit`.
fn transactions(log: &str) -> Result<Vec<Vec<Logged>>> {
    let mut transactions = Vec::new();
    let mut open: Vec<Logged> = Vec::new();
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line)?;
        let Some((_, sql)) = entry["message"].as_str().and_then(|message| message.split_once(": ")) else {
            continue;
        };
        if entry["application_name"] != "shipboard" {
            continue;
        }
        let word = sql.split_whitespace().next().unwrap_or_default().to_lowercase();
        match word.as_str() {
            "commit" if open.iter().any(|logged| logged.sql.starts_with("insert")) => {
                transactions.push(std::mem::take(&mut open));
            }
            "begin" | "rollback" | "commit" => open.clear(),
            _ => {
                let parameters = parameters(entry["detail"].as_str().unwrap_or_default());
                open.push(Logged { sql: sql.to_owned(), parameters });
            }
        }
    }
    Ok(transactions)
}

/// `parameters: $1 = 'text', $2 = NULL` as values.
fn parameters(detail: &str) -> Vec<Option<String>> {
    let mut values = Vec::new();
    let mut rest = detail;
    while let Some((_, after)) = rest.split_once(" = ") {
        let Some(quoted) = after.strip_prefix('\'') else {
            values.push(None);
            rest = after;
            continue;
        };
        let mut end = 0;
        loop {
            end += quoted[end..].find('\'').unwrap_or(quoted.len() - end);
            if !quoted[end..].starts_with("''") {
                break;
            }
            end += 2;
        }
        values.push(Some(quoted[..end].replace("''", "'")));
        rest = &quoted[end..];
    }
    values
}

/// What of the logged values belongs to one deployment alone.
struct Words {
    id: String,
    external_id: String,
    since: i64,
}

impl Words {
    /// A report's transaction as a part of the script. `n`: which report it is; its events are numbered
    /// after the first of `heads`, up to the second.
    fn transaction(
        &self,
        statements: &[Logged],
        what: What,
        n: usize,
        heads: std::ops::Range<u64>,
    ) -> Result<String> {
        let values = statements.iter().flat_map(|logged| logged.parameters.iter().flatten());
        let now = values.flat_map(|value| numbers(value)).filter(|value| *value >= self.since).max();
        let moment = Moment { n, now: now.unwrap_or(self.since), heads };
        let mut script = "begin;\n".to_owned();
        for logged in statements.iter().filter(|logged| what.takes(&logged.sql)) {
            let mut sql = self.filled_in(logged, &moment);
            if locks(&sql) {
                sql = sql.replacen(" from ", &format!("{} from ", self.variables(n)), 1);
                script = script + &sql + " \\gset\n";
            } else {
                script = script + &sql + ";\n";
            }
        }
        if !script.contains("\\gset") {
            return Err("no statement locked the env's row".into());
        }
        Ok(script + "commit;\n")
    }

    /// What the lock's statement gives besides: the time, and with the first report the names of the life.
    fn variables(&self, n: usize) -> String {
        let now = format!(", (extract(epoch from clock_timestamp()) * 1000)::bigint as now{n}");
        if n > 1 {
            return now;
        }
        let (prefix, _) = self.id.split_at(24);
        let id = |n: &str| format!("'{prefix}' || lpad(:{n}::text, 12, '0')");
        // The neighbour whose standing changes is the one that this client told of before: as good as any.
        format!(
            "{now}, {} as id, {} as neighbour, 'pgb-' || lpad(:n::text, 8, '0') as external_id, \
             'workflow-' || (:n::bigint % {WORKFLOWS}) as workflow",
            id("n"),
            id("before"),
        )
    }

    fn filled_in(&self, logged: &Logged, moment: &Moment) -> String {
        let mut parts = logged.sql.split('$');
        let mut sql = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let digits = part.chars().take_while(char::is_ascii_digit).count();
            let (number, rest) = part.split_at(digits);
            let value = number.parse::<usize>().ok().and_then(|n| logged.parameters.get(n - 1)?.as_deref());
            sql += &self.value(value, moment, rest.starts_with("::"));
            sql += rest;
        }
        sql
    }

    /// A parameter's value as an expression.
    fn value(&self, value: Option<&str>, moment: &Moment, has_type: bool) -> String {
        let Some(value) = value else { return "null".to_owned() };
        if let Ok(number) = value.parse() {
            return moment.number(number);
        }
        let is_list = value.starts_with('{') && serde_json::from_str::<Value>(value).is_err();
        let list = numbers(value);
        if is_list && !list.is_empty() {
            let list: Vec<String> = list.into_iter().map(|number| moment.number(number)).collect();
            return format!("array[{}]{}", list.join(", "), if has_type { "" } else { "::bigint[]" });
        }
        let text = self.text(value);
        if is_list && !has_type { format!("({text})::text[]") } else { text }
    }

    fn text(&self, value: &str) -> String {
        let mut text = quoted(value);
        for (word, variable) in
            [(self.id.as_str(), "id"), (&self.external_id, "external_id"), ("workflow-0", "workflow")]
        {
            if value == word {
                return format!(":{variable}");
            }
            if value.contains(word) {
                text = format!("replace({text}, '{word}', :{variable})");
            }
        }
        // Any other deployment that is named on its own is the neighbour.
        if value.len() == 36 && value.starts_with(&self.id[..6]) { ":neighbour".to_owned() } else { text }
    }
}

/// When a report was taken, and what its events were numbered.
struct Moment {
    n: usize,
    now: i64,
    heads: std::ops::Range<u64>,
}

impl Moment {
    fn number(&self, number: i64) -> String {
        let head = number - self.heads.start as i64;
        if number == self.now {
            format!(":now{}::bigint", self.n)
        } else if number > self.now - 10_000 && number < self.now && self.n > 1 {
            // Since the capture began only this deployment's first report can be meant.
            ":now1::bigint".to_owned()
        } else if head > 0 && number <= self.heads.end as i64 {
            format!(":head::bigint + {head}")
        } else {
            number.to_string()
        }
    }
}

/// The whole numbers that a value is, or is a list of.
fn numbers(value: &str) -> Vec<i64> {
    let list = value.strip_prefix('{').and_then(|list| list.strip_suffix('}')).unwrap_or(value);
    list.split(',').map(|word| word.parse().ok()).collect::<Option<_>>().unwrap_or_default()
}

/// A text as a literal in which pgbench sees no variable.
fn quoted(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''").replace(':', "\\072"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logged_parameters_are_read_whatever_they_hold() {
        let detail = "parameters: $1 = 'it''s, $2 = ''no''', $2 = NULL, $3 = '{1,2}', $4 = ''";
        let expected = [Some("it's, $2 = 'no'"), None, Some("{1,2}"), Some("")];
        assert_eq!(parameters(detail), expected.map(|value| value.map(str::to_owned)));
    }

    #[test]
    fn only_what_belongs_to_the_deployment_becomes_a_variable() {
        let words = Words {
            id: "01990000-aaaa-7000-8000-0123456789ab".into(),
            external_id: "run-7".into(),
            since: 0,
        };
        let moment = Moment { n: 2, now: 1_700_000_000_500, heads: 700..703 };
        let value = |value| words.value(Some(value), &moment, false);
        assert_eq!(value("13"), "13");
        assert_eq!(value("{701,703}"), "array[:head::bigint + 1, :head::bigint + 3]::bigint[]");
        assert_eq!(value("1700000000500"), ":now2::bigint");
        assert_eq!(value("1700000000400"), ":now1::bigint");
        assert_eq!(value("run-7"), ":external_id");
        assert_eq!(value("{run-7}"), "(replace(E'{run-7}', 'run-7', :external_id))::text[]");
        assert_eq!(value(r#"{"a":"run-7"}"#), r#"replace(E'{"a"\072"run-7"}', 'run-7', :external_id)"#);
        assert_eq!(value("01990000-bbbb-7000-8000-0123456789ab"), ":neighbour");
    }
}
