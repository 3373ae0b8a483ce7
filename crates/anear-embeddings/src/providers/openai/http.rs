//! Sends a request until it is answered or hopeless.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};

use super::wire;
use crate::providers::secret::{Redactor, chain};
use crate::{Error, Result};

/// The longest pause of our own choosing.
const LONGEST_BACKOFF: Duration = Duration::from_secs(8);
/// An answer may be this long: 2048 vectors of 4096 numbers as JSON are about 180 MB.
const MAX_ANSWER: usize = 512 << 20;
/// An error's explanation is read no further than this.
const MAX_ERROR: usize = 64 << 10;

/// How often and how patiently a request is repeated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retries {
    pub(super) max: u32,
    pub(super) first_delay: Duration,
    /// The longest `Retry-After` that is obeyed.
    pub(super) longest_delay: Duration,
    /// For one attempt.
    pub(super) timeout: Duration,
}

/// The server's address and how to talk to it.
pub(super) struct Endpoint {
    client: Client,
    url: Url,
    model: String,
    retries: Retries,
    redactor: Redactor,
}

/// A failed attempt: the error if it was the last, and the pause before the next one if another may help.
struct Failure {
    error: Error,
    retry: Option<Retry>,
}

enum Retry {
    Backoff,
    After(Duration),
}

impl Endpoint {
    pub(super) fn new(client: Client, url: Url, model: String, retries: Retries, redactor: Redactor) -> Self {
        Self {
            client,
            url,
            model,
            retries,
            redactor,
        }
    }

    /// Host and port, without whatever else the URL holds.
    pub(super) fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    pub(super) fn redactor(&self) -> Redactor {
        self.redactor.clone()
    }

    /// The body of the first successful answer to `body`.
    pub(super) async fn post(&self, body: &[u8]) -> Result<Vec<u8>> {
        let mut attempt = 1;
        loop {
            let failure = match self.attempt(body, attempt).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let pause = match failure.retry {
                Some(Retry::Backoff) => backoff(self.retries.first_delay, attempt, random_fraction()),
                Some(Retry::After(pause)) if pause <= self.retries.longest_delay => pause,
                _ => return Err(failure.error),
            };
            if attempt > self.retries.max {
                return Err(failure.error);
            }
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, body: &[u8], attempt: u32) -> Result<Vec<u8>, Failure> {
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_vec());
        let mut response = request.send().await.map_err(|error| self.broken(error, attempt))?;
        let status = response.status();
        let limit = if status.is_success() { MAX_ANSWER } else { MAX_ERROR };
        let retry_after = retry_after(response.headers(), SystemTime::now());
        let (answer, complete) = read(&mut response, limit)
            .await
            .map_err(|error| self.broken(error, attempt))?;
        if !status.is_success() {
            return Err(self.refused(status, retry_after, &answer, attempt));
        }
        if !complete {
            let message = format!("the answer is longer than {MAX_ANSWER} bytes");
            return Err(Failure {
                error: Error::Malformed {
                    model: self.model.clone(),
                    message,
                },
                retry: None,
            });
        }
        Ok(answer)
    }

    fn refused(&self, status: StatusCode, retry_after: Option<Duration>, body: &[u8], attempts: u32) -> Failure {
        let passing = matches!(status.as_u16(), 408 | 409 | 429 | 500..) && !wire::quota_is_used_up(body);
        let error = Error::Api {
            status: status.as_u16(),
            model: self.model.clone(),
            attempts,
            retry_after,
            message: self.redactor.clean(&wire::message(body)),
        };
        Failure {
            error,
            retry: passing.then_some(retry_after.map_or(Retry::Backoff, Retry::After)),
        }
    }

    /// A timeout or a connection that failed or broke off.
    fn broken(&self, error: reqwest::Error, attempts: u32) -> Failure {
        let model = self.model.clone();
        let retry = (!error.is_builder()).then_some(Retry::Backoff);
        let error = if error.is_timeout() {
            Error::Timeout {
                model,
                timeout: self.retries.timeout,
                attempts,
            }
        } else {
            let message = self.redactor.clean(&chain(&error.without_url()));
            Error::Connection {
                host: self.host(),
                model,
                attempts,
                message,
            }
        };
        Failure { error, retry }
    }
}

/// Up to `limit` bytes of the body, and whether that is all of it.
async fn read(response: &mut Response, limit: usize) -> Result<(Vec<u8>, bool), reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = limit - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            return Ok((body, false));
        }
    }
    Ok((body, true))
}

/// `first` doubled with every attempt, less up to a quarter so that clients do not come back all at once.
fn backoff(first: Duration, attempt: u32, fraction: f64) -> Duration {
    let doubled = first.saturating_mul(2_u32.saturating_pow(attempt - 1));
    doubled.min(LONGEST_BACKOFF.max(first)).mul_f64(1.0 - 0.25 * fraction)
}

/// In [0, 1): the standard library seeds every hasher at random.
fn random_fraction() -> f64 {
    (RandomState::new().hash_one(0) >> 11) as f64 / (1_u64 << 53) as f64
}

/// The pause the server asks for: `retry-after-ms`, or `Retry-After` in seconds or as an HTTP date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |text: &str, unit: f64| {
        let seconds = text.parse::<f64>().ok()? * unit;
        Duration::try_from_secs_f64(seconds).ok()
    };
    if let Some(pause) = text("retry-after-ms").and_then(|text| number(text, 0.001)) {
        return Some(pause);
    }
    let text = text(RETRY_AFTER.as_str())?;
    let date = || httpdate::parse_http_date(text).ok();
    number(text, 1.0).or_else(|| Some(date()?.duration_since(now).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(reqwest::header::HeaderName::from_static(name), value.parse().unwrap())])
    }

    #[test]
    fn retry_after_is_read_as_seconds_milliseconds_and_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let read = |name, value| retry_after(&headers(name, value), now);
        assert_eq!(read("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(read("retry-after", " 0.5 "), Some(Duration::from_millis(500)));
        assert_eq!(read("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        assert_eq!(
            read("retry-after", "Sun, 06 Nov 1994 08:49:40 GMT"),
            Some(Duration::from_secs(3))
        );
        assert_eq!(
            read("retry-after", "Sun, 06 Nov 1994 08:49:00 GMT"),
            Some(Duration::ZERO)
        );
        for nonsense in ["soon", "-1", "NaN", "inf", ""] {
            assert_eq!(read("retry-after", nonsense), None, "{nonsense:?}");
        }
    }

    #[test]
    fn the_pause_doubles_up_to_eight_seconds_and_jitter_only_shortens_it() {
        let first = Duration::from_millis(500);
        let pauses: Vec<u128> = (1..=6)
            .map(|attempt| backoff(first, attempt, 0.0).as_millis())
            .collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 8000]);
        assert_eq!(backoff(first, 1, 1.0).as_millis(), 375);
        assert_eq!(backoff(first, u32::MAX, 0.0), LONGEST_BACKOFF);
        assert!(
            (0..1000)
                .map(|_| random_fraction())
                .all(|fraction| (0.0..1.0).contains(&fraction))
        );
    }
}
