//! How environments come into being: the first report makes them, with a tier guessed from the name.

use serde_json::json;
use shipboard_core::id::{Epoch, Slug};

use crate::app::App;
use crate::audit::Actor;
use crate::clock;
use crate::config::AuthMode;
use crate::store::{Birth, EnvKey, Record};

/// The tiers, in the order in which things move through them.
const TIERS: [&str; 5] = ["development", "testing", "staging", "production", "other"];
/// Longest name of an env or a tenant, in characters.
const MAX_NAME: usize = 255;

/// What an env's slug tells of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guess {
    tier: &'static str,
    position: i64,
}

impl Guess {
    /// Guesses from the slug's first words: `prod-eu` is production, `qa` is testing.
    pub fn of(env: &Slug) -> Self {
        let word = env.as_str().split(['-', '_', '.']).next().unwrap_or_default();
        let tier = match word {
            "prod" | "production" | "live" | "prd" => "production",
            "stage" | "staging" | "stg" | "preprod" | "pre" | "uat" | "canary" => "staging",
            "test" | "testing" | "qa" | "integration" | "int" | "ci" => "testing",
            "dev" | "develop" | "development" | "review" | "preview" | "sandbox" | "local" => "development",
            _ => "other",
        };
        let place = TIERS.iter().position(|known| *known == tier).unwrap_or(TIERS.len());
        Self { tier, position: 10 * (place as i64 + 1) }
    }

    /// The env as it is made, should it be new.
    pub fn birth(self, name: Option<&str>, epoch: Epoch, tenant: Option<Record>) -> Birth {
        let Self { tier, position } = self;
        Birth { name: name.map(|name| name.replace('\0', "\u{fffd}")), tier, position, epoch, tenant }
    }
}

/// How a report makes this env, if reports may.
pub fn birth(app: &App, key: &EnvKey, name: Option<&str>) -> Option<Birth> {
    let tenant = (app.access.mode() == AuthMode::Open).then(|| {
        Actor::anybody().did("tenant.put", Some(&key.tenant), key.tenant.as_str(), json!({"by": "report"}))
    });
    app.config.create.then(|| Guess::of(&key.env).birth(name, clock::epoch(), tenant))
}

/// A tier that exists, or what is wrong.
pub fn tier(word: &str) -> Result<&'static str, String> {
    let found = TIERS.into_iter().find(|tier| *tier == word);
    found.ok_or_else(|| format!("tier: must be one of {}", TIERS.join(", ")))
}

/// A name that fits, or what is wrong.
pub fn name(name: Option<&str>) -> Result<Option<&str>, String> {
    let name = name.map(str::trim).filter(|name| !name.is_empty());
    match name {
        Some(name) if name.chars().count() > MAX_NAME || name.contains('\0') => {
            Err(format!("name: must be at most {MAX_NAME} plain characters"))
        }
        name => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_are_guessed_from_the_first_word() {
        let check =
            |slug: &str, tier: &str| assert_eq!(Guess::of(&slug.parse().unwrap()).tier, tier, "{slug}");
        check("production", "production");
        check("prod-eu-1", "production");
        check("staging.blue", "staging");
        check("integration", "testing");
        check("review-42", "development");
        check("productive", "other");
    }
}
