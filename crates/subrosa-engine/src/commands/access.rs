//! Sign-up and login: what a person said is checked here, before anything goes out; and who this profile is.

use subrosa_crypto::password::Password;
use subrosa_types::{DeviceName, Timestamp, Username, limits};
use subrosa_wire::ServerLink;

use crate::api::{Command, Failure, Reply, Status, WhoAmI};
use crate::engine::{CommandId, Engine};
use crate::fault::Outcome;
use crate::session::{LogInWords, SignUpWords};
use crate::store::{outbox, profile};
use crate::words;

impl Engine {
    pub(super) fn begin_access(&mut self, id: CommandId, command: Command, now: Timestamp) -> Result<(), Failure> {
        match command {
            Command::SignUp { server, username, password, email, invite, setup, vault, device } => {
                if let Some(profile) = &self.profile {
                    return Err(Failure::usage(
                        "already_enrolled",
                        format!(
                            "this profile belongs to @{} already; use another folder (--home) or 'logout'",
                            profile.username
                        ),
                    ));
                }
                let username = name(&username)?;
                let password =
                    Password::prepare(&password.0).map_err(|why| Failure::usage("password", why.to_string()))?;
                password.check_strength(&username).map_err(|why| Failure::usage("weak_password", why.to_string()))?;
                let email = email.unwrap_or_default();
                check_email(&email)?;
                let words = SignUpWords {
                    server: link(&server)?,
                    username,
                    email,
                    invite: short(invite)?,
                    setup: short(setup)?,
                    vault,
                    device: device_name(&device)?,
                };
                self.sign_up(id, words, &password, now)
            }
            Command::LogIn { server, username, password, device, danger_reset_key } => {
                // A name that cannot exist is told from a wrong password by nobody.
                let Ok(username) = username.parse::<Username>() else { return Err(words::wrong_credentials()) };
                let Ok(password) = Password::prepare(&password.0) else { return Err(words::wrong_credentials()) };
                let server = match (&self.profile, server) {
                    (Some(profile), _) if profile.username != username => {
                        return Err(Failure::usage(
                            "already_enrolled",
                            format!(
                                "this profile belongs to @{}; use another folder (--home) or 'logout'",
                                profile.username
                            ),
                        ));
                    }
                    (Some(profile), given) => {
                        if given
                            .is_some_and(|given| link(&given).map(|l| l.fingerprint) != Ok(profile.server.fingerprint))
                        {
                            return Err(Failure::usage(
                                "other_server",
                                "this profile belongs to another server; use another folder (--home) or 'logout'",
                            ));
                        }
                        profile.server.clone()
                    }
                    (None, Some(given)) => link(&given)?,
                    (None, None) => return Err(Failure::usage("no_server", "say which server: -s LINK")),
                };
                let words = LogInWords { server, username, device: device_name(&device)?, reset: danger_reset_key };
                self.log_in(id, words, &password, now)
            }
            _ => Err(words::not_logged_in()),
        }
    }

    /// Whether this device has ever followed the role log: one that was ended right after its enrolment has not.
    pub(super) fn knows_own_role(&self) -> bool {
        self.profile.as_ref().is_some_and(|profile| self.roles.role(profile.account).is_some())
    }

    /// Who this profile is.
    pub(crate) fn who_am_i(&self) -> Result<Reply, Failure> {
        let Some(profile) = &self.profile else { return Err(words::not_logged_in()) };
        Ok(Reply::WhoAmI(WhoAmI {
            name: profile.username.to_string(),
            role: self.roles.role(profile.account).unwrap_or(subrosa_types::Role::Beginner),
            server: profile.server.to_string(),
            device: profile.device,
        }))
    }

    pub(super) fn status(&self) -> Outcome<Result<Reply, Failure>> {
        Ok(Ok(Reply::Status(Status {
            enrolled: self.profile.is_some(),
            online: self.is_synced()?,
            reason: self.session.reason.clone(),
            queued: outbox::count(&self.connection)?,
            dropped: profile::dropped(&self.connection)?,
        })))
    }
}

fn name(text: &str) -> Result<Username, Failure> {
    text.parse().map_err(|why: subrosa_types::NameError| Failure::usage("username", why.to_string()))
}

fn device_name(text: &str) -> Result<DeviceName, Failure> {
    text.parse().map_err(|why: subrosa_types::NameError| Failure::usage("device_name", why.to_string()))
}

fn link(text: &str) -> Result<ServerLink, Failure> {
    text.parse().map_err(|why: subrosa_wire::LinkError| Failure::usage("server_link", why.to_string()))
}

/// A code that a person typed: bounded, so that it fits a frame.
fn short(text: Option<String>) -> Result<String, Failure> {
    let text = text.unwrap_or_default();
    if text.len() > 128 { Err(Failure::usage("code", "this code is too long; copy it again")) } else { Ok(text) }
}

fn check_email(email: &str) -> Result<(), Failure> {
    let fine = email.is_empty()
        || (email.len() <= limits::EMAIL
            && email.split_once('@').is_some_and(|(local, host)| !local.is_empty() && !host.is_empty())
            && !email.chars().any(|c| c.is_control() || c.is_whitespace()));
    if fine {
        Ok(())
    } else {
        Err(Failure::usage("email", "this is no email address; leave --email out if you have none"))
    }
}
