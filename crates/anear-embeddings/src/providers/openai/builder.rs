//! The settings of the OpenAI client.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anear_pool::Pool;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::OpenAiEmbeddings;
use super::http::{Endpoint, Retries};
use super::plan::Rules;
use crate::providers::environment::variable;
use crate::providers::secret::{Redactor, Secret};
use crate::{Error, Result};

const KEY: &str = "OPENAI_API_KEY";

/// How the client of [`OpenAiEmbeddings`] behaves.
///
/// What is not set comes from the environment (`OPENAI_API_KEY`, `OPENAI_BASE_URL` or `OPENAI_API_BASE`,
/// `OPENAI_ORG_ID`) and then from the defaults named at each setting.
#[derive(Clone, Debug)]
pub struct OpenAiBuilder {
    model: String,
    dimensions: Option<usize>,
    base_url: Option<Secret>,
    auth: Auth,
    organization: Option<String>,
    headers: Vec<(String, Secret)>,
    query: Vec<(String, Secret)>,
    chunk_size: usize,
    max_request_tokens: usize,
    concurrency: usize,
    ctx_length: usize,
    check_ctx_length: bool,
    skip_empty: bool,
    environment_server: bool,
    retries: Retries,
    connect_timeout: Duration,
    pool: Option<Pool>,
}

/// How the key is shown to the server.
#[derive(Clone, Debug)]
enum Auth {
    Environment,
    Key(Secret),
    /// Azure's `api-key` header; without a key of its own, the environment's.
    Azure(Option<Secret>),
    None,
}

impl Default for OpenAiBuilder {
    fn default() -> Self {
        Self {
            model: "text-embedding-ada-002".into(),
            dimensions: None,
            base_url: None,
            auth: Auth::Environment,
            organization: None,
            headers: Vec::new(),
            query: Vec::new(),
            chunk_size: 1000,
            max_request_tokens: 300_000,
            concurrency: 4,
            ctx_length: 8191,
            check_ctx_length: true,
            skip_empty: false,
            environment_server: false,
            retries: Retries {
                max: 2,
                first_delay: Duration::from_millis(500),
                longest_delay: Duration::from_secs(60),
                timeout: Duration::from_secs(60),
            },
            connect_timeout: Duration::from_secs(10),
            pool: None,
        }
    }
}

