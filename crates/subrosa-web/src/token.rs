//! The launch token.

use data_encoding::HEXLOWER;
use rand_core::{OsRng, RngCore};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// 32 random bytes in hexadecimal: who has it may speak for the person at this machine, until the process ends.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// A new one.
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        OsRng.fill_bytes(&mut *bytes);
        Self(Zeroizing::new(HEXLOWER.encode(&*bytes)))
    }

    /// As it stands in the link.
    pub fn danger_text(&self) -> &str {
        &self.0
    }

    /// Whether this is it. Digests are compared, so that the time says nothing about where the first difference is.
    pub fn is(&self, given: &str) -> bool {
        Sha256::digest(self.0.as_bytes()) == Sha256::digest(given.as_bytes())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_itself_and_nothing_else() {
        let token = Token::generate();
        assert!(token.is(token.danger_text()) && token.danger_text().len() == 64);
        assert!(!token.is("") && !token.is(Token::generate().danger_text()));
        assert!(!format!("{token:?}").contains(token.danger_text()));
    }
}
