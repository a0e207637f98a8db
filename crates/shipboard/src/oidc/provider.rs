//! The provider: found when it is first needed, known for an hour, and asked who somebody is.
//!
//! What it says of itself is kept as it was last read, so that a provider which is away for a while costs nobody a
//! session. Its keys are read anew when a token is signed by one that is not known, but not again and again.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClientAuthMethod, CoreErrorResponseType,
    CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::url::Url;
use openidconnect::{
    AccessToken, AuthType, AuthorizationCode, ClaimsVerificationError, Client, CsrfToken,
    EmptyExtraTokenFields, EndSessionUrl, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenClaims,
    IdTokenFields, LogoutRequest, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier,
    PostLogoutRedirectUrl, ProviderMetadataWithLogout, RedirectUrl, RequestTokenError,
    SignatureVerificationError, StandardErrorResponse, StandardTokenResponse, SubjectIdentifier,
    TokenResponse as _, TokenUrl, UserInfoClaims, UserInfoUrl,
};
use tokio::time::Instant;

use super::attempt::Attempt;
use super::exchanges::Exchanges;
use super::fetch::{Fetch, FetchError};
use super::person::{MoreClaims, Names, Person};
use super::settings::{Settings, is_private};
use crate::clock;

/// For how long what the provider says of itself is taken as it is.
const FRESH: Duration = Duration::from_hours(1);
/// The shortest time between two looks at the provider: also of those that failed, and for keys that are not known.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);
/// Longest `sub`, as the protocol has it.
const MAX_SUB: usize = 255;
/// What ID tokens may be signed by: keys that the provider alone has.
const SIGNATURES: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

type Fields = IdTokenFields<
    MoreClaims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Tokens = StandardTokenResponse<Fields, CoreTokenType>;
type Claims = IdTokenClaims<MoreClaims, CoreGenderClaim>;
type Relying = Client<
    MoreClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Why somebody could not be signed in. What it says is for the log: it holds no secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// The provider does not answer.
    #[error("the provider does not answer: {0}")]
    Away(String),
    /// The provider answers what cannot be, or what is not to be trusted.
    #[error("the provider's answer is of no use: {0}")]
    Odd(String),
    /// The provider does not take the code: it is too old, or was used before.
    #[error("the provider does not take the code")]
    Stale,
}

/// The provider.
#[derive(Debug)]
pub struct Provider {
    /// What sign-in goes by.
    pub settings: Settings,
    base: String,
    fetch: Fetch,
    known: RwLock<Option<Arc<Known>>>,
    /// When it was last looked at, and why that failed. Whoever looks holds it.
    looked: tokio::sync::Mutex<Option<(Instant, Option<Failure>)>>,
    exchanges: Exchanges,
}

/// What the provider said of itself.
#[derive(Debug)]
struct Known {
    metadata: ProviderMetadataWithLogout,
    read: Instant,
}

impl Provider {
    /// Where the provider sends people back to, below the address that they reach this server by.
    pub const CALLBACK: &'static str = "/api/v1/session/oidc/callback";

    /// A provider that was not looked at yet; `base` is the address that people reach this server by.
    pub fn new(settings: Settings, base: String) -> Result<Self, reqwest::Error> {
        let fetch = Fetch::new(settings.issuer.url())?;
        Ok(Self {
            settings,
            base,
            fetch,
            known: RwLock::default(),
            looked: tokio::sync::Mutex::default(),
            exchanges: Exchanges::default(),
        })
    }

    fn kept(&self) -> Option<Arc<Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the provider says of itself; not older than an hour, unless it does not answer.
    async fn known(&self) -> Result<Arc<Known>, Failure> {
        match self.kept() {
            Some(known) if known.read.elapsed() < FRESH => Ok(known),
            Some(known) => Ok(self.look(Some(&known)).await.unwrap_or(known)),
            None => self.look(None).await,
        }
    }

    /// Looks anew at the provider; once for all who want that of the same `than`, and not right after another look.
    async fn look(&self, than: Option<&Arc<Known>>) -> Result<Arc<Known>, Failure> {
        let mut looked = self.looked.lock().await;
        let is_newer = |known: &Arc<Known>| than.is_none_or(|than| !Arc::ptr_eq(known, than));
        if let Some(known) = self.kept().filter(is_newer) {
            return Ok(known);
        }
        if let Some((at, failure)) = &*looked
            && at.elapsed() < BETWEEN_LOOKS
        {
            let unknown = || Failure::Odd("it signs with a key that it did not name a moment ago".to_owned());
            return Err(failure.clone().unwrap_or_else(unknown));
        }
        let found = self.discover().await;
        let at = Instant::now();
        match found {
            Ok(metadata) => {
                *looked = Some((at, None));
                let known = Arc::new(Known { metadata, read: at });
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
                Ok(known)
            }
            Err(failure) => {
                *looked = Some((at, Some(failure.clone())));
                Err(failure)
            }
        }
    }

