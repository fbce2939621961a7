//! The short authentication string of a direct link: what two people without a ticket read to each other.
//!
//! It is made of the hash of both hellos, which carry the identity keys and fresh nonces. 33 bits are enough *because of
//! the commitment* that the dialer sends first (`direct.proto`, steps 1 to 3): somebody in between has to fix the hello
//! that it shows to one side before it sees the nonce of the other, so it has one guess for each chat that people compare,
//! and cannot search for keys that fit. Without the commitment it could try 2³³ keys at home.

use data_encoding::HEXLOWER;

use crate::safety_number::{group, word};

const WORDS: usize = 3;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShortString {
    hash: [u8; 32],
}

impl ShortString {
    /// `context` is the SHA-256 of both hellos.
    pub fn of(context: &[u8; 32]) -> Self {
        Self { hash: crate::sha256(&[b"subrosa v1 direct words\0".as_slice(), context].concat()) }
    }

    /// Three words of the BIP-39 English list, 33 bits.
    pub fn words(&self) -> String {
        (0..WORDS).map(|index| word(&self.hash, index)).collect::<Vec<_>>().join(" ")
    }

    /// Two groups of five digits, 33 bits, of another part of the hash than the words.
    pub fn digits(&self) -> String {
        self.hash[16..26].chunks_exact(5).map(group).collect::<Vec<_>>().join(" ")
    }

    /// Eight hexadecimal digits, to tell two links apart in a log. Not for comparing.
    pub fn tag(&self) -> String {
        HEXLOWER.encode(&self.hash[28..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_three_words_or_ten_digits_and_frozen() {
        let string = ShortString::of(&[1; 32]);
        assert_eq!(string.words().split(' ').count(), 3);
        assert_eq!(string.digits().split(' ').map(str::len).collect::<Vec<_>>(), [5, 5]);
        assert_eq!(string, ShortString::of(&[1; 32]));
        let other = ShortString::of(&[2; 32]);
        assert!(string.words() != other.words() && string.digits() != other.digits());
    }
}
