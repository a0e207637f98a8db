//! What the provider says, and what is believed of it: forged tokens, changed keys, answers that are none.

use axum::http::header;
use axum::response::IntoResponse as _;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{BEGIN, Signing, Went, mia};
use crate::harness::eventually;
use crate::issuer::{CLIENT, Issuer};

/// What becomes of somebody whose token says so, and is otherwise as it should be.
async fn signed_in_with(signing: &Signing, issuer: &Issuer, claims: &Value, header: &Value) -> Went {
    issuer.says(|says| {
        says.claims = mia();
        says.header = header.clone();
    });
    let attempt = signing.begin(issuer, BEGIN).await;
    issuer.says(|says| {
        for (claim, value) in claims.as_object().unwrap() {
            says.claims[claim] = value.clone();
        }
    });
    signing.go(&attempt.back(), &attempt.cookie).await
}

#[tokio::test]
async fn a_token_that_is_not_for_us_now_signs_nobody_in() {
    let issuer = Issuer::start().await;
    let signing = Signing::by(&issuer.url, &[]);
    let nothing = json!({});
    for (claims, header) in [
        (json!({"iss": "https://other.example"}), &nothing),
        (json!({"iss": format!("{}/", issuer.url)}), &nothing),
        (json!({"aud": "somebody-else"}), &nothing),
        (json!({"aud": [CLIENT, "somebody-else"]}), &nothing),
        (json!({"aud": []}), &nothing),
        (json!({"aud": null}), &nothing),
        (json!({"azp": "somebody-else"}), &nothing),
        (json!({"exp": 1_700_000_000}), &nothing),
        (json!({"exp": null}), &nothing),
        (json!({"sub": ""}), &nothing),
        (json!({"sub": null}), &nothing),
        (json!({"sub": "x".repeat(256)}), &nothing),
        (json!({}), &json!({"alg": "none"})),
        (json!({}), &json!({"alg": "none", "kid": null})),
        (json!({}), &json!({"alg": "HS256"})),
        (json!({}), &json!({"alg": "RS256"})),
        (json!({}), &json!({"typ": "at+jwt"})),
        (json!({}), &json!({"crit": ["exp"]})),
    ] {
        let back = signed_in_with(&signing, &issuer, &claims, header).await;
        back.assert_refused("broken", &format!("{claims} {header}"));
    }
    for nonce in [json!("another"), json!(null), json!("")] {
        issuer.says(|says| (says.claims, says.header) = (mia(), json!({})));
        let attempt = signing.begin(&issuer, BEGIN).await;
        issuer.says(|says| says.claims["nonce"] = nonce.clone());
        let back = signing.go(&attempt.back(), &attempt.cookie).await;
        back.assert_refused("broken", &format!("the nonce {nonce}"));
    }
    // Signed by a key that is not the one whose name it bears.
    issuer.says(|says| (says.claims, says.header, says.key) = (mia(), json!({"kid": "key-1"}), 2));
    signing.sign_in(&issuer).await.assert_refused("broken", "another's key");
    issuer.says(|says| (says.claims, says.header, says.key) = (mia(), json!({}), 1));
    assert_eq!(signing.sign_in(&issuer).await.place, "/");
}

#[tokio::test]
async fn values_that_nobody_would_send_are_answered_all_the_same() {
    let issuer = Issuer::start().await;
    let signing = Signing::by(&issuer.url, &[]);
    for (claims, header) in [
        (json!({"exp": 1e300}), json!({})),
        (json!({"exp": -1e300}), json!({})),
        (json!({"iat": 9_223_372_036_854_775_807_i64}), json!({})),
        (json!({"auth_time": 1e308}), json!({})),
        (json!({"updated_at": "never"}), json!({})),
        (json!({"email": 7, "name#": "x", "address": []}), json!({})),
        (json!({"sub": "7\r\nforged line"}), json!({})),
        (json!({}), json!({"alg": "RSA-OAEP", "enc": "A128GCM"})),
        (json!({}), json!({"alg": "dir", "enc": "?"})),
        (json!({}), json!({"alg": "?"})),
        (json!({}), json!({"kid": 7})),
        (json!({}), json!({"cty": "JWT"})),
    ] {
        let back = signed_in_with(&signing, &issuer, &claims, &header).await;
        assert_eq!(back.status, StatusCode::SEE_OTHER, "{claims} {header}: {back:?}");
    }
    issuer.says(|says| {
        says.header = json!({});
        says.claims = json!({});
        says.access_token = "no\r\nheader".to_owned();
    });
    signing.sign_in(&issuer).await.assert_refused("broken", "an access token that no header can carry");
    let log = signing.server.said().join("\n");
    assert!(!log.contains("panicked") && !log.contains("\nforged"), "{log}");
}

#[tokio::test]
async fn new_keys_are_read_when_they_are_needed_and_not_again_and_again() {
    let issuer = Issuer::start().await;
    issuer.says(|says| says.claims = mia());
    let signing = Signing::by(&issuer.url, &["--failure-rate", "0"]);
    assert_eq!(signing.sign_in(&issuer).await.place, "/");
    assert_eq!(issuer.says(|says| says.looks), 1, "once for all");
    issuer.says(|says| (says.key, says.named) = (2, vec![2, 1]));
    eventually("the new key is read, some seconds after the last look", async || {
        (signing.sign_in(&issuer).await.place == "/").then_some(())
    })
    .await;
    assert_eq!(issuer.says(|says| says.looks), 2);
    // Keys that nobody names cost no more than a look in some seconds.
    issuer.says(|says| says.key = 3);
    for _ in 0..20 {
        signing.sign_in(&issuer).await.assert_refused("broken", "a key that nobody names");
    }
    let looks = issuer.says(|says| says.looks);
    assert!(looks <= 4, "{looks}");
}

