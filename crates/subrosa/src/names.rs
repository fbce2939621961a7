//! Names of people on the command line: `@bob` and `bob` are the same.

use std::str::FromStr;

use subrosa_client::api::Failure;
use subrosa_types::{NameError, Username};

/// A person, as named on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person(pub Username);

impl FromStr for Person {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.strip_prefix('@').unwrap_or(text).parse().map(Self)
    }
}

/// The names of several people.
pub fn usernames(people: Vec<Person>) -> Vec<Username> {
    people.into_iter().map(|Person(name)| name).collect()
}

/// A wanted username: refused here, before a password is asked for.
///
/// # Errors
/// What is wrong with it.
pub fn wanted(name: &str) -> Result<Username, Failure> {
    name.parse().map_err(|error: NameError| Failure::usage("username_refused", error.to_string()))
}
