//! A file's lines as reports. Pure but for reading: what a line lacks to be repeatable is made of itself.

use std::io::BufRead;
use std::path::Path;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use shipboard_core::report::{
    CommitBody, MAX_EVENT_MESSAGE_CHARS, MAX_MESSAGE_CHARS, Report, ReportBody, cut,
};

/// Longest line of JSON.
const MAX_LINE: usize = 1024 * 1024;
/// Most bytes of a report as JSON: whatever has limits fits in it, and what has none is blank.
const MAX_REPORT: usize = 64 * 1024;
/// The source of lines that name none.
const SOURCE: &str = "import";
/// Fields that are numbers.
const NUMBERS: [&str; 3] = ["attempt", "sequence", "progress.percent"];
/// Every field a column may hold, as a path. In a header `_` may stand for the `.`.
const FIELDS: [&str; 23] = [
    "env",
    "external_id",
    "source",
    "workflow",
    "attempt",
    "status",
    "occurred_at",
    "sequence",
    "kind",
    "reason",
    "version",
    "commit.sha",
    "commit.ref",
    "commit.message",
    "commit.url",
    "commit.author",
    "actor",
    "url",
    "logs_url",
    "progress.percent",
    "progress.phase",
    "progress.step",
    "message",
];
/// The step's, which `progress.step` must not be taken for.
const STEP_FIELDS: [&str; 2] = ["step.name", "step.status"];

/// A line that is a report.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) line: u64,
    /// The env it names.
    pub(super) env: Option<String>,
    pub(super) report: ReportBody,
}

/// A line that is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub(super) struct BadLine {
    pub(super) line: u64,
    pub(super) reason: String,
}

/// What was said about columns.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    /// Names in the file, and the fields they are.
    pub(super) rename: Vec<(String, String)>,
    /// Fields for lines that do not have them.
    pub(super) fixed: Vec<(String, String)>,
}

/// The rows of a file.
pub(super) struct Rows<R> {
    format: Format<R>,
    columns: Columns,
}

enum Format<R> {
    Json { reader: R, line: u64 },
    Csv { records: csv::StringRecordsIntoIter<R>, header: Vec<Option<&'static str>> },
}

impl<R: BufRead> Rows<R> {
    /// Reads the file's beginning. It is JSON if its name or its first character says so.
    pub(super) fn new(mut reader: R, path: &Path, columns: Columns) -> Result<Self, BadLine> {
        let unreadable = |reason: String| BadLine { line: 1, reason };
        let start = reader.fill_buf().map_err(|error| unreadable(error.to_string()))?;
        let mark = if start.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let first = start[mark..].iter().find(|byte| !byte.is_ascii_whitespace()).copied();
        reader.consume(mark);
        let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default().to_ascii_lowercase();
        let is_json = match extension.as_str() {
            "csv" => false,
            "jsonl" | "ndjson" | "json" => true,
            _ => first == Some(b'{'),
        };
        if is_json {
            return Ok(Self { format: Format::Json { reader, line: 0 }, columns });
        }
        let mut csv = csv::ReaderBuilder::new().flexible(true).from_reader(reader);
        let names = csv.headers().map_err(|error| unreadable(error.to_string()))?.clone();
        let header: Vec<_> = names.iter().map(|name| columns.field(name)).collect();
        if !header.iter().flatten().any(|field| *field == "workflow") && !columns.fixes("workflow") {
            return Err(unreadable("the header has no column `workflow`".to_owned()));
        }
        Ok(Self { format: Format::Csv { records: csv.into_records(), header }, columns })
    }
}

impl<R: BufRead> Iterator for Rows<R> {
    type Item = Result<Row, BadLine>;

