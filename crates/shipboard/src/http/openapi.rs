//! The documents: OpenAPI of the calls, AsyncAPI of the streams; both from the types themselves.

use std::sync::{Arc, OnceLock};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use shipboard_core::event::{
    CountsUpdate, DeploymentDelete, DeploymentProgress, DeploymentUpsert, LogAppend, Snapshot, StreamEnd,
    WorkflowUpsert,
};
use utoipa::OpenApi;

use super::{audit, credentials, deployments, logs, oidc, ops, session, stream, tenants, workflows};
use crate::app::App;

/// The calls.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Shipboard",
        description = "The live deployments board. See docs/protocol.md for the contract."
    ),
    paths(
        deployments::post,
        deployments::patch,
        deployments::batch,
        deployments::list,
        deployments::get,
        deployments::delete,
        workflows::list,
        workflows::get,
        workflows::delete,
        workflows::counts,
        tenants::list,
        tenants::put,
        tenants::envs,
        tenants::put_env,
        logs::append,
        logs::read,
        stream::deployments,
        stream::details,
        stream::log,
        stream::shared,
        session::get,
        session::sign_in,
        session::sign_out,
        session::list,
        session::sign_out_everywhere,
        oidc::begin,
        oidc::callback,
        oidc::end,
        credentials::tokens,
        credentials::make_token,
        credentials::revoke_token,
        credentials::hooks,
        credentials::make_hook,
        credentials::revoke_hook,
        credentials::sessions,
        credentials::end_session,
        audit::list,
        audit::export,
        ops::healthz,
        ops::readyz,
        ops::metrics_for_admins,
        super::hooks::take,
        openapi,
        asyncapi,
    ),
    components(schemas(
        Snapshot,
        DeploymentUpsert,
        DeploymentProgress,
        DeploymentDelete,
        WorkflowUpsert,
        CountsUpdate,
        LogAppend,
        StreamEnd,
        super::problem::ProblemBody,
    ))
)]
pub struct Api;

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "operations", responses((status = 200)))]
pub async fn openapi(State(app): State<Arc<App>>) -> Response {
    page(app.documents.openapi.get_or_init(|| text(&Api::openapi())))
}

/// The documents as they are sent, each made when it is first asked for.
#[derive(Debug, Default)]
pub struct Documents {
    openapi: OnceLock<Bytes>,
    asyncapi: OnceLock<Bytes>,
}

fn text(document: &impl Serialize) -> Bytes {
    serde_json::to_vec(document).unwrap_or_default().into()
}

fn page(text: &Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text.clone()).into_response()
}

/// What streams carry: each event type, with the schema of its payload.
const MESSAGES: [(&str, &str); 8] = [
    ("snapshot", "Snapshot"),
    ("deployment.upsert", "DeploymentUpsert"),
    ("deployment.progress", "DeploymentProgress"),
    ("deployment.delete", "DeploymentDelete"),
    ("workflow.upsert", "WorkflowUpsert"),
    ("counts.update", "CountsUpdate"),
    ("log.append", "LogAppend"),
    ("stream.end", "StreamEnd"),
];

/// The streams, as AsyncAPI 3.0 describes them.
#[utoipa::path(get, path = "/api/v1/asyncapi.json", tag = "operations", responses((status = 200)))]
pub async fn asyncapi(State(app): State<Arc<App>>) -> Response {
    page(app.documents.asyncapi.get_or_init(|| text(&describe_streams())))
}

fn describe_streams() -> Value {
    let components = Api::openapi().components.unwrap_or_default();
    let schemas = serde_json::to_value(components.schemas).unwrap_or_default();
    let message = |(name, payload): (&str, &str)| {
        let reference = format!("#/components/schemas/{payload}");
        let envelope = json!({
            "name": name,
            "contentType": "text/event-stream",
            "payload": {
                "type": "object",
                "required": ["event_id", "type", "tenant_id", "env_id", "ts", "payload"],
                "properties": {
                    "event_id": {"type": "integer", "minimum": 0},
                    "type": {"const": name},
                    "tenant_id": {"type": "string"},
                    "env_id": {"type": "string"},
                    "ts": {"type": "string", "format": "date-time"},
                    "payload": {"$ref": reference},
                },
            },
        });
        (name.to_owned(), envelope)
    };
    let messages: serde_json::Map<String, Value> = MESSAGES.into_iter().map(message).collect();
    let of_channel = |names: &[&str]| -> Value {
        let reference =
            |name: &&str| (name.to_string(), json!({"$ref": format!("#/components/messages/{name}")}));
        names.iter().map(reference).collect::<serde_json::Map<String, Value>>().into()
    };
    let parameters = |names: &[&str]| -> Value {
        names
            .iter()
            .map(|name| ((*name).to_owned(), json!({})))
            .collect::<serde_json::Map<String, Value>>()
            .into()
    };
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Shipboard streams",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Server-Sent Events. A snapshot first on every connect, then events in order.",
        },
        "channels": {
            "deployments": {
                "address": "/api/v1/tenants/{tenant}/envs/{env}/stream",
                "parameters": parameters(&["tenant", "env"]),
                "messages": of_channel(&["snapshot", "deployment.upsert", "deployment.progress",
                    "deployment.delete", "workflow.upsert", "counts.update", "stream.end"]),
            },
            "details": {
                "address": "/api/v1/tenants/{tenant}/envs/{env}/deployments/{id}/stream",
                "parameters": parameters(&["tenant", "env", "id"]),
                "messages": of_channel(&["snapshot", "deployment.upsert", "deployment.progress",
                    "deployment.delete", "counts.update", "stream.end"]),
            },
            "log": {
                "address": "/api/v1/tenants/{tenant}/envs/{env}/deployments/{id}/logs/stream",
                "parameters": parameters(&["tenant", "env", "id"]),
                "messages": of_channel(&["snapshot", "log.append", "stream.end"]),
            },
            "shared": {
                "address": "/api/v1/tenants/{tenant}/stream",
                "parameters": parameters(&["tenant"]),
                "messages": of_channel(&MESSAGES.map(|(name, _)| name)),
            },
        },
        "operations": {
            "readDeployments": {"action": "send", "channel": {"$ref": "#/channels/deployments"}},
            "readDetails": {"action": "send", "channel": {"$ref": "#/channels/details"}},
            "readLog": {"action": "send", "channel": {"$ref": "#/channels/log"}},
            "readShared": {"action": "send", "channel": {"$ref": "#/channels/shared"}},
        },
        "components": {"messages": messages, "schemas": schemas},
    })
}
