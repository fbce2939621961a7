//! `invite-link`.

use std::str::FromStr;

use clap::Subcommand;
use subrosa_client::api::{Command as Request, Reply};

use super::Context;
use crate::output::Outcome;
use crate::render;

/// `subrosa invite-link`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an invitation to sign up
    Create {
        /// How many accounts may use it
        #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        uses: u32,
        /// How long it is good: 30m, 12h, 7d, 2w [default: until it is used up or revoked]
        #[arg(long, value_name = "D")]
        expires: Option<Span>,
    },
    /// Show the invitations
    List,
    /// End an invitation
    Revoke {
        /// Its code
        code: String,
    },
}

/// A length of time, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(u64);

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "say a number and s, m, h, d or w, like 12h or 7d";
        let unit = match text.chars().next_back() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3_600,
            Some('d') => 86_400,
            Some('w') => 604_800,
            _ => return Err(WRONG),
        };
        let number: u64 = text[..text.len() - 1].parse().map_err(|_| WRONG)?;
        number.checked_mul(unit).filter(|seconds| *seconds > 0).map(Self).ok_or(WRONG)
    }
}

/// Does what was asked.
pub async fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::List => context.show(Request::InviteLinkList).await,
        Command::Revoke { code } => context.show(Request::InviteLinkRevoke { code }).await,
        Command::Create { uses, expires } => {
            let client = context.open(None).await?;
            let created =
                client.call(Request::InviteLinkCreate { uses, expires_in: expires.map(|Span(seconds)| seconds) }).await;
            let who = client.call(Request::WhoAmI).await;
            client.close().await;
            let created = created?;
            render::reply(context.out, &created)?;
            if let (Reply::InviteLinks(rows), Ok(Reply::WhoAmI(who))) = (&created, who)
                && let Some(row) = rows.first()
            {
                context.out.note(format!("to use it: subrosa signup -s {} -u NAME --invite {}", who.server, row.code));
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_number_and_a_unit() {
        for (text, seconds) in [("90s", 90), ("30m", 1_800), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600)] {
            assert_eq!(text.parse(), Ok(Span(seconds)));
        }
        for wrong in ["", "d", "7", "-1d", "0d", "7 days", "99999999999999999999d", "9999999999999999999w", "7д"] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
    }
}