    fn next(&mut self) -> Option<Self::Item> {
        let (line, fields) = match &mut self.format {
            Format::Json { reader, line } => loop {
                *line += 1;
                match read_line(reader) {
                    Ok(None) => return None,
                    Ok(Some(text)) if text.trim().is_empty() => {}
                    Ok(Some(text)) => break (*line, self.columns.of_json(&text)),
                    Err(reason) => break (*line, Err(reason)),
                }
            },
            Format::Csv { records, header } => match records.next()? {
                Ok(record) => (record.position().map_or(0, csv::Position::line), of_record(&record, header)),
                Err(error) => (error.position().map_or(0, csv::Position::line), Err(error.to_string())),
            },
        };
        let row = fields.and_then(|fields| row(line, self.columns.complete(fields)));
        Some(row.map_err(|reason| BadLine { line, reason }))
    }
}

/// The next line, in a buffer that never grows beyond the longest.
fn read_line(reader: &mut impl BufRead) -> Result<Option<String>, String> {
    let mut bytes = Vec::new();
    let mut taken = std::io::Read::take(&mut *reader, MAX_LINE as u64 + 1);
    let read = taken.read_until(b'\n', &mut bytes).map_err(|error| error.to_string())?;
    if read == 0 {
        return Ok(None);
    }
    if read > MAX_LINE && bytes.last() != Some(&b'\n') {
        skip_line(reader).map_err(|error| error.to_string())?;
        return Err(format!("is longer than {MAX_LINE} bytes"));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| "is no UTF-8".to_owned())
}

fn skip_line(reader: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let (used, done) = end.map_or((buffer.len(), buffer.is_empty()), |end| (end + 1, true));
        reader.consume(used);
        if done {
            return Ok(());
        }
    }
}

/// A line's values by their paths.
type Fields = Vec<(String, Value)>;

impl Columns {
    fn renamed<'a>(&'a self, name: &'a str) -> &'a str {
        self.rename.iter().find(|(from, _)| from == name).map_or(name, |(_, to)| to)
    }

    /// The field a column's name stands for; an unknown column is ignored.
    fn field(&self, name: &str) -> Option<&'static str> {
        let name = self.renamed(name.trim()).to_ascii_lowercase();
        let all = || STEP_FIELDS.into_iter().chain(FIELDS);
        all().find(|field| *field == name).or_else(|| all().find(|field| field.replace('.', "_") == name))
    }

    fn fixes(&self, field: &str) -> bool {
        self.fixed.iter().any(|(fixed, _)| fixed == field)
    }

    fn of_json(&self, text: &str) -> Result<Fields, String> {
        let object: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| format!("is no JSON object: {error}"))?;
        Ok(object.into_iter().map(|(name, value)| (self.renamed(&name).to_owned(), value)).collect())
    }

    fn complete(&self, mut fields: Fields) -> Fields {
        for (field, value) in &self.fixed {
            if !fields.iter().any(|(known, value)| known == field && !value.is_null()) {
                fields.push((field.clone(), Value::from(value.as_str())));
            }
        }
        fields
    }
}