impl OpenAiBuilder {
    /// The model. Default: `text-embedding-ada-002`.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = model.into();
        self
    }

    /// Asks for shorter vectors; only the `text-embedding-3` models and some servers can. Default: the model's own.
    #[must_use]
    pub fn dimensions(mut self, dimensions: usize) -> Self {
        self.dimensions = Some(dimensions);
        self
    }

    /// Where the API is, without `/embeddings`. Default: `https://api.openai.com/v1`.
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(Secret::new(url));
        self
    }

    /// When the address comes from the environment, treats the server there as one that is not OpenAI's: texts are sent
    /// as they are, see [`check_ctx_length`](Self::check_ctx_length), and no key is needed, though one in
    /// `OPENAI_API_KEY` is sent.
    #[must_use]
    pub fn environment_server(mut self) -> Self {
        self.environment_server = true;
        self
    }

    /// The key. Default: the environment variable `OPENAI_API_KEY`.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        let key = Secret::new(key);
        self.auth = if matches!(self.auth, Auth::Azure(_)) {
            Auth::Azure(Some(key))
        } else {
            Auth::Key(key)
        };
        self
    }

    /// Sends no key at all, for a server that needs none.
    #[must_use]
    pub fn without_api_key(mut self) -> Self {
        self.auth = Auth::None;
        self
    }

    /// A deployment on Azure: `endpoint` like `https://name.openai.azure.com`, the key in the `api-key` header.
    #[must_use]
    pub fn azure(mut self, endpoint: &str, deployment: &str, api_version: &str) -> Self {
        let endpoint = endpoint.trim_end_matches('/');
        self.base_url = Some(Secret::new(format!("{endpoint}/openai/deployments/{deployment}")));
        self.auth = match self.auth {
            Auth::Key(key) => Auth::Azure(Some(key)),
            _ => Auth::Azure(None),
        };
        self.query("api-version", api_version)
    }

    /// The organization that pays, for keys that belong to several.
    #[must_use]
    pub fn organization(mut self, organization: impl Into<String>) -> Self {
        self.organization = Some(organization.into());
        self
    }

    /// A header of every request; its value is kept as secret as the key.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), Secret::new(value)));
        self
    }

    /// A query parameter of every request; its value is not shown either.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), Secret::new(value)));
        self
    }

    /// The most texts in one request. Default: 1000.
    #[must_use]
    pub fn chunk_size(mut self, texts: usize) -> Self {
        self.chunk_size = texts;
        self
    }

    /// The most tokens in one request; counted while [`check_ctx_length`](Self::check_ctx_length) is on. Default: 300,000.
    #[must_use]
    pub fn max_request_tokens(mut self, tokens: usize) -> Self {
        self.max_request_tokens = tokens;
        self
    }

    /// The most requests in flight at once for one call. Default: 4.
    #[must_use]
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests;
        self
    }

    /// The most tokens the model reads of one text; a longer text is cut and its vectors are averaged. Default: 8191.
    #[must_use]
    pub fn embedding_ctx_length(mut self, tokens: usize) -> Self {
        self.ctx_length = tokens;
        self
    }

    /// Whether texts are measured and long ones cut. A piece of a long text is sent as token numbers, which only OpenAI
    /// understands; for another server say `false`: every text is sent as it is. Default: `true`.
    #[must_use]
    pub fn check_ctx_length(mut self, check: bool) -> Self {
        self.check_ctx_length = check;
        self
    }

    /// Whether texts of nothing but blanks stay at home and get a zero vector, for servers that refuse them.
    /// Default: `false`.
    #[must_use]
    pub fn skip_empty(mut self, skip: bool) -> Self {
        self.skip_empty = skip;
        self
    }

    /// How often a failed request is sent again: after a timeout, a broken connection, 408, 409, 429 or 5xx, except for
    /// a quota that is used up. Default: 2.
    #[must_use]
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.retries.max = retries;
        self
    }

    /// The pause before the first retry; it doubles each time up to 8 s, less a quarter at random. Default: 500 ms.
    #[must_use]
    pub fn retry_delay(mut self, first: Duration) -> Self {
        self.retries.first_delay = first;
        self
    }

    /// The longest `Retry-After` that is waited for; a server that asks for more gets no retry. Default: 60 s.
    #[must_use]
    pub fn max_retry_after(mut self, longest: Duration) -> Self {
        self.retries.longest_delay = longest;
        self
    }

    /// The time for one request, from connecting to the last byte of the answer. Default: 60 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.retries.timeout = timeout;
        self
    }

    /// The time to connect. Default: 10 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The threads that tokenize and parse. Default: [`Pool::global`].
    #[must_use]
    pub fn pool(mut self, pool: Pool) -> Self {
        self.pool = Some(pool);
        self
    }

    /// The client.
    ///
    /// # Errors
    /// [`Error::MissingKey`] when there is no key anywhere, [`Error::Setting`] when a setting cannot be used.
    pub fn build(self) -> Result<OpenAiEmbeddings> {
        self.build_in(variable)
    }

    /// [`build`](Self::build) in the environment `variable`.
    pub(super) fn build_in(mut self, variable: impl Fn(&str) -> Option<String>) -> Result<OpenAiEmbeddings> {
        if self.environment_server && self.base_url.is_none() && environment_url(&variable).is_some() {
            self.check_ctx_length = false;
            if matches!(self.auth, Auth::Environment) && variable(KEY).is_none() {
                self.auth = Auth::None;
            }
        }
        self.check_numbers()?;
        let key = self.key(&variable)?;
        let url = self.url(&variable)?;
        let headers = self.headers(key.as_ref(), &variable)?;
        let client = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(concat!("anear/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the `api-key` header to another host.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(self.connect_timeout)
            .timeout(self.retries.timeout)
            .build()
            .map_err(|error| setting("client", "", &format!("the HTTP client cannot start: {error}")))?;
        let url_secrets = [url.password().unwrap_or_default(), url.username()].map(Secret::new);
        let others = self.headers.iter().chain(&self.query).map(|(_, value)| value.clone());
        let redactor = Redactor::new(key.into_iter().chain(url_secrets).chain(others));
        let width = self.dimensions.map_or_else(OnceLock::new, OnceLock::from);
        Ok(OpenAiEmbeddings {
            endpoint: Endpoint::new(client, url, self.model.clone(), self.retries, redactor),
            rules: Arc::new(Rules {
                model: self.model,
                dimensions: self.dimensions,
                chunk_size: self.chunk_size,
                max_request_tokens: self.max_request_tokens,
                ctx_length: self.check_ctx_length.then_some(self.ctx_length),
                skip_empty: self.skip_empty,
            }),
            concurrency: self.concurrency,
            width: Arc::new(width),
            pool: self.pool.unwrap_or_else(|| Pool::global().clone()),
        })
    }

    fn check_numbers(&self) -> Result<()> {
        let numbers = [
            ("dimensions", self.dimensions.unwrap_or(1)),
            ("chunk_size", self.chunk_size),
            ("max_request_tokens", self.max_request_tokens),
            ("concurrency", self.concurrency),
            ("embedding_ctx_length", self.ctx_length),
        ];
        match numbers.into_iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => Err(setting(name, "0", "it must be at least 1")),
            None => Ok(()),
        }
    }

    fn key(&self, variable: &impl Fn(&str) -> Option<String>) -> Result<Option<Secret>> {
        match &self.auth {
            Auth::None => Ok(None),
            Auth::Key(key) | Auth::Azure(Some(key)) => Ok(Some(key.clone())),
            Auth::Environment | Auth::Azure(None) => {
                let key = variable(KEY).ok_or(Error::MissingKey { variable: KEY })?;
                Ok(Some(Secret::new(key.trim())))
            }
        }
    }

    fn url(&self, variable: &impl Fn(&str) -> Option<String>) -> Result<Url> {
        let given = self.base_url.as_ref().map(|url| url.expose().to_owned());
        let base = given
            .or_else(|| environment_url(variable))
            .unwrap_or_else(|| "https://api.openai.com/v1".into());
        // The URL itself is not shown: it may hold a password.
        let bad = |reason: &str| setting("base_url", "[hidden]", reason);
        let mut url = Url::parse(base.trim()).map_err(|error| bad(&format!("it is no URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("it must begin with http:// or https://"));
        }
        url.path_segments_mut()
            .map_err(|()| bad("it has no path"))?
            .pop_if_empty()
            .push("embeddings");
        for (name, value) in &self.query {
            url.query_pairs_mut().append_pair(name, value.expose());
        }
        Ok(url)
    }

    fn headers(&self, key: Option<&Secret>, variable: &impl Fn(&str) -> Option<String>) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let (name, value) = match self.auth {
                Auth::Azure(_) => (HeaderName::from_static("api-key"), key.expose().to_owned()),
                _ => (AUTHORIZATION, format!("Bearer {}", key.expose())),
            };
            headers.insert(name, hidden_header("api_key", &value)?);
        }
        if let Some(organization) = self.organization.clone().or_else(|| variable("OPENAI_ORG_ID")) {
            headers.insert("openai-organization", hidden_header("organization", &organization)?);
        }
        for (name, value) in &self.headers {
            let bad = |_| setting("header", name, "it is no header name");
            headers.insert(
                HeaderName::try_from(name).map_err(bad)?,
                hidden_header("header", value.expose())?,
            );
        }
        Ok(headers)
    }
}

