//! The server in a profile's own folder: what `up` starts, and faces on request. It is found again by its link, which lies
//! beside it, and ends with this process.

use std::io;
use std::path::{Path, PathBuf};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use subrosa_client::api::{Command, Failure, FailureCode, Reply};
use subrosa_client::profile::{Profile, replace_private};
use subrosa_client::rpc::OwnServer;
use subrosa_server::{DATABASE, RunningServer, Server, ServerConfig, StartError};
use subrosa_wire::ServerLink;
use tokio::sync::Mutex;

use crate::commands::{Context, serve};
use crate::output::Outcome;

/// See the module.
pub struct HomeServer {
    profile: Profile,
    running: Mutex<Option<RunningServer>>,
}

impl HomeServer {
    /// That of a profile; nothing is started.
    pub fn of(profile: Profile) -> Self {
        Self { profile, running: Mutex::new(None) }
    }

    /// The link that it had when it last ran, if it ever ran.
    pub fn link(&self) -> Outcome<Option<ServerLink>> {
        let file = self.link_file();
        match std::fs::read_to_string(&file) {
            Ok(text) => text.parse().map(Some).map_err(|error| {
                Failure::usage("bad_link", format!("{} is damaged: {error}; restore it from a backup", file.display()))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unusable(&file, &error)),
        }
    }

    /// Whether it has no database yet.
    pub fn is_new(&self) -> Outcome<bool> {
        let database = self.profile.server().join(DATABASE);
        Ok(!database.try_exists().map_err(|error| unusable(&database, &error))?)
    }

    /// Starts it on the port that it had before, or on 5535, or on a free one. `false` when another process of this profile
    /// runs it already, or this one does.
    pub async fn start_here(&self) -> Outcome<bool> {
        let mut running = self.running.lock().await;
        if running.is_some() {
            return Ok(false);
        }
        let link = self.link()?;
        let mut config = ServerConfig { folder: self.profile.server(), ..ServerConfig::default() };
        if let Some(link) = &link {
            config.listen.set_port(link.port);
        }
        self.profile.prepare()?;
        let server = match Server::start(config.clone()).await {
            Ok(server) => server,
            Err(StartError::FolderInUse) => return Ok(false),
            Err(StartError::Listen { .. }) if link.is_none() => {
                config.listen.set_port(0);
                serve::start(config).await?
            }
            Err(error) => return Err(serve::not_started(&error, &config.folder)),
        };
        if link.is_none() {
            let file = self.link_file();
            replace_private(&file, format!("{}\n", server.link()).as_bytes())
                .map_err(|error| unusable(&file, &error))?;
        }
        *running = Some(server);
        Ok(true)
    }

    /// Starts it if the profile's account is on it.
    pub async fn start_if_at_home(&self, context: &Context) -> Outcome {
        let Some(link) = self.link()? else { return Ok(()) };
        if !self.profile.exists()? {
            return Ok(());
        }
        let client = context.open(None).await?;
        let who = client.call(Command::WhoAmI).await;
        client.close().await;
        match who {
            Ok(Reply::WhoAmI(who)) if who.server == link.to_string() => self.start_here().await.map(|_| ()),
            Err(failure) if failure.code != FailureCode::Usage => Err(failure),
            _ => Ok(()),
        }
    }

    /// Says on standard error that it runs, if it does.
    pub async fn announce(&self, out: crate::output::Output) -> Outcome {
        if let Some(server) = &*self.running.lock().await {
            serve::announce(out, server)?;
            out.note(format!("others on this machine join with: subrosa signup -s {} -u NAME", server.link()));
        }
        Ok(())
    }

    /// Ends it, if this process runs it. What the store still has to say matters less than how the rest went.
    pub async fn stop(&self, out: crate::output::Output) {
        if let Some(server) = self.running.lock().await.take()
            && let Err(error) = server.shutdown("the server was ended by its operator").await
        {
            out.note(format!("the server ended, but: {error}"));
        }
    }

    fn link_file(&self) -> PathBuf {
        self.profile.home().join("server.link")
    }
}

impl OwnServer for HomeServer {
    fn start(&self) -> BoxFuture<'_, Result<String, Failure>> {
        async {
            self.start_here().await?;
            let link =
                self.link()?.ok_or_else(|| Failure::usage("no_server", "the server has no link yet; try again"))?;
            Ok(link.to_string())
        }
        .boxed()
    }
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(FailureCode::Environment, "profile_unavailable", format!("{} cannot be used: {error}", path.display()))
}
