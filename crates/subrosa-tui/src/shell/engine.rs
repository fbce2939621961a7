//! The way to the engine: the profile is opened here, questions go in the order in which they were asked, and answers and
//! events come back as inputs.

use std::sync::Arc;

use subrosa_client::api::{Command, Failure, FailureCode, Reply, Secret};
use subrosa_client::{Client, Opening, is_engine_gone};
use subrosa_types::Username;
use tokio::sync::mpsc;

use super::{Host, Options};
use crate::state::effect::{Ask, Entrance, Input};

/// Questions that wait.
const QUEUE: usize = 256;

/// What the engine's task is asked.
#[derive(Debug)]
pub enum Question {
    /// A command.
    Call(Ask, Box<Command>),
    /// Sign up or log in.
    Enter(Entrance),
    /// Close the profile; the sender is dropped when it is done.
    Close(mpsc::Sender<()>),
}

/// Starts the task; the profile is opened by it. The client of an open profile is put where rooms find it.
pub fn start(options: &Options, tell: mpsc::Sender<Input>, open: Open) -> mpsc::Sender<Question> {
    let (ask, asked) = mpsc::channel(QUEUE);
    let engine = Engine {
        opening: Opening { profile: options.profile.clone(), create: None, ask: options.ask.clone() },
        create: options.create,
        host: options.host.clone(),
        tell,
        open,
        client: None,
    };
    tokio::spawn(engine.run(asked));
    ask
}

/// Where the open profile is found.
pub type Open = Arc<std::sync::Mutex<Option<Client>>>;

struct Engine {
    opening: Opening,
    create: subrosa_client::keys::KeyChoice,
    host: Arc<dyn Host>,
    tell: mpsc::Sender<Input>,
    open: Open,
    client: Option<Client>,
}

impl Engine {
    async fn run(mut self, mut asked: mpsc::Receiver<Question>) {
        self.begin().await;
        while let Some(question) = asked.recv().await {
            match question {
                Question::Call(ask, command) => self.call(ask, *command).await,
                Question::Enter(entrance) => {
                    let result = self.enter(entrance).await;
                    let entered = result.is_ok();
                    self.say(Input::Answered(Ask::Entered, Box::new(result))).await;
                    if entered {
                        self.say(Input::Opened).await;
                    }
                }
                Question::Close(done) => {
                    if let Some(client) = self.client.take() {
                        client.close().await;
                    }
                    drop(done);
                    return;
                }
            }
        }
    }

    async fn say(&self, input: Input) {
        // When nobody listens, the program is ending.
        let _ending = self.tell.send(input).await;
    }

    /// The server of this machine first, if the account is there; then the profile.
    async fn begin(&mut self) {
        match self.opening.profile.exists() {
            Ok(true) => {}
            Ok(false) => return self.say(Input::NotOpened(None)).await,
            Err(error) => return self.say(Input::NotOpened(Some(Box::new(error.into())))).await,
        }
        let client = match Client::open(self.opening.clone()).await {
            Ok(client) => client,
            Err(failure) => return self.say(Input::NotOpened(Some(Box::new(failure)))).await,
        };
        if let Err(failure) = self.take(client.clone()).await {
            return self.say(Input::NotOpened(Some(Box::new(failure)))).await;
        }
        let account = match client.call(Command::WhoAmI).await {
            Ok(Reply::WhoAmI(who)) => Some(who.server),
            _ => None,
        };
        self.say(Input::Opened).await;
        if let Some(server) = account {
            match self.host.resume(server).await {
                Ok(Some(link)) => self.say(Input::Hosting(link)).await,
                Ok(None) => {}
                Err(failure) => {
                    self.say(Input::Answered(Ask::Quiet, Box::new(Err(failure)))).await;
                }
            }
        }
    }

    /// The profile is open: what happens in it is told from now on.
    async fn take(&mut self, client: Client) -> Result<(), Failure> {
        let mut events = client.events().await?;
        let tell = self.tell.clone();
        tokio::spawn(async move {
            loop {
                let input = match events.next().await {
                    Ok(Some(notice)) => Input::Notice(Box::new(notice)),
                    Ok(None) => return,
                    Err(failure) => Input::Answered(Ask::Quiet, Box::new(Err(failure))),
                };
                let is_over = matches!(input, Input::Answered(..));
                if tell.send(input).await.is_err() || is_over {
                    return;
                }
            }
        });
        *self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(client.clone());
        self.client = Some(client);
        Ok(())
    }

    /// Asks. The question is in its place when this returns; the answer comes as an input.
    async fn call(&self, ask: Ask, command: Command) {
        let Some(client) = self.client.clone() else {
            let failure = Failure::usage("not_logged_in", "there is no account here yet");
            return self.say(Input::Answered(ask, Box::new(Err(failure)))).await;
        };
        let submitted = client.submit(&command).await;
        let tell = self.tell.clone();
        tokio::spawn(async move {
            let answer = match submitted {
                Ok(submitted) => submitted.answer().await,
                Err(failure) => Err(failure),
            };
            let answer = match answer {
                // Another process takes the profile over; what is harmless is asked of it.
                Err(failure) if is_engine_gone(&failure) && is_harmless(&ask) => client.call(command).await,
                answer => answer,
            };
            // When nobody listens, the program is ending.
            let _ending = tell.send(Input::Answered(ask, Box::new(answer))).await;
        });
    }

    async fn enter(&mut self, entrance: Entrance) -> Result<Reply, Failure> {
        let mut command = match entrance {
            Entrance::At(command) => *command,
            Entrance::Own(command) => {
                let mut command = *command;
                self.check(&command)?;
                let link = self.host.start_server().await?;
                self.say(Input::Hosting(link.clone())).await;
                if let Command::SignUp { server, .. } = &mut command {
                    *server = link;
                }
                command
            }
        };
        self.check(&command)?;
        if let Command::SignUp { device, .. } | Command::LogIn { device, .. } = &mut command {
            *device = self.host.device_name();
        }
        if self.client.is_none() {
            let opening = Opening { create: Some(self.create), ..self.opening.clone() };
            let client = Client::open(opening).await?;
            self.take(client).await?;
        }
        match &self.client {
            Some(client) => client.call(command).await,
            None => Err(Failure::new(FailureCode::Unexpected, "not_open", "the profile is not open; try again")),
        }
    }

    /// A password for a new account is strong enough.
    fn check(&self, command: &Command) -> Result<(), Failure> {
        let Command::SignUp { username, password: Secret(password), .. } = command else { return Ok(()) };
        let name: Username = username
            .parse()
            .map_err(|error: subrosa_types::NameError| Failure::usage("username_refused", error.to_string()))?;
        self.host.check_password(password, &name)
    }
}

/// Whether asking twice does no more than asking once.
const fn is_harmless(ask: &Ask) -> bool {
    !matches!(ask, Ask::Person(_) | Ask::Form(_) | Ask::Entered)
}
