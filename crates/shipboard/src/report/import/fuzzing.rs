//! The fuzz target of imports.

use std::path::Path;

use serde_json::{Value, to_value};
use shipboard_core::report::{Report, ReportBody};

use super::MAX_BATCH_BYTES;
use super::rows::{BadLine, Columns, Row, Rows};
use crate::fuzzing::possible;

/// A file, whose first line is its name. Each line that is a report fits into a batch, and is the same report when
/// it is written as JSON and read again.
pub fn import(data: &[u8]) -> Vec<Vec<Report>> {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (Some(name), Some(file)) = (parts.next(), parts.next()) else { return Vec::new() };
    let name = String::from_utf8_lossy(name);
    let columns = Columns {
        rename: vec![("service".to_owned(), "workflow".to_owned())],
        fixed: vec![("source".to_owned(), "history".to_owned())],
    };
    let Ok(rows) = Rows::new(file, Path::new(&*name), columns) else { return Vec::new() };
    let lines = file.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
    let rows: Vec<Result<Row, BadLine>> = rows.take(lines + 1).collect();
    assert!(rows.len() <= lines, "a line is one report at most");
    let rows = rows.into_iter().filter_map(Result::ok).map(|row| {
        let written = json(&row);
        assert!(
            serde_json::to_vec(&row.report).is_ok_and(|json| json.len() < MAX_BATCH_BYTES),
            "it is too long"
        );
        let again = Rows::new(written.as_bytes(), Path::new("x.jsonl"), Columns::default());
        let again = again.ok().and_then(|mut rows| rows.next()).and_then(Result::ok);
        assert_eq!(again, Some(Row { line: 1, ..row.clone() }), "{written}");
        row.report
    });
    let read =
        |body: ReportBody| Report::try_from(body).expect("what the server would refuse is refused here");
    let reports: Vec<Report> = rows.map(read).collect();
    reports.iter().for_each(possible);
    vec![reports]
}

fn json(row: &Row) -> String {
    let mut json = to_value(&row.report).expect("a report is JSON");
    if let (Value::Object(fields), Some(env)) = (&mut json, &row.env) {
        fields.insert("env".to_owned(), Value::from(env.as_str()));
    }
    json.to_string()
}
