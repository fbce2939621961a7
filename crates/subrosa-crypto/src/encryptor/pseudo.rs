//! No encryption, for tests and for looking at the wire. It protects against nobody.

use subrosa_wire::Encryption;

use super::{Encryptor, EncryptorError, PLAINTEXT, Parties, Step};

/// Records in the clear: everybody on the way reads them and can change them unnoticed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pseudo(());

impl Pseudo {
    /// Whoever makes one means it.
    pub const fn danger_new() -> Self {
        Self(())
    }
}

impl Encryptor for Pseudo {
    fn kind(&self) -> Encryption {
        Encryption::Pseudo
    }

    fn protects(&self) -> bool {
        false
    }

    fn begin(&mut self, _: Parties<'_>) -> Result<Step, EncryptorError> {
        Ok(Step::Done)
    }

    fn step(&mut self, _: &[u8]) -> Result<Step, EncryptorError> {
        Err(EncryptorError::Agreement("there is nothing to agree on without encryption"))
    }

    fn seal(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, EncryptorError> {
        if plaintext.len() > PLAINTEXT { Err(EncryptorError::TooLarge) } else { Ok(plaintext.to_vec()) }
    }

    fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, EncryptorError> {
        self.seal(sealed)
    }
}