fn environment_url(variable: &impl Fn(&str) -> Option<String>) -> Option<String> {
    variable("OPENAI_BASE_URL").or_else(|| variable("OPENAI_API_BASE"))
}

/// A header value that HTTP logs leave out too.
fn hidden_header(name: &'static str, value: &str) -> Result<HeaderValue> {
    let bad = |_| setting(name, "[hidden]", "it has characters that no HTTP header can carry");
    let mut header = HeaderValue::from_str(value).map_err(bad)?;
    header.set_sensitive(true);
    Ok(header)
}

fn setting(name: &'static str, value: &str, reason: &str) -> Error {
    Error::Setting {
        name,
        value: value.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::environment::given;

    fn build(builder: OpenAiBuilder, environment: &[(&str, &str)]) -> Result<OpenAiEmbeddings> {
        let find = |name: &str| environment.iter().find(|(variable, _)| *variable == name);
        builder.build_in(|name| given(find(name).map(|(_, value)| (*value).to_owned())))
    }

    #[test]
    fn a_server_of_the_environment_gets_whole_texts_and_needs_no_key() {
        let server = |environment: &[(&str, &str)]| build(OpenAiBuilder::default().environment_server(), environment);
        let mine = ("OPENAI_BASE_URL", "http://mine/v1");
        for environment in [&[mine][..], &[mine, (KEY, "k")]] {
            assert_eq!(server(environment).unwrap().rules.ctx_length, None);
        }
        for environment in [&[][..], &[("OPENAI_BASE_URL", " ")]] {
            assert!(matches!(server(environment), Err(Error::MissingKey { .. })));
        }
        assert_eq!(server(&[(KEY, "k")]).unwrap().rules.ctx_length, Some(8191));
    }

    #[test]
    fn a_missing_key_says_where_to_put_it() {
        for environment in [&[][..], &[(KEY, "")], &[(KEY, "  ")]] {
            let error = build(OpenAiBuilder::default(), environment).unwrap_err();
            assert!(matches!(error, Error::MissingKey { variable: KEY }));
            assert!(
                error.to_string().contains(KEY) && error.to_string().contains(".without_api_key()"),
                "{error}"
            );
        }
        assert!(build(OpenAiBuilder::default().azure("http://a", "b", "c"), &[]).is_err());
    }

    #[test]
    fn the_environment_fills_what_is_not_set() {
        let hosts = |builder, environment: &[(&str, &str)]| {
            build(builder, &[environment, &[(KEY, "k")]].concat())
                .unwrap()
                .endpoint
                .host()
        };
        let (new, old) = (
            ("OPENAI_BASE_URL", "http://new:1/v1/"),
            ("OPENAI_API_BASE", "http://old/v1"),
        );
        assert_eq!(hosts(OpenAiBuilder::default(), &[]), "api.openai.com");
        assert_eq!(hosts(OpenAiBuilder::default(), &[old]), "old");
        assert_eq!(hosts(OpenAiBuilder::default(), &[old, new]), "new:1");
        assert_eq!(
            hosts(OpenAiBuilder::default().base_url("http://mine"), &[old, new]),
            "mine"
        );
    }

    #[test]
    fn addresses_are_joined_whatever_their_slashes() {
        for base in ["http://h/v1", "http://h/v1/"] {
            let url = OpenAiBuilder::default()
                .base_url(base)
                .query("a", "b c")
                .url(&|_| None)
                .unwrap();
            assert_eq!(url.as_str(), "http://h/v1/embeddings?a=b+c");
        }
        let bare = OpenAiBuilder::default().base_url("http://h").url(&|_| None).unwrap();
        assert_eq!(bare.as_str(), "http://h/embeddings");
    }

    #[test]
    fn every_secret_header_is_marked_for_logs() {
        let builder = OpenAiBuilder::default().organization("o").header("x", "y");
        let headers = builder.headers(Some(&Secret::new("k")), &|_| None).unwrap();
        assert_eq!(headers.len(), 3);
        assert!(headers.values().all(HeaderValue::is_sensitive));
    }
}
