//! The demo's fleet, against a server of the tests'.

use serde_json::Value;
use shipboard::demo::{FleetArgs, fleet};
use tokio_util::sync::CancellationToken;

use crate::harness::{Server, eventually};

async fn counts(server: &Server, env: &str) -> Value {
    server.get(&format!("/api/v1/tenants/acme/envs/{env}/counts")).await["counts"]["deployments"].clone()
}

#[tokio::test]
async fn the_fleet_has_a_past_and_goes_on_living() {
    let server = Server::start();
    let args = FleetArgs { seed: 7, days: 3, speed: 20.0 };
    let (stop, began) = (CancellationToken::new(), CancellationToken::new());
    let alive = fleet(&server.url, None, &args, shipboard::clock::now, || began.cancel(), stop.clone());
    let watched = async {
        began.cancelled().await;
        for env in ["integration", "staging", "production"] {
            let past = counts(&server, env).await;
            assert!(past["success"].as_u64().unwrap() >= 20, "{env}: {past}");
        }
        let past = counts(&server, "production").await["success"].as_u64().unwrap();
        eventually("something runs", async || {
            (counts(&server, "integration").await["running"].as_u64().unwrap() > 0).then_some(())
        })
        .await;
        eventually("a release reaches production", async || {
            (counts(&server, "production").await["success"].as_u64().unwrap() > past).then_some(())
        })
        .await;
        let rows = server.get("/api/v1/tenants/acme/envs/integration/deployments?limit=10").await;
        assert!(rows["items"].as_array().unwrap().iter().any(|row| row["has_log"] == true), "{rows}");
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(alive, watched);
    ended.unwrap();
    server.check();
}
