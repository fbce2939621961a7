//! The server's halves. A record is public to who has the setup, and worthless without: keep the setup apart from backups
//! of records where you can.

use opaque_ke::{
    CredentialFinalization, CredentialRequest, RegistrationRequest, RegistrationUpload, ServerLogin,
    ServerLoginParameters, ServerRegistration, ServerSetup as OpaqueSetup,
};
use rand_core::CryptoRngCore;
use subrosa_types::Username;
use zeroize::Zeroizing;

use super::{Binding, CONTEXT, PasswordError, Suite, check_length, from_peer, internal, length, malformed};
use crate::keys::VerifyingKey;

const VERSION: u8 = 1;

/// A server's OPAQUE secrets, made at its first start and kept with its identity key. Losing them locks everybody out of
/// password logins. Zeroised when dropped; has no `Debug`.
///
/// Stored as: version(1) server_key(32) oprf_seed(64) private_key(32) dummy_public_key(32).
#[derive(Clone)]
pub struct ServerSetup {
    setup: OpaqueSetup<Suite>,
    server_key: VerifyingKey,
}

impl ServerSetup {
    /// New secrets for the server with this identity key.
    pub fn generate(rng: &mut dyn CryptoRngCore, server_key: &VerifyingKey) -> Self {
        let mut rng = rng;
        Self { setup: OpaqueSetup::new(&mut rng), server_key: *server_key }
    }

    /// The stored form.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let secrets = Zeroizing::new(self.setup.serialize());
        let mut bytes = Zeroizing::new(Vec::with_capacity(33 + secrets.len()));
        bytes.push(VERSION);
        bytes.extend_from_slice(self.server_key.as_bytes());
        bytes.extend_from_slice(secrets.as_slice());
        bytes
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`PasswordError::Record`] if it is damaged or of a newer version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PasswordError> {
        let [VERSION, rest @ ..] = bytes else { return Err(PasswordError::Record) };
        let (server_key, secrets) = rest.split_first_chunk::<32>().ok_or(PasswordError::Record)?;
        let server_key = VerifyingKey::from_bytes(*server_key).map_err(|_| PasswordError::Record)?;
        let setup = OpaqueSetup::deserialize(secrets).map_err(|_| PasswordError::Record)?;
        let read = Self { setup, server_key };
        if *read.to_bytes() == bytes { Ok(read) } else { Err(PasswordError::Record) }
    }

    /// Answers a registration request. Keeps no state.
    ///
    /// # Errors
    /// See [`PasswordError`].
    pub fn registration_response(&self, request: &[u8], username: &Username) -> Result<Vec<u8>, PasswordError> {
        check_length(request, length::REGISTRATION_REQUEST)?;
        let request = RegistrationRequest::deserialize(request).map_err(malformed)?;
        let identifier = username.as_str().as_bytes();
        let start = ServerRegistration::<Suite>::start(&self.setup, request, identifier).map_err(from_peer)?;
        Ok(start.message.serialize().to_vec())
    }

    /// The record to store, out of what the client uploaded.
    ///
    /// # Errors
    /// [`PasswordError::Malformed`] if it is no upload.
    pub fn record_from_upload(upload: &[u8]) -> Result<Vec<u8>, PasswordError> {
        check_length(upload, length::REGISTRATION_UPLOAD)?;
        let upload = RegistrationUpload::<Suite>::deserialize(upload).map_err(malformed)?;
        Ok(ServerRegistration::finish(upload).serialize().to_vec())
    }

    /// Answers a credential request: from the record, or, without one, from a made-up record that cannot be told apart.
    /// The second value is the credential response.
    ///
    /// # Errors
    /// See [`PasswordError`]; the same for a known and an unknown name.
    pub fn login_response(
        &self,
        rng: &mut dyn CryptoRngCore,
        record: Option<&[u8]>,
        request: &[u8],
        username: &Username,
    ) -> Result<(LoginState, Vec<u8>), PasswordError> {
        let mut rng = rng;
        check_length(request, length::CREDENTIAL_REQUEST)?;
        let request = CredentialRequest::deserialize(request).map_err(malformed)?;
        let record =
            record.map(ServerRegistration::<Suite>::deserialize).transpose().map_err(|_| PasswordError::Record)?;
        let identifier = username.as_str().as_bytes();
        let parameters = self.parameters(username);
        let start =
            ServerLogin::start(&mut rng, &self.setup, record, request, identifier, parameters).map_err(internal)?;
        let state = LoginState { state: start.state, username: username.clone() };
        Ok((state, start.message.serialize().to_vec()))
    }

    /// Checks the client's proof; gives the session key.
    ///
    /// # Errors
    /// [`PasswordError::Wrong`] for a wrong password and for an unknown name alike.
    pub fn login_finish(&self, login: LoginState, finalization: &[u8]) -> Result<Zeroizing<[u8; 64]>, PasswordError> {
        check_length(finalization, length::CREDENTIAL_FINALIZATION)?;
        let finalization = CredentialFinalization::deserialize(finalization).map_err(malformed)?;
        let parameters = self.parameters(&login.username);
        let finish = login.state.finish(finalization, parameters).map_err(from_peer)?;
        let session_key = Zeroizing::new(finish.session_key);
        Ok(Zeroizing::new((*session_key).into()))
    }

    fn parameters<'a>(&'a self, username: &'a Username) -> ServerLoginParameters<'static, 'a> {
        let identifiers = Binding { username, server_key: &self.server_key }.identifiers();
        ServerLoginParameters { context: Some(CONTEXT), identifiers }
    }
}

/// A login between the server's response and the client's proof. Zeroised when dropped; has no `Debug`.
///
/// As bytes: version(1) username_length(1) username ke2_state.
pub struct LoginState {
    state: ServerLogin<Suite>,
    username: Username,
}

impl LoginState {
    /// Whose login it is.
    pub const fn username(&self) -> &Username {
        &self.username
    }

    /// The state as bytes, for a server whose next request is answered by another node.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let (name, state) = (self.username.as_str().as_bytes(), Zeroizing::new(self.state.serialize()));
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 + name.len() + state.len()));
        // A username has at most 32 bytes.
        bytes.extend_from_slice(&[VERSION, u8::try_from(name.len()).unwrap_or(u8::MAX)]);
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(state.as_slice());
        bytes
    }

    /// Reads the state.
    ///
    /// # Errors
    /// [`PasswordError::Record`] if it is damaged or of a newer version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PasswordError> {
        let [VERSION, length, rest @ ..] = bytes else { return Err(PasswordError::Record) };
        let (name, state) = rest.split_at_checked(usize::from(*length)).ok_or(PasswordError::Record)?;
        let name = std::str::from_utf8(name).map_err(|_| PasswordError::Record)?;
        let username = Username::from_prepared(name).map_err(|_| PasswordError::Record)?;
        let state = ServerLogin::deserialize(state).map_err(|_| PasswordError::Record)?;
        let read = Self { state, username };
        if *read.to_bytes() == bytes { Ok(read) } else { Err(PasswordError::Record) }
    }
}
