//! Names that people choose: usernames, device names and group titles.
//!
//! Reason: a name is shown to others and typed by others, so it must not deceive. Each type holds only the *prepared*
//! form, which is what travels, is signed and is compared:
//!
//! 1. A [`Username`] is an identifier: PRECIS `UsernameCaseMapped` (RFC 8265 §3.3: width and case mapped, NFC, the bidi
//!    rule of RFC 5893), of letters, digits, `.`, `_` and `-`, in one script (UTS 39 §5.2, "highly restrictive").
//!    [`Username::skeleton`] tells which names look the same; a server gives out one name a skeleton.
//! 2. A [`DeviceName`] or [`GroupTitle`] is free text on one line: NFC, spaces trimmed and collapsed, PRECIS
//!    `FreeformClass` (RFC 8264 §4.3), so no control character, no bidi control and nothing invisible.
//!
//! Invariant: preparing a prepared name changes nothing.

use std::fmt;
use std::str::FromStr;

use precis_profiles::UsernameCaseMapped;
use precis_profiles::precis_core::profile::PrecisFastInvocation;
use precis_profiles::precis_core::{FreeformClass, StringClass};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_security::{RestrictionLevel, RestrictionLevelDetection, skeleton};

use crate::limits;

/// Why a text is no name. The sentence is for the person who typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing, or nothing but spaces.
    #[error("The name is empty; type at least one letter or digit.")]
    Empty,
    /// More bytes of UTF-8 than allowed.
    #[error("The name is too long; it may have at most {limit} bytes (letters beyond a-z take more than one).")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A space in a username.
    #[error("A username cannot contain spaces; use a dot, a dash or an underscore instead.")]
    Space,
    /// A username that does not begin with a letter or digit.
    #[error("A username begins with a letter or a digit; leave out the character before it.")]
    Start,
    /// A group title that would read as an address.
    #[error("A group title cannot begin with # or @; leave that character out.")]
    Sigil,
    /// A control, invisible or unassigned character, or one that changes the direction of text.
    #[error("The name contains a character that cannot be shown safely (U+{code:04X}); remove it.")]
    Unsafe {
        /// The character's code point.
        code: u32,
    },
    /// A character that a username cannot have.
    #[error("A username has only letters, digits, dots, dashes and underscores; remove the others.")]
    Character,
    /// Scripts that can be taken for one another, in one username.
    #[error("The username mixes letters of different alphabets that look alike; use letters of one alphabet.")]
    MixedScripts,
    /// Left-to-right and right-to-left characters in an order that displays ambiguously.
    #[error("The username mixes writing directions so that it cannot be read safely; use one direction.")]
    Direction,
    /// A name from another program that was not in its prepared form.
    #[error("The name is not in its standard form; type it again.")]
    NotPrepared,
}

