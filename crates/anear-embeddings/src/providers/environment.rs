//! The process's environment, in which a blank variable counts as unset.

/// The value of a variable.
pub(crate) fn variable(name: &str) -> Option<String> {
    given(std::env::var(name).ok())
}

/// `value`, unless it is blank.
pub(crate) fn given(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.trim().is_empty())
}
