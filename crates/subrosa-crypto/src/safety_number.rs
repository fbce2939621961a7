//! Safety numbers: what two people compare to know that nobody stands between them.
//!
//! After Signal's numeric fingerprint: for each account, SHA-512 is iterated [`ITERATIONS`] times, so that looking for
//! a key with a similar number costs that much a try.
//!
//! ```text
//! h₀ = SHA-512( "subrosa v1 safety number" 0x00 account_key(32) account_id(16) )
//! hᵢ = SHA-512( hᵢ₋₁ account_key(32) )
//! ```
//!
//! The first 30 bytes of the last one make 30 digits (5 bytes, big-endian, modulo 100,000, six times). The digits of the
//! two accounts, in the order of their hashes, are the number: 60 digits, the same on both sides. The words are the first
//! 9 × 11 bits of each hash in the BIP-39 English list. The QR code carries the first 32 bytes of each.

use aws_lc_rs::digest::{SHA512, digest};
use data_encoding::BASE32_NOPAD;
use subrosa_types::AccountId;

use crate::keys::VerifyingKey;

/// How often the hash is iterated for each account: a guess costs as much.
pub const ITERATIONS: usize = 5200;

const WORDS: usize = 9;
const URI: &str = "subrosa-verify:1/";

/// A text that is no safety number's URI: cut off, mistyped, or something else. Whoever gave it is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not the URI of a safety number, which begins with {URI} and has 103 more characters")]
pub struct NoSafetyNumber;

/// The safety number of two accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SafetyNumber {
    /// Of each account, the smaller first.
    halves: [[u8; 32]; 2],
}

impl SafetyNumber {
    /// The number of these two; the order does not matter.
    pub fn of(one: (AccountId, VerifyingKey), other: (AccountId, VerifyingKey)) -> Self {
        let mut halves = [half(one.0, &one.1), half(other.0, &other.1)];
        halves.sort_unstable();
        Self { halves }
    }

    /// Twelve groups of five digits with spaces between them.
    pub fn digits(&self) -> String {
        let groups: Vec<_> = self.halves.iter().flat_map(|half| half[..30].chunks_exact(5)).map(group).collect();
        groups.join(" ")
    }

    /// Twice nine words, to read out.
    pub fn words(&self) -> String {
        self.halves.map(|half| words(&half, WORDS)).join(" ")
    }

    /// The number that a QR code says, as it was scanned. Letters may be large or small: codes of large ones are smaller.
    ///
    /// # Errors
    /// [`NoSafetyNumber`] unless it is whole. Whether it is the right one, only a comparison tells.
    pub fn from_uri(text: &str) -> Result<Self, NoSafetyNumber> {
        let text = text.trim().to_ascii_lowercase();
        let encoded = text.strip_prefix(URI).ok_or(NoSafetyNumber)?.to_ascii_uppercase();
        let bytes = BASE32_NOPAD.decode(encoded.as_bytes()).map_err(|_| NoSafetyNumber)?;
        let mut halves = [[0; 32]; 2];
        let flat = halves.as_flattened_mut();
        if bytes.len() != flat.len() {
            return Err(NoSafetyNumber);
        }
        flat.copy_from_slice(&bytes);
        Ok(Self { halves })
    }

    /// What the QR code says.
    pub fn uri(&self) -> String {
        format!("{URI}{}", BASE32_NOPAD.encode(self.halves.as_flattened()).to_ascii_lowercase())
    }

    /// Whether what the other side shows, says or scans is this number: the digits, the words or the QR code.
    pub fn matches(&self, shown: &str) -> bool {
        let shown = shown.trim().to_lowercase();
        let digits = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        shown == self.uri()
            || digits(&shown) == digits(&self.digits())
            || shown.split_whitespace().eq(self.words().split_whitespace())
    }
}

fn half(account: AccountId, key: &VerifyingKey) -> [u8; 32] {
    let first: Vec<u8> = [b"subrosa v1 safety number\0".as_slice(), key.as_bytes(), account.as_bytes()].concat();
    let mut hash = digest(&SHA512, &first);
    let mut input = [0; 96];
    input[64..].copy_from_slice(key.as_bytes());
    for _ in 0..ITERATIONS {
        input[..64].copy_from_slice(hash.as_ref());
        hash = digest(&SHA512, &input);
    }
    let mut half = [0; 32];
    half.copy_from_slice(&hash.as_ref()[..32]);
    half
}

