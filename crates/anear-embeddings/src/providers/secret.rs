//! Text that must not be shown, and the eraser for messages that quote it.

use std::fmt;
use std::sync::Arc;

/// A key: readable only by [`expose`](Self::expose), hidden in `Debug`.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// Removes the client's secrets from messages written by others: servers quote keys back.
#[derive(Clone, Debug)]
pub(crate) struct Redactor(Arc<[Secret]>);

impl Redactor {
    pub(crate) fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        // Replacing an empty text would riddle the message.
        Self(
            secrets
                .into_iter()
                .filter(|secret| !secret.expose().is_empty())
                .collect(),
        )
    }

    /// `message` without secrets, cut to a length that fits an error.
    pub(crate) fn clean(&self, message: &str) -> String {
        let hidden = self.0.iter().fold(message.to_owned(), |message, secret| {
            message.replace(secret.expose(), "[hidden]")
        });
        crate::error::shortened(hidden.trim(), 400)
    }
}

/// What `error` and its causes say, once each.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut messages = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        messages.push(error.to_string());
        cause = error.source();
    }
    messages.dedup();
    messages.join(": ")
}
