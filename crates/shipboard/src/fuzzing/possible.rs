//! What any report keeps to, whoever sent it.

use shipboard_core::report::{
    CommitBody, Details, MAX_ATTEMPT, MAX_EVENT_MESSAGE_CHARS, MAX_MESSAGE_CHARS, MAX_TEXT_CHARS,
    MAX_URL_CHARS, ProgressBody, Report, ReportBody, Said, StepBody,
};
use shipboard_core::status::Kind;

/// Neither empty nor longer than this, and nothing in it that a database would not keep.
pub(crate) fn is_plain(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= most && !text.contains('\0')
}

/// Panics unless the report is within its limits, and the same when it is written down and read again.
pub(crate) fn possible(report: &Report) {
    let Details { reason, version, commit, actor, url, logs_url, message, .. } = &report.details;
    let word = match &report.status {
        Some(Said::Unmapped(word)) => Some(word),
        _ => None,
    };
    let progress = report.progress.clone().unwrap_or_default();
    let step = report.step.as_ref();
    let texts = [
        report.external_id.as_ref(),
        report.source.as_ref(),
        report.workflow_name.as_ref(),
        word,
        reason.as_ref(),
        version.as_ref(),
        commit.sha.as_ref(),
        commit.reference.as_ref(),
        commit.author.as_ref(),
        actor.as_ref(),
        progress.phase.as_ref(),
        progress.step.as_ref(),
        step.map(|step| &step.name),
        step.and_then(|step| step.status.as_ref()),
    ];
    let messages = [(message, MAX_MESSAGE_CHARS), (&commit.message, MAX_EVENT_MESSAGE_CHARS)];
    let texts = texts.into_iter().flatten().map(|text| (text, MAX_TEXT_CHARS));
    for (text, most) in
        texts.chain(messages.into_iter().filter_map(|(text, most)| Some((text.as_ref()?, most))))
    {
        assert!(is_plain(text, most), "{text:?}");
    }
    for url in [url, logs_url, &commit.url].into_iter().flatten() {
        let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        assert!(
            matches!(scheme.as_deref(), Some("http" | "https")) && is_plain(url, MAX_URL_CHARS),
            "{url:?}"
        );
    }
    assert!(report.attempt.is_none_or(|attempt| (1..=MAX_ATTEMPT).contains(&attempt)));
    assert!(progress.percent.is_none_or(|percent| (0.0..=100.0).contains(&percent)));
    let kept = serde_json::to_string(report).expect("a report is JSON");
    assert_eq!(serde_json::from_str::<Report>(&kept).as_ref().ok(), Some(report), "{kept}");
    let again = Report::try_from(body(report))
        .map(|read| Report { workflow_name: report.workflow_name.clone(), ..read });
    assert_eq!(again.as_ref(), Ok(report));
}

/// The report as somebody would send it.
fn body(report: &Report) -> ReportBody {
    let Report {
        external_id,
        source,
        workflow,
        attempt,
        status,
        occurred_at,
        sequence,
        details,
        progress,
        step,
        ..
    } = report.clone();
    let Details { kind, reason, version, commit, actor, url, logs_url, message } = details;
    let word = |said| match said {
        Said::Status(status) => status.as_str().to_owned(),
        Said::Removed => "removed".to_owned(),
        Said::Unmapped(word) => word,
    };
    let kind_word = |kind| match kind {
        Kind::Deploy => "deploy".to_owned(),
        Kind::Redeploy => "redeploy".to_owned(),
        Kind::Rollback => "rollback".to_owned(),
    };
    ReportBody {
        external_id,
        source,
        workflow: workflow.map(|slug| slug.to_string()),
        attempt: attempt.map(i64::from),
        status: status.map(word),
        occurred_at: occurred_at.map(|at| at.to_string()),
        sequence,
        kind: kind.map(kind_word),
        reason,
        version,
        commit: Some(CommitBody {
            sha: commit.sha,
            reference: commit.reference,
            message: commit.message,
            url: commit.url,
            author: commit.author,
        }),
        actor,
        url,
        logs_url,
        progress: progress.map(|it| ProgressBody { percent: it.percent, phase: it.phase, step: it.step }),
        step: step.map(|step| StepBody { name: Some(step.name), status: step.status }),
        message,
    }
}