    async fn discover(&self) -> Result<ProviderMetadataWithLogout, Failure> {
        let found =
            ProviderMetadataWithLogout::discover_async(self.settings.issuer.clone(), &self.fetch).await;
        let metadata = found.map_err(|error| match error {
            openidconnect::DiscoveryError::Request(FetchError::Unreachable(error)) => {
                Failure::Away(causes(&error))
            }
            openidconnect::DiscoveryError::Response(status, _, why) if status.is_server_error() => {
                Failure::Away(why)
            }
            error => Failure::Odd(causes(&error)),
        })?;
        let endpoints = [
            Some(metadata.authorization_endpoint().url()),
            metadata.token_endpoint().map(TokenUrl::url),
            metadata.userinfo_endpoint().map(UserInfoUrl::url),
            metadata.additional_metadata().end_session_endpoint.as_ref().map(EndSessionUrl::url),
            Some(metadata.jwks_uri().url()),
        ];
        if metadata.token_endpoint().is_none() {
            return Err(Failure::Odd("it names no token endpoint".to_owned()));
        }
        if let Some(url) = endpoints.into_iter().flatten().find(|url| !is_private(url)) {
            let place = url.origin().ascii_serialization();
            return Err(Failure::Odd(format!("it sends us to {place}, which is not https")));
        }
        Ok(metadata)
    }

    /// Looks at the provider for the first time, so that the log tells early what is wrong with it.
    pub async fn meet(&self) {
        if let Err(failure) = self.known().await {
            tracing::warn!(%failure, issuer = self.settings.issuer.as_str(), "nobody can sign in by the provider yet");
        }
    }

    fn relying(&self, known: &Known) -> Result<Relying, Failure> {
        let Settings { client_id, client_secret, .. } = &self.settings;
        let metadata = known.metadata.clone();
        let methods = metadata.token_endpoint_auth_methods_supported().cloned().unwrap_or_default();
        let only_post = methods.contains(&CoreClientAuthMethod::ClientSecretPost)
            && !methods.contains(&CoreClientAuthMethod::ClientSecretBasic);
        let callback = RedirectUrl::new(format!("{}{}", self.base, Self::CALLBACK));
        let callback = callback.map_err(|error| Failure::Odd(format!("no way back: {error}")))?;
        let relying: Relying =
            Client::from_provider_metadata(metadata, client_id.clone(), client_secret.clone())
                .set_redirect_uri(callback)
                .set_auth_type(if only_post { AuthType::RequestBody } else { AuthType::BasicAuth });
        Ok(relying)
    }

