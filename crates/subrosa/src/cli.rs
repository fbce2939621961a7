//! The arguments. Names and flags here are a contract: scripts depend on them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use subrosa_client::Profile;
use subrosa_client::api::Failure;

use crate::commands::{
    account, chat, devices, direct, export, group, invite_link, invites, read, relay, role, room, rpc, send, serve,
    tui, up, verify, web,
};

/// Private and group chat that you host yourself, end-to-end encrypted.
#[derive(Debug, Parser)]
#[command(name = "subrosa", version, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "Without a command, subrosa does what `subrosa up` does.")]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags that may stand before or after any command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Folder of the profile [default: the platform's data folder]
    #[arg(long, global = true, env = "SUBROSA_HOME", value_name = "DIR", hide_env_values = true)]
    pub home: Option<PathBuf>,
    /// One JSON object a line on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Show the steps (twice: more of them)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

impl Global {
    /// The profile that is meant.
    ///
    /// # Errors
    /// The platform names no folder and the person named none.
    pub fn profile(&self) -> Result<Profile, Failure> {
        Ok(Profile::at(self.home.clone().map_or_else(Profile::default_home, Ok)?))
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start chatting: a server on this machine if there is none, an account, and the chat
    Up(up::Arguments),
    /// Run a server
    Serve(serve::Arguments),
    /// Run a relay for direct links, without a server
    Relay(relay::Arguments),
    /// Make an account on a server
    Signup(account::SignUp),
    /// Enrol this profile as a further device of your account
    Login(account::LogIn),
    /// End this device: it leaves your account and all chats
    Logout,
    /// Show who you are
    Whoami,
    /// Show the devices of your account, or end one
    Devices(devices::Arguments),
    /// Send a message to @name or '#group'
    Send(send::Arguments),
    /// Print messages, by default those not read yet
    Read(read::Arguments),
    /// Bring everything up to date and say what came
    Reload,
    /// List the chats
    Chats,
    /// Make groups and change who is in them
    #[command(subcommand)]
    Group(group::Command),
    /// Show open invitations and first messages from strangers
    Invites,
    /// Accept an invitation, a request, an offered role, or somebody's changed key
    Accept(invites::Which),
    /// Decline an invitation or request
    Decline(invites::Which),
    /// Show and change roles
    #[command(subcommand)]
    Role(role::Command),
    /// Invitations to sign up at the server
    #[command(subcommand)]
    InviteLink(invite_link::Command),
    /// Show the safety number with somebody, to compare it
    Verify(verify::Arguments),
    /// Write your keys in the form that other programs read (PEM)
    Export(export::Arguments),
    /// Chat line by line
    Chat(chat::Arguments),
    /// Chat from one machine to another, without an account
    #[command(subcommand)]
    Direct(direct::Command),
    /// Enter a room: no account is needed where the server allows guests
    Room(room::Arguments),
    /// Chat in the whole terminal: lists, several lines, search, mouse
    Tui(tui::Arguments),
    /// Open the page in your browser; it is served by this program, to this machine only
    Web(web::Arguments),
    /// Speak JSON-RPC on standard input and output, for programs
    Rpc(rpc::Arguments),
    /// Check this profile and its server
    Doctor,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("subrosa").chain(line.split_whitespace()))
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_stand_before_or_after_the_command() {
        for line in ["--home /a --json -v whoami", "whoami --home /a --json -v", "--json whoami -v --home /a"] {
            let cli = parse(line).unwrap();
            assert_eq!(cli.global.home, Some(PathBuf::from("/a")), "{line}");
            assert!(cli.global.json && cli.global.verbose == 1, "{line}");
        }
        let cli = parse("group create garden @bob --json").unwrap();
        assert!(cli.global.json && matches!(cli.command, Some(Command::Group(_))));
    }

    #[test]
    fn the_words_of_the_contract_are_understood() {
        for line in [
            "",
            "up -u alice --password-stdin",
            "serve -p 7000 --data /d --config /c --signup invite",
            "serve --listen 127.0.0.1:0",
            "serve --relay members",
            "relay",
            "relay --listen 127.0.0.1:0 --data /d --open --public-host h",
            "signup -s subrosa://x -u alice --email a@b --invite C --setup D --password-stdin",
            "login -s subrosa://x -u alice --password-file /f",
            "logout",
            "whoami",
            "devices",
            "devices revoke abc",
            "send @bob hello --id k --wait delivered",
            "send #group --stdin",
            "read @bob --follow --all --limit 5 --since abc",
            "reload",
            "chats",
            "group create garden @a @b",
            "group add #g @x",
            "group remove #g @x",
            "group members #g",
            "group leave #g",
            "group rename #g other",
            "invites",
            "accept x",
            "decline x",
            "role list",
            "role set bob super-admin",
            "role log",
            "invite-link create --uses 3 --expires 7d",
            "invite-link list",
            "invite-link revoke C",
            "verify @bob --confirm",
            "verify @bob --qr",
            "verify @bob --uri subrosa-verify:1/a",
            "export",
            "export --out keys.pem --danger-private --password-stdin",
            "chat",
            "chat @bob",
            "doctor",
            "tui",
            "tui --passphrase",
            "web",
            "web --port 8000 --no-open",
            "rpc",
            "rpc --stdio",
            "up --web",
            "direct listen",
            "direct listen --transport tcp --listen 127.0.0.1:0 --encryption rsa --ticket-only --qr",
            "direct listen --relay subrosa://h:1/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "direct listen --encryption pseudo --danger-no-encryption --accept-files /d",
            "direct dial subrosa-direct:a --accept-files /d",
            "direct listen --open-port",
            "direct policy",
            "direct policy never",
            "direct dial 127.0.0.1:5000 --transport tcp --encryption rsa",
            "room",
            "room garden -s subrosa://x -u alice",
            "room -s 127.0.0.1 -p 7000",
            "serve --rooms members",
        ] {
            if let Err(error) = parse(line) {
                panic!("{line}: {error}");
            }
        }
    }

    #[test]
    fn secrets_are_no_arguments() {
        assert!(parse("signup -s x -u alice --password hunter2").is_err());
        assert!(parse("export --danger-private").is_err(), "private keys go into a file");
        assert!(parse("serve -p 1 --listen 127.0.0.1:2").is_err());
    }
}