#[tokio::test]
async fn a_provider_that_is_away_keeps_nobody_from_the_rest_and_is_found_when_it_comes() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let signing = Signing::by(&format!("http://{address}"), &[]);
    let plain = signing.server.raw(Method::GET, BEGIN).send().await.unwrap();
    assert_eq!(plain.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(plain.headers()["content-type"], "application/problem+json");
    assert!(plain.headers().contains_key("retry-after"));
    let text = plain.text().await.unwrap();
    assert!(text.contains("does not answer") && !text.contains(&address.to_string()), "{text}");
    let page = signing.go(&format!("{BEGIN}?next=/t/acme/production"), "").await;
    page.assert_refused("unavailable", "away");
    assert_eq!(signing.go(&format!("{BEGIN}/end"), "").await.place, "/sign-in");
    assert_eq!(signing.server.get_status("/healthz").await, StatusCode::OK);
    assert_eq!(signing.server.get_status("/readyz").await, StatusCode::OK);
    let issuer = Issuer::at(address).await;
    issuer.says(|says| says.claims = mia());
    eventually("the provider is found", async || {
        let begun = signing.go(BEGIN, "").await;
        begun.place.starts_with(&issuer.url).then_some(())
    })
    .await;
    assert_eq!(signing.sign_in(&issuer).await.place, "/");
    let end = signing.go(&format!("{BEGIN}/end"), "").await.place;
    assert!(
        end.starts_with(&format!("{}/end?client_id={CLIENT}&post_logout_redirect_uri=", issuer.url)),
        "{end}"
    );
}

#[tokio::test]
async fn a_provider_that_says_what_cannot_be_is_not_believed() {
    type Change = fn(&Issuer);
    let endless: Change = |issuer| {
        issuer.says(|says| {
            says.instead = Some(|| {
                let chunk = || Ok::<_, std::io::Error>(vec![b' '; 65_536]);
                let body = futures_util::stream::repeat_with(chunk);
                let json = [(header::CONTENT_TYPE, "application/json")];
                (json, axum::body::Body::from_stream(body)).into_response()
            });
        });
    };
    let cases: [(&str, Change); 8] = [
        ("another issuer", |issuer| {
            issuer.says(|says| says.metadata = json!({"issuer": "https://other.example"}));
        }),
        ("an endless body", endless),
        ("a page", |issuer| issuer.says(|says| says.instead = Some(|| "<html>".into_response()))),
        ("elsewhere", |issuer| {
            issuer.says(|says| {
                says.instead =
                    Some(|| axum::response::Redirect::temporary("http://127.0.0.1:9/").into_response());
            });
        }),
        ("tokens in the open", |issuer| {
            issuer.says(|says| says.metadata = json!({"token_endpoint": "http://id.example.com/token"}));
        }),
        ("a script to go to", |issuer| {
            issuer.says(|says| says.metadata = json!({"authorization_endpoint": "javascript:alert(1)"}));
        }),
        ("no token endpoint", |issuer| issuer.says(|says| says.metadata = json!({"token_endpoint": null}))),
        ("keys at no address", |issuer| issuer.says(|says| says.metadata = json!({"jwks_uri": 7}))),
    ];
    for (what, change) in cases {
        let issuer = Issuer::start().await;
        change(&issuer);
        let signing = Signing::by(&issuer.url, &[]);
        let plain = signing.server.raw(Method::GET, BEGIN).send().await.unwrap();
        assert_eq!(plain.status(), StatusCode::BAD_GATEWAY, "{what}");
        signing.go(BEGIN, "").await.assert_refused("broken", what);
        assert_eq!(signing.server.get_status("/healthz").await, StatusCode::OK, "{what}");
    }
    // It was well once, and is not when the code is exchanged.
    let issuer = Issuer::start().await;
    let signing = Signing::by(&issuer.url, &[]);
    let attempt = signing.begin(&issuer, BEGIN).await;
    endless(&issuer);
    signing.go(&attempt.back(), &attempt.cookie).await.assert_refused("broken", "endless tokens");
}

#[tokio::test]
async fn groups_that_the_token_leaves_out_are_asked_for_and_only_of_the_same_person() {
    let issuer = Issuer::start().await;
    issuer.says(|says| {
        says.claims = json!({});
        says.userinfo = json!({"groups": ["ops"], "preferred_username": "mia"});
    });
    let signing = Signing::by(&issuer.url, &[]);
    let session = signing.session(&signing.sign_in(&issuer).await.cookie("shipboard_session")).await;
    assert_eq!((&session["name"], &session["role"]), (&json!("mia"), &json!("admin")));
    issuer.says(|says| says.userinfo["sub"] = json!("8"));
    signing.sign_in(&issuer).await.assert_refused("broken", "another's groups");
}