/// Five bytes as five digits.
pub(crate) fn group(bytes: &[u8]) -> String {
    let number = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{:05}", number % 100_000)
}

/// The words for the first bits of a hash, eleven each; at most 23.
pub(crate) fn words(hash: &[u8; 32], count: usize) -> String {
    let words: Vec<_> = (0..count).map(|index| word(hash, index)).collect();
    words.join(" ")
}

/// The word that the `index`-th eleven bits of the hash stand for.
pub(crate) fn word(half: &[u8; 32], index: usize) -> &'static str {
    let bits = (index * 11..(index + 1) * 11).map(|bit| half[bit / 8] >> (7 - bit % 8) & 1);
    let number = bits.fold(0_usize, |number, bit| number << 1 | usize::from(bit));
    bip39::Language::English.word_list()[number]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::Person;

    fn of(one: &Person, other: &Person) -> SafetyNumber {
        SafetyNumber::of((one.id, one.key.public()), (other.id, other.key.public()))
    }

    #[test]
    fn both_sides_see_the_same_number() {
        let (alice, bob) = (Person::new(1, "alice"), Person::new(2, "bob"));
        let number = of(&alice, &bob);
        assert_eq!(number, of(&bob, &alice));
        assert_eq!(number.digits().split(' ').map(str::len).collect::<Vec<_>>(), [5; 12]);
        assert!(number.digits().chars().all(|c| c.is_ascii_digit() || c == ' '));
        assert_eq!(number.words().split(' ').count(), 18);
        for shown in [number.digits(), number.words(), number.uri(), number.digits().replace(' ', "\n")] {
            assert!(number.matches(&shown), "{shown}");
        }
    }

    #[test]
    fn another_key_or_account_changes_the_number() {
        let (alice, bob, mallory) = (Person::new(1, "alice"), Person::new(2, "bob"), Person::new(3, "mallory"));
        let number = of(&alice, &bob);
        let swapped_key = SafetyNumber::of((alice.id, alice.key.public()), (bob.id, mallory.key.public()));
        let swapped_id = SafetyNumber::of((alice.id, alice.key.public()), (mallory.id, bob.key.public()));
        for other in [swapped_key, swapped_id] {
            assert_ne!(number.digits(), other.digits());
            assert!(
                !number.matches(&other.digits()) && !number.matches(&other.words()) && !number.matches(&other.uri())
            );
        }
        assert!(!number.matches("") && !number.matches(" "));
    }

    #[test]
    fn the_number_is_frozen() {
        let number = of(&Person::new(1, "alice"), &Person::new(2, "bob"));
        // Computed once more with another implementation.
        assert_eq!(number.digits(), "50735 18038 23143 89986 41203 57088 91657 05810 74108 21034 78639 51656");
        assert_eq!(
            number.words(),
            "into bike cream gain tent corn bitter suffer parrot silly two luxury basket face impact win dream world"
        );
        assert_eq!(
            number.uri(),
            "subrosa-verify:1/oxbmjs5pnx2gbrnwywqhii4hhvrn6dfc3bakuvzt3ostngyapcqmrplwcuezkghdx3jbj7nhxoopfvo6thve6fkfjexvcxjjp5ujgei"
        );
    }

    #[test]
    fn a_scanned_uri_is_the_number_again_or_nothing() {
        let number = of(&Person::new(1, "alice"), &Person::new(2, "bob"));
        let uri = number.uri();
        for scanned in [uri.clone(), uri.to_uppercase(), format!(" {uri}\n")] {
            assert_eq!(SafetyNumber::from_uri(&scanned), Ok(number), "{scanned}");
        }
        let (cut, longer) = (&uri[..uri.len() - 1], format!("{uri}a"));
        let other_version = uri.replace(":1/", ":2/");
        for text in ["", URI, cut, &longer, &other_version, &number.digits(), &uri[1..], "subrosa-verify:1/\u{130}"] {
            assert_eq!(SafetyNumber::from_uri(text), Err(NoSafetyNumber), "{text}");
        }
    }
}
