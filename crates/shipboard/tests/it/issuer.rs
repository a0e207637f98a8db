//! A sign-in provider of the tests' own, that says whatever a test wants it to: what no real one would, too.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use openidconnect::core::{CoreEdDsaPrivateSigningKey, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKeyId, PrivateSigningKey as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use shipboard::tasks::Tasks;

/// What the server under test is to the provider.
pub const CLIENT: &str = "shipboard";
pub const SECRET: &str = "the-client-secret";

/// A running provider; it ends with the test.
pub struct Issuer {
    pub url: String,
    said: Said,
}

type Said = Arc<Mutex<Script>>;

/// What it says, and what it was asked.
pub struct Script {
    pub url: String,
    /// The number of the key that it signs with, and of those that it names.
    pub key: u8,
    pub named: Vec<u8>,
    /// Changes of its configuration.
    pub metadata: Value,
    /// The claims of the next token, and its header.
    pub claims: Value,
    pub header: Value,
    pub userinfo: Value,
    pub access_token: String,
    /// The challenge that the code was asked for with.
    pub challenge: String,
    pub redirect_uri: String,
    /// Answers everything instead.
    pub instead: Option<fn() -> Response>,
    /// How often its keys were read.
    pub looks: usize,
    /// How many codes it was given.
    pub codes: usize,
}

impl Issuer {
    pub async fn start() -> Self {
        Self::on(tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// At an address where nobody was before.
    pub async fn at(address: SocketAddr) -> Self {
        Self::on(tokio::net::TcpListener::bind(address).await.unwrap())
    }

    fn on(listener: tokio::net::TcpListener) -> Self {
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Script {
            url: url.clone(),
            key: 1,
            named: vec![1],
            metadata: json!({}),
            claims: json!({}),
            header: json!({}),
            userinfo: json!({}),
            access_token: "the-access-token".to_owned(),
            challenge: String::new(),
            redirect_uri: String::new(),
            instead: None,
            looks: 0,
            codes: 0,
        };
        let said = Arc::new(Mutex::new(script));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(configuration))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .with_state(said.clone());
        let tasks = Tasks::default();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, said }
    }

    /// Changes what it says.
    pub fn says<T>(&self, change: impl FnOnce(&mut Script) -> T) -> T {
        change(&mut self.said.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn overlaid(mut value: Value, changes: &Value) -> Value {
    for (key, change) in changes.as_object().unwrap() {
        match change {
            Value::Null => drop(value.as_object_mut().unwrap().remove(key)),
            change => value[key] = change.clone(),
        }
    }
    value
}

fn instead(said: &Said) -> Option<Response> {
    said.lock().unwrap().instead.map(|instead| instead())
}

fn answer(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

async fn configuration(State(said): State<Said>) -> Response {
    if let Some(instead) = instead(&said) {
        return instead;
    }
    let said = said.lock().unwrap();
    let at = |path: &str| format!("{}{path}", said.url);
    let metadata = json!({
        "issuer": said.url,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at("/jwks"),
        "end_session_endpoint": at("/end"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "EdDSA"],
    });
    answer(&overlaid(metadata, &said.metadata))
}

fn key(number: u8) -> CoreEdDsaPrivateSigningKey {
    // RFC 8410: what stands before the 32 bytes of such a key.
    let mut der = hex::decode("302e020100300506032b657004220420").unwrap();
    der.extend([number; 32]);
    let body = base64::prelude::BASE64_STANDARD.encode(der);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, Some(JsonWebKeyId::new(format!("key-{number}"))))
        .unwrap()
}

async fn jwks(State(said): State<Said>) -> Response {
    let mut said = said.lock().unwrap();
    said.looks += 1;
    let keys: Vec<_> = said.named.iter().map(|number| json!(key(*number).as_verification_key())).collect();
    answer(&json!({ "keys": keys }))
}

/// A token as the script says; signed as its header says, if that is any way to sign.
fn id_token(said: &Script) -> String {
    let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": format!("key-{}", said.key)});
    let header = overlaid(header, &said.header);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let claims = json!({"iss": said.url, "aud": CLIENT, "sub": "7", "iat": now, "exp": now + 300});
    let claims = overlaid(claims, &said.claims);
    let part = |value: &Value| BASE64.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(&claims));
    let signature = match header["alg"].as_str().unwrap() {
        "EdDSA" => key(said.key).sign(&CoreJwsSigningAlgorithm::EdDsa, signed.as_bytes()).unwrap(),
        "HS256" => {
            let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
            mac.update(signed.as_bytes());
            mac.finalize().into_bytes().to_vec()
        }
        _ => Vec::new(),
    };
    format!("{signed}.{}", BASE64.encode(signature))
}

async fn token(State(said): State<Said>, headers: HeaderMap, body: String) -> Response {
    let form: HashMap<String, String> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    said.lock().unwrap().codes += 1;
    if let Some(instead) = instead(&said) {
        return instead;
    }
    let said = said.lock().unwrap();
    let credentials = base64::prelude::BASE64_STANDARD.encode(format!("{CLIENT}:{SECRET}"));
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let refuse = |error: &str| (StatusCode::BAD_REQUEST, answer(&json!({ "error": error }))).into_response();
    if headers.get("authorization").is_none_or(|sent| *sent != format!("Basic {credentials}")) {
        return refuse("invalid_client");
    }
    let challenge = BASE64.encode(Sha256::digest(field("code_verifier")));
    let fits = challenge == said.challenge && field("redirect_uri") == said.redirect_uri;
    if field("code") != "the-code" || field("grant_type") != "authorization_code" || !fits {
        return refuse("invalid_grant");
    }
    let tokens =
        json!({"access_token": said.access_token, "token_type": "Bearer", "id_token": id_token(&said)});
    answer(&tokens)
}

async fn userinfo(State(said): State<Said>, headers: HeaderMap) -> Response {
    let said = said.lock().unwrap();
    if headers.get("authorization").is_none_or(|sent| *sent != "Bearer the-access-token") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    answer(&overlaid(json!({"sub": "7"}), &said.userinfo))
}