    /// Where somebody signs in; `again`: they are to be asked for who they are, even if the provider knows.
    pub async fn sign_in_url(&self, attempt: &Attempt, again: bool) -> Result<Url, Failure> {
        let relying = self.relying(&*self.known().await?)?;
        let verifier = PkceCodeVerifier::new(attempt.verifier());
        let (state, nonce) = (CsrfToken::new(attempt.state()), Nonce::new(attempt.nonce()));
        let mut request = relying
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || state, move || nonce)
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .add_scopes(self.settings.scopes.iter().cloned());
        if again {
            request = request.add_prompt(CoreAuthPrompt::Login);
        }
        Ok(request.url().0)
    }

    /// Where somebody signs out of the provider, if it has such a place; afterwards they come back to `page`.
    pub async fn sign_out_url(&self, page: &str) -> Option<Url> {
        let known = self.known().await.ok()?;
        let endpoint = known.metadata.additional_metadata().end_session_endpoint.clone()?;
        let back = PostLogoutRedirectUrl::new(format!("{}{page}", self.base)).ok()?;
        // Without a hint of who it is: that would be a token in an address.
        let request = LogoutRequest::from(endpoint).set_client_id(self.settings.client_id.clone());
        Some(request.set_post_logout_redirect_uri(back).http_get_url())
    }

    /// Who came back with this code, from this address.
    pub async fn person(&self, attempt: &Attempt, code: String, from: &str) -> Result<Person, Failure> {
        let too_many =
            || Failure::Away("too many are being signed in at this moment, or from one address".to_owned());
        let _exchange = self.exchanges.begin(from).ok_or_else(too_many)?;
        let known = self.known().await?;
        let relying = self.relying(&known)?;
        let exchange = relying
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| Failure::Odd(error.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(attempt.verifier()));
        let tokens = exchange.request_async(&self.fetch).await.map_err(exchange_failure)?;
        let token = tokens.id_token().ok_or_else(|| Failure::Odd("it gives no ID token".to_owned()))?;
        let nonce = Nonce::new(attempt.nonce());
        let mut relying = relying;
        let mut checked = token.claims(&verifier(&relying), &nonce).cloned();
        if let Err(ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::NoMatchingKey,
        )) = checked
        {
            // It may have begun to sign with another key.
            relying = self.relying(&*self.look(Some(&known)).await?)?;
            checked = token.claims(&verifier(&relying), &nonce).cloned();
        }
        let claims = checked.map_err(|error| Failure::Odd(causes(&error)))?;
        self.check_party(&claims)?;
        self.read(&relying, &claims, tokens.access_token()).await
    }

    /// The token was made for us: the crate leaves `azp` to its users, and `sub` as long as it is.
    fn check_party(&self, claims: &Claims) -> Result<(), Failure> {
        if claims.authorized_party().is_some_and(|party| *party != self.settings.client_id) {
            return Err(Failure::Odd("the ID token is another party's".to_owned()));
        }
        let sub = claims.subject().as_str();
        if sub.is_empty() || sub.len() > MAX_SUB || sub.chars().any(char::is_control) {
            return Err(Failure::Odd("the ID token says nobody's name".to_owned()));
        }
        Ok(())
    }

    /// What the claims say; what the ID token leaves out, the provider is asked for.
    async fn read(
        &self,
        relying: &Relying,
        claims: &Claims,
        access: &AccessToken,
    ) -> Result<Person, Failure> {
        let claim = &*self.settings.groups_claim;
        let issuer = self.settings.issuer.as_str();
        let sub: &SubjectIdentifier = claims.subject();
        let names = Names {
            name: claims.name().and_then(|name| name.get(None)).map(|name| name.as_str()),
            username: claims.preferred_username().map(|name| name.as_str()),
            email: claims.email().map(|email| email.as_str()),
        };
        let groups = claims.additional_claims().groups(claim);
        let has_name = names.name.or(names.username).or(names.email).is_some();
        if let (Some(groups), true) = (&groups, has_name) {
            return Ok(Person::new(issuer, sub, names, groups.clone()));
        }
        // The crate takes for granted that it can stand in a header.
        if !access.secret().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::Odd("its access token has characters that no token has".to_owned()));
        }
        let Ok(request) = relying.user_info(access.clone(), Some(sub.clone())) else {
            return Ok(Person::new(issuer, sub, names, groups.unwrap_or_default()));
        };
        let asked: Result<UserInfoClaims<MoreClaims, CoreGenderClaim>, _> =
            request.request_async(&self.fetch).await;
        let more = asked.map_err(|error| match error {
            openidconnect::UserInfoError::Request(FetchError::Unreachable(error)) => {
                Failure::Away(causes(&error))
            }
            error => Failure::Odd(causes(&error)),
        })?;
        let names = Names {
            name: names.name.or(more.name().and_then(|name| name.get(None)).map(|name| name.as_str())),
            username: names.username.or(more.preferred_username().map(|name| name.as_str())),
            email: names.email.or(more.email().map(|email| email.as_str())),
        };
        let groups = groups.or_else(|| more.additional_claims().groups(claim)).unwrap_or_default();
        Ok(Person::new(issuer, sub, names, groups))
    }
}

fn verifier(relying: &Relying) -> openidconnect::IdTokenVerifier<'_, CoreJsonWebKey> {
    let now = || {
        let now = clock::now().as_millis();
        chrono::DateTime::from_timestamp_millis(now).unwrap_or_default()
    };
    relying.id_token_verifier().set_allowed_algs(SIGNATURES).set_time_fn(now)
}

type ExchangeError = RequestTokenError<FetchError, StandardErrorResponse<CoreErrorResponseType>>;

fn exchange_failure(error: ExchangeError) -> Failure {
    match error {
        RequestTokenError::Request(FetchError::Unreachable(error)) => Failure::Away(causes(&error)),
        // Its words are left out: they may quote what was sent.
        RequestTokenError::ServerResponse(refused) => match refused.error() {
            CoreErrorResponseType::InvalidGrant => Failure::Stale,
            error => Failure::Odd(format!("it gives no tokens: {error}")),
        },
        // So are the bytes that could not be read: they may be a token.
        RequestTokenError::Parse(error, _) => {
            Failure::Odd(format!("its tokens are none, at {}", error.path()))
        }
        error => Failure::Odd(causes(&error)),
    }
}

/// An error with what caused it, on one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}