fn of_record(record: &csv::StringRecord, header: &[Option<&'static str>]) -> Result<Fields, String> {
    if record.len() > header.len() {
        return Err(format!("has {} values for {} columns", record.len(), header.len()));
    }
    let cells = record.iter().zip(header).filter(|(cell, _)| !cell.trim().is_empty());
    Ok(cells.filter_map(|(cell, field)| Some(((*field)?.to_owned(), Value::from(cell.trim())))).collect())
}

fn row(line: u64, fields: Fields) -> Result<Row, String> {
    let mut object = Map::new();
    let mut env = None;
    for (path, value) in fields {
        let value = number(&path, value)?;
        match (path.as_str(), path.split_once('.')) {
            ("env", _) => env = value.as_str().map(str::to_owned),
            (_, Some((outer, inner))) => {
                let nested = object.entry(outer).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(nested) = nested {
                    nested.insert(inner.to_owned(), value);
                }
            }
            _ => drop(object.insert(path, value)),
        }
    }
    let identity = identity(env.as_deref(), &object);
    let report: ReportBody =
        serde_json::from_value(Value::Object(object)).map_err(|error| error.to_string())?;
    if report.workflow.as_deref().is_none_or(|workflow| workflow.trim().is_empty()) {
        return Err("workflow: is missing".to_owned());
    }
    // What the server would refuse is refused here, where the line is known.
    Report::try_from(report.clone()).map_err(|error| error.to_string())?;
    // What it would leave out is not sent: a report alone shall not be longer than a body may be.
    let cut_to = |text: Option<String>, most| text.map(|text| cut(&text, most).to_owned());
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let report = ReportBody {
        external_id: filled(report.external_id.clone()).or(Some(identity)),
        source: filled(report.source.clone()).or_else(|| Some(SOURCE.to_owned())),
        commit: report
            .commit
            .map(|it| CommitBody { message: cut_to(it.message, MAX_EVENT_MESSAGE_CHARS), ..it }),
        message: cut_to(report.message, MAX_MESSAGE_CHARS),
        ..report
    };
    if serde_json::to_vec(&report).map_or(0, |json| json.len()) > MAX_REPORT {
        return Err(format!("is a report of more than {MAX_REPORT} bytes"));
    }
    Ok(Row { line, env, report })
}

/// CSV has nothing but texts.
fn number(path: &str, value: Value) -> Result<Value, String> {
    match &value {
        Value::String(text) if NUMBERS.contains(&path) => {
            let number = text.trim().parse::<serde_json::Number>();
            number.map(Value::Number).map_err(|_| format!("{path}: `{text}` is no number"))
        }
        _ => Ok(value),
    }
}

/// A line without an id of its own is known by all that it says, so that it is the same when it comes again.
fn identity(env: Option<&str>, object: &Map<String, Value>) -> String {
    let json = serde_json::to_vec(&(env, object)).unwrap_or_default();
    hex::encode(&Sha256::digest(json)[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str, columns: Columns) -> Vec<Result<Row, String>> {
        match Rows::new(text.as_bytes(), Path::new(name), columns) {
            Ok(rows) => rows.map(|row| row.map_err(|bad| bad.to_string())).collect(),
            Err(bad) => vec![Err(bad.to_string())],
        }
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(left, right)| ((*left).to_owned(), (*right).to_owned())).collect()
    }

    #[test]
    fn a_csv_s_header_names_fields_with_dots_or_underscores() {
        let text = "external_id,workflow,env,status,commit.sha,commit_message,progress_step,step.name,attempt,mood\n\
                    a1,crane,production,success,abc,\"Oil, the winch\",3/7,migrate,2,fair\n";
        let rows = read("x.csv", text, Columns::default());
        let row = rows[0].as_ref().unwrap();
        assert_eq!((row.line, row.env.as_deref()), (2, Some("production")));
        let report = &row.report;
        assert_eq!(report.external_id.as_deref(), Some("a1"));
        assert_eq!(report.attempt, Some(2));
        let commit = report.commit.as_ref().unwrap();
        assert_eq!((commit.sha.as_deref(), commit.message.as_deref()), (Some("abc"), Some("Oil, the winch")));
        assert_eq!(report.progress.as_ref().unwrap().step.as_deref(), Some("3/7"));
        assert_eq!(report.step.as_ref().unwrap().name.as_deref(), Some("migrate"));
        assert_eq!(report.source.as_deref(), Some("import"));
    }

    #[test]
    fn json_lines_are_reports_as_the_api_takes_them() {
        let text = "\u{feff}{\"workflow\":\"crane\",\"env\":\"production\",\"commit\":{\"sha\":\"abc\"}}\n\n\
                    {\"workflow\":\"crane\",\"source\":\"ci\",\"external_id\":\"a1\",\"colour\":1}";
        let rows = read("-", text, Columns::default());
        let rows: Vec<_> = rows.into_iter().map(Result::unwrap).collect();
        assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(rows[0].report.commit.as_ref().unwrap().sha.as_deref(), Some("abc"));
        assert_eq!(rows[1].report.source.as_deref(), Some("ci"));
    }

    #[test]
    fn a_line_without_an_id_is_the_same_when_it_comes_again_and_another_is_another() {
        let text = "workflow,env,version\ncrane,production,v1\ncrane,production,v2\ncrane,staging,v1\n";
        let ids = |text: &str| -> Vec<_> {
            let rows = read("x.csv", text, Columns::default()).into_iter();
            rows.map(|row| row.unwrap().report.external_id.unwrap()).collect()
        };
        let mut once = ids(text);
        assert_eq!(once, ids(text));
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), 3);
    }

    #[test]
    fn bad_lines_are_named_with_their_number_and_reason() {
        let check = |name: &str, text: &str, reason: &str| {
            let bad = read(name, text, Columns::default()).into_iter().find_map(Result::err);
            assert!(bad.as_deref().is_some_and(|bad| bad.starts_with(reason)), "{bad:?} {reason}");
        };
        check("x.jsonl", "{\"workflow\":\"a\"}\n{\n", "line 2: is no JSON object");
        check("x.jsonl", "[]", "line 1: is no JSON object");
        check("x.jsonl", "{\"status\":\"running\"}", "line 1: workflow: is missing");
        check("x.jsonl", "{\"workflow\":\"Web App\"}", "line 1: workflow: must be");
        check("x.jsonl", "{\"workflow\":\"a\",\"occurred_at\":\"noon\"}", "line 1: occurred_at:");
        check("x.jsonl", "{\"workflow\":\"a\",\"attempt\":\"x\"}", "line 1: attempt: `x` is no number");
        check("x.csv", "workflow,attempt\na,1\nb,two\n", "line 3: attempt: `two` is no number");
        check("x.csv", "workflow\na,b\n", "line 2: has 2 values for 1 columns");
        check("x.csv", "service\na\n", "line 1: the header has no column `workflow`");
        check("x.csv", "workflow,progress.percent\na,101\n", "line 2: progress.percent:");
    }

    #[test]
    fn good_lines_after_a_bad_one_are_read() {
        let long = "x".repeat(MAX_LINE + 10);
        let text = format!("{long}\n{{\"workflow\":\"crane\"}}\n\u{0}\n{{\"workflow\":\"winch\"}}");
        let rows = read("x.jsonl", &text, Columns::default());
        assert!(rows[0].as_ref().unwrap_err().starts_with("line 1: is longer"));
        assert_eq!(rows[1].as_ref().unwrap().line, 2);
        assert!(rows[2].is_err());
        assert_eq!(rows[3].as_ref().unwrap().line, 4);
    }

    #[test]
    fn a_line_that_would_be_a_batch_of_its_own_is_cut_or_named() {
        let long = "x".repeat(2 * MAX_LINE);
        let rows =
            read("x.csv", &format!("workflow,message\ncrane,{long}\nwinch,{long}\n"), Columns::default());
        for row in rows {
            let message = row.unwrap().report.message.unwrap();
            assert_eq!(message.chars().count(), MAX_MESSAGE_CHARS);
        }
        let blank = " ".repeat(MAX_REPORT);
        let text = format!("{{\"workflow\":\"crane\",\"actor\":\"{blank}\"}}\n{{\"workflow\":\"winch\"}}");
        let rows = read("x.jsonl", &text, Columns::default());
        assert!(rows[0].as_ref().unwrap_err().starts_with("line 1: is a report of more than"));
        assert!(rows[1].is_ok());
    }

    #[test]
    fn foreign_columns_can_be_renamed_and_missing_ones_set() {
        let columns = Columns {
            rename: pairs(&[
                ("application", "workflow"),
                ("environment", "env"),
                ("requested_at", "occurred_at"),
            ]),
            fixed: pairs(&[("status", "success"), ("source", "history")]),
        };
        let text = "requested_at,environment,application,status\n\
                    2026-05-26T07:18:46Z,production,crane,\n2026-05-26T07:19:46Z,production,crane,failed\n";
        let rows: Vec<_> = read("x.csv", text, columns).into_iter().map(Result::unwrap).collect();
        assert_eq!(rows[0].env.as_deref(), Some("production"));
        assert_eq!(rows[0].report.status.as_deref(), Some("success"));
        assert_eq!(rows[1].report.status.as_deref(), Some("failed"));
        assert_eq!(rows[1].report.source.as_deref(), Some("history"));
    }
}