macro_rules! prepared_name {
    ($(#[$doc:meta])* $name:ident, $prepare:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The prepared form.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The name in a text from outside that must be prepared already, as in everything that is signed.
            ///
            /// # Errors
            /// [`NameError::NotPrepared`] if it is not, else the reason why it is no name at all.
            pub fn from_prepared(text: &str) -> Result<Self, NameError> {
                let name: Self = text.parse()?;
                if name.0 == text { Ok(name) } else { Err(NameError::NotPrepared) }
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let once = $prepare(text)?;
                if $prepare(&once)? == once { Ok(Self(once)) } else { Err(NameError::NotPrepared) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

prepared_name! {
    /// What an account is called on its server: 1 to [`limits::USERNAME`] bytes.
    Username, prepare_username
}
prepared_name! {
    /// What a person calls a device: 1 to [`limits::DEVICE_NAME`] bytes.
    DeviceName, prepare_device_name
}
prepared_name! {
    /// What a group is called: 1 to [`limits::GROUP_TITLE`] bytes; does not begin with `#` or `@`.
    GroupTitle, prepare_group_title
}

impl Username {
    /// What this name looks like (UTS 39 §4, with case and the digit zero folded): two names with equal skeletons can
    /// be taken for one another. For comparison only, never for show.
    pub fn skeleton(&self) -> String {
        let look: String = skeleton(&self.0).flat_map(char::to_lowercase).collect();
        // Once more, because lower case can lead to a letter that has a look-alike itself (I → i, but l in UTS 39).
        skeleton(&look).flat_map(char::to_lowercase).collect()
    }
}

fn prepare_username(text: &str) -> Result<String, NameError> {
    // Before the profile runs, so that it never sees a long input. Mapping can shorten a name, but nobody types that.
    check_length(text, 4 * limits::USERNAME, limits::USERNAME)?;
    if let Some(unsafe_one) = text.chars().find(|&c| c.is_control() || is_bidi_control(c)) {
        return Err(NameError::Unsafe { code: unsafe_one.into() });
    }
    if text.chars().any(char::is_whitespace) {
        return Err(NameError::Space);
    }
    let characters_allowed = |name: &str| name.chars().all(|c| !c.is_ascii() || is_username_ascii(c));
    if !text.starts_with(char::is_alphanumeric) {
        return Err(NameError::Start);
    }
    if !characters_allowed(text) || UsernameCaseMapped::prepare(text).is_err() {
        return Err(NameError::Character);
    }
    // What the profile allows, it refuses only by the bidi rule.
    let name = UsernameCaseMapped::enforce(text).map_err(|_| NameError::Direction)?.into_owned();
    check_length(&name, limits::USERNAME, limits::USERNAME)?;
    if !characters_allowed(&name) {
        return Err(NameError::Character);
    }
    // A zero-width non-joiner is part of Persian spelling; the profile allowed it only between joining letters.
    let visible: String = name.chars().filter(|&c| c != ZERO_WIDTH_NON_JOINER).collect();
    match visible.detect_restriction_level() {
        level if level <= RestrictionLevel::HighlyRestrictive => Ok(name),
        RestrictionLevel::Unrestricted => Err(NameError::Character),
        _ => Err(NameError::MixedScripts),
    }
}

fn prepare_device_name(text: &str) -> Result<String, NameError> {
    prepare_line(text, limits::DEVICE_NAME)
}

fn prepare_group_title(text: &str) -> Result<String, NameError> {
    let title = prepare_line(text, limits::GROUP_TITLE)?;
    if title.starts_with(['#', '@']) { Err(NameError::Sigil) } else { Ok(title) }
}

/// One line of free text. Not the `Nickname` profile: its crate cuts strings at character counts taken for byte offsets
/// and panics on input such as three ideographs and two spaces.
fn prepare_line(text: &str, limit: usize) -> Result<String, NameError> {
    check_length(text, 4 * limit, limit)?;
    if let Some(unsafe_one) = text.chars().find(|&c| c.is_control()) {
        return Err(NameError::Unsafe { code: unsafe_one.into() });
    }
    let line = text.nfc().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
    check_length(&line, limit, limit)?;
    // Emoji are made with two characters that the class knows in other contexts only: they count as seen here when
    // they stand behind a pictograph.
    let mut pictograph = false;
    let seen: String = line
        .chars()
        .filter(|&c| {
            let joins = pictograph && matches!(c, ZERO_WIDTH_JOINER | EMOJI_PRESENTATION);
            pictograph = joins || is_pictograph(c);
            !joins
        })
        .collect();
    if FreeformClass::default().allows(&seen).is_err() {
        let alone = |c: &char| FreeformClass::default().allows(c.encode_utf8(&mut [0; 4])).is_err();
        let code = seen.chars().find(alone).map_or(ZERO_WIDTH_JOINER, |c| c).into();
        return Err(NameError::Unsafe { code });
    }
    if line.ends_with(ZERO_WIDTH_JOINER) {
        return Err(NameError::Unsafe { code: ZERO_WIDTH_JOINER.into() });
    }
    Ok(line)
}

/// Refuses what is empty or longer than `accepted`; `limit` is the limit to name.
fn check_length(text: &str, accepted: usize, limit: usize) -> Result<(), NameError> {
    if text.trim().is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > accepted { Err(NameError::TooLong { limit }) } else { Ok(()) }
}

const ZERO_WIDTH_NON_JOINER: char = '\u{200C}';
const ZERO_WIDTH_JOINER: char = '\u{200D}';
const EMOJI_PRESENTATION: char = '\u{FE0F}';

const fn is_username_ascii(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// The blocks that hold pictographs, skin tones among them.
const fn is_pictograph(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{2BFF}' | '\u{1F000}'..='\u{1FAFF}')
}

/// Characters that change the direction of the text around them (UAX 9 §2).
pub(crate) const fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests;
