//! The form of one stored value: a version byte, then MessagePack without field names.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Kind, StorageError};

/// First byte of each value. A change of OpenMLS' stored form needs a new number and a way to read the old one.
pub const VALUE_VERSION: u8 = 1;

pub(super) fn encode(kind: Kind, value: &impl Serialize) -> Result<Vec<u8>, StorageError> {
    let mut bytes = vec![VALUE_VERSION];
    rmp_serde::encode::write(&mut bytes, value).map_err(|_| StorageError::Unencodable(kind.name().into()))?;
    Ok(bytes)
}

pub(super) fn decode<T: DeserializeOwned>(kind: Kind, bytes: &[u8]) -> Result<T, StorageError> {
    match bytes.split_first() {
        Some((&VALUE_VERSION, encoded)) => {
            rmp_serde::from_slice(encoded).map_err(|_| StorageError::Damaged(kind.name().into()))
        }
        Some((&version, _)) => Err(StorageError::UnknownVersion { kind: kind.name().into(), version }),
        None => Err(StorageError::Damaged(kind.name().into())),
    }
}

/// What a row is found by. Without a version: it is only ever compared.
pub(super) fn item(kind: Kind, item: &impl Serialize) -> Result<Vec<u8>, StorageError> {
    rmp_serde::to_vec(item).map_err(|_| StorageError::Unencodable(kind.name().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_version_and_compact_messagepack() {
        // fixarray(2), 7, fixstr(1) "x"
        assert_eq!(encode(Kind::Tree, &(7_u8, "x")).expect("encoded"), [1, 0x92, 7, 0xa1, b'x']);
    }

    #[test]
    fn an_unknown_version_and_damage_are_told_apart() {
        assert!(matches!(decode::<u8>(Kind::Tree, &[2, 7]), Err(StorageError::UnknownVersion { version: 2, .. })));
        assert!(matches!(decode::<u8>(Kind::Tree, &[]), Err(StorageError::Damaged(_))));
        assert!(matches!(decode::<u8>(Kind::Tree, &[1, 0xa1]), Err(StorageError::Damaged(_))));
        assert_eq!(decode::<u8>(Kind::Tree, &[1, 7]).expect("decoded"), 7);
    }
}
