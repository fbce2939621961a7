//! The client's halves. Each holds the password until its second step; both are zeroised when dropped.

use opaque_ke::{
    ClientLogin, ClientLoginFinishParameters, ClientRegistration, ClientRegistrationFinishParameters,
    CredentialResponse, RegistrationResponse,
};
use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

use super::{
    Binding, CONTEXT, ExportKey, Password, PasswordCost, PasswordError, Suite, check_length, from_peer, internal,
    length, malformed,
};

/// A sign-up that waits for the server's response.
pub struct Registration {
    state: ClientRegistration<Suite>,
    password: Password,
}

impl Registration {
    /// Blinds the password. The second value is the registration request.
    ///
    /// # Errors
    /// [`PasswordError::Internal`] if the cryptographic library fails.
    pub fn start(rng: &mut dyn CryptoRngCore, password: &Password) -> Result<(Self, Vec<u8>), PasswordError> {
        let mut rng = rng;
        let start = ClientRegistration::<Suite>::start(&mut rng, password.as_bytes()).map_err(internal)?;
        let registration = Self { state: start.state, password: password.clone() };
        Ok((registration, start.message.serialize().to_vec()))
    }

    /// Makes the upload. Takes as long as one Argon2id. The second value is the export key.
    ///
    /// # Errors
    /// See [`PasswordError`].
    pub fn finish(
        self,
        rng: &mut dyn CryptoRngCore,
        response: &[u8],
        binding: Binding<'_>,
        cost: &PasswordCost,
    ) -> Result<(Vec<u8>, ExportKey), PasswordError> {
        let mut rng = rng;
        check_length(response, length::REGISTRATION_RESPONSE)?;
        let response = RegistrationResponse::deserialize(response).map_err(malformed)?;
        let ksf = cost.ksf()?;
        let parameters = ClientRegistrationFinishParameters::new(binding.identifiers(), Some(&ksf));
        let finish = self.state.finish(&mut rng, self.password.as_bytes(), response, parameters).map_err(from_peer)?;
        let export_key = Zeroizing::new(finish.export_key);
        Ok((finish.message.serialize().to_vec(), ExportKey::from_bytes((*export_key).into())))
    }
}

/// A login that waits for the server's response.
pub struct Login {
    state: ClientLogin<Suite>,
    password: Password,
}

/// What the right password gives.
pub struct LoginOutcome {
    /// The message that proves it to the server.
    pub finalization: Vec<u8>,
    /// The key that the server has, too, once it has the proof.
    pub session_key: Zeroizing<[u8; 64]>,
    /// The key that the server never has.
    pub export_key: ExportKey,
}

impl Login {
    /// Blinds the password. The second value is the credential request.
    ///
    /// # Errors
    /// [`PasswordError::Internal`] if the cryptographic library fails.
    pub fn start(rng: &mut dyn CryptoRngCore, password: &Password) -> Result<(Self, Vec<u8>), PasswordError> {
        let mut rng = rng;
        let start = ClientLogin::<Suite>::start(&mut rng, password.as_bytes()).map_err(internal)?;
        let login = Self { state: start.state, password: password.clone() };
        Ok((login, start.message.serialize().to_vec()))
    }

    /// Opens the server's response. Takes as long as one Argon2id.
    ///
    /// # Errors
    /// [`PasswordError::Wrong`] for a wrong password and for an unknown user alike; see [`PasswordError`].
    pub fn finish(
        self,
        rng: &mut dyn CryptoRngCore,
        response: &[u8],
        binding: Binding<'_>,
        cost: &PasswordCost,
    ) -> Result<LoginOutcome, PasswordError> {
        let mut rng = rng;
        check_length(response, length::CREDENTIAL_RESPONSE)?;
        let response = CredentialResponse::deserialize(response).map_err(malformed)?;
        let ksf = cost.ksf()?;
        let parameters = ClientLoginFinishParameters::new(Some(CONTEXT), binding.identifiers(), Some(&ksf));
        let finish = self.state.finish(&mut rng, self.password.as_bytes(), response, parameters).map_err(from_peer)?;
        let export_key = Zeroizing::new(finish.export_key);
        let session_key = Zeroizing::new(finish.session_key);
        Ok(LoginOutcome {
            finalization: finish.message.serialize().to_vec(),
            session_key: Zeroizing::new((*session_key).into()),
            export_key: ExportKey::from_bytes((*export_key).into()),
        })
    }
}
