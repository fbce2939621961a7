//! The encryptors, with the randomness of the system.

use rand_core::OsRng;
use subrosa_crypto::encryptor::{Encryptor, Pseudo, Rsa};
use subrosa_mls::MlsEncryptor;
use subrosa_wire::Encryption;

/// An MLS group of two with the post-quantum hybrid suite: the default.
pub fn mls() -> MlsEncryptor {
    MlsEncryptor::new(Box::new(OsRng))
}

/// RSA-OAEP key transport and AES-256-GCM.
pub fn rsa() -> Rsa {
    Rsa::new(Box::new(OsRng))
}

/// None at all: everybody on the way reads and changes what is said. For tests.
pub const fn danger_pseudo() -> Pseudo {
    Pseudo::danger_new()
}

/// The one of this name.
pub fn danger_any(encryption: Encryption) -> Box<dyn Encryptor> {
    match encryption {
        Encryption::Mls => Box::new(mls()),
        Encryption::Rsa => Box::new(rsa()),
        Encryption::Pseudo => Box::new(danger_pseudo()),
    }
}
