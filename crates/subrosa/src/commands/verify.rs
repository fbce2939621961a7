//! `verify`.

use clap::Args;
use subrosa_client::api::{Command, Reply};

use super::Context;
use crate::names::Person;
use crate::output::Outcome;
use crate::{qr, render};

/// `subrosa verify`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// With whom
    name: Person,
    /// Mark it as compared (and accept a changed key)
    #[arg(long)]
    confirm: bool,
    /// Compare it with what the other side's QR code says, and mark it as compared if it is the same
    #[arg(long, value_name = "URI", conflicts_with_all = ["confirm", "qr"])]
    uri: Option<String>,
    /// Draw the QR code also where it would not be drawn by itself
    #[arg(long)]
    qr: bool,
}

/// Shows the safety number, or compares it.
pub async fn run(context: &Context, arguments: Arguments) -> Outcome {
    let Arguments { name: Person(name), confirm, uri, qr } = arguments;
    let Some(uri) = uri else {
        let reply = context.ask(Command::Verify { name: name.clone(), confirm }).await?;
        render::reply(context.out, &reply)?;
        return match &reply {
            // The code comes last, below the notes: a terminal of 24 rows shows all of it.
            Reply::SafetyNumber { uri, .. } if !context.out.is_json() => draw(context, uri, name.as_str(), qr),
            _ => Ok(()),
        };
    };
    let reply = context.ask(Command::Compare { name: name.clone(), uri }).await?;
    context.out.note(format!("the safety numbers are the same: nobody stands between you and @{name}"));
    render::reply(context.out, &reply)
}

fn draw(context: &Context, uri: &str, name: &str, forced: bool) -> Outcome {
    let code = qr::Code::of(uri)?;
    if forced || qr::room().is_some_and(|room| code.fits(room)) {
        return code.lines(qr::is_coloured()).iter().try_for_each(|line| context.out.line(line));
    }
    context.out.note(format!("for a QR code: subrosa verify @{name} --qr"));
    Ok(())
}
