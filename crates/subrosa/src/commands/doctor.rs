//! `doctor`: whether this profile and its server are well, one line a check.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use subrosa_client::api::{Command, Failure, FailureCode, Reply, Status, WhoAmI};
use subrosa_client::profile::{Lock, Manifest};
use subrosa_client::{Client, connect_failure, store};
use subrosa_wire::ServerLink;

use super::Context;
use crate::output::{Outcome, Output, fields, safe};

struct Report {
    out: Output,
    failed: usize,
    /// The class of the worst failure: the higher its exit code, the less can be done about it alone.
    worst: FailureCode,
}

impl Report {
    fn add(&mut self, check: &str, finding: Result<String, Failure>, more: &[(&'static str, Value)]) -> Outcome {
        let (mark, ok, detail) = match finding {
            Ok(detail) => ("ok  ", true, detail),
            Err(failure) => {
                if self.failed == 0 || failure.code.exit_code() > self.worst.exit_code() {
                    self.worst = failure.code;
                }
                ("FAIL", false, failure.message)
            }
        };
        self.failed += usize::from(!ok);
        self.out.line(format!("{mark}  {check:<10}  {}", safe(&detail)))?;
        let mut fields = fields!({"check": check, "ok": ok, "detail": detail});
        fields.0.extend_from_slice(more);
        self.out.object(&fields)
    }
}

/// Looks at everything, and fails if something is wrong.
pub async fn run(context: &Context) -> Outcome {
    let mut report = Report { out: context.out, failed: 0, worst: FailureCode::Environment };
    report.add("program", Ok(format!("subrosa {} on {}", env!("CARGO_PKG_VERSION"), std::env::consts::OS)), &[])?;
    let cipher = match store::cipher() {
        Ok(Some(cipher)) => Ok(cipher),
        Ok(None) => Err(wrong("this build has no SQLCipher, so stores cannot be kept safe")),
        Err(error) => Err(wrong(error.to_string())),
    };
    report.add("cipher", cipher, &[])?;
    if look_at_profile(context, &mut report)? {
        look_at_engine(context, &mut report).await?;
    }
    if report.failed == 0 {
        return Ok(());
    }
    let what =
        if report.failed == 1 { "one check failed".to_owned() } else { format!("{} checks failed", report.failed) };
    Err(Failure::new(report.worst, "not_well", format!("{what}; the lines above say what to do")))
}

/// Something is wrong on this machine.
fn wrong(what: impl Into<String>) -> Failure {
    Failure::new(FailureCode::Environment, "not_well", what)
}

/// The folder and the key. `false` if there is no profile.
fn look_at_profile(context: &Context, report: &mut Report) -> Outcome<bool> {
    let profile = context.global().profile()?;
    let home = profile.home().display().to_string();
    let folder = [("path", json!(home))];
    if !profile.exists()? {
        report.add(
            "profile",
            Ok(format!("none at {home} yet; 'subrosa signup' or 'subrosa login' makes one")),
            &folder,
        )?;
        return Ok(false);
    }
    let finding = match profile.exposed() {
        Ok(exposed) if exposed.is_empty() => Ok(format!("{home}, readable by you only")),
        Ok(exposed) => {
            let names: Vec<String> = exposed.iter().map(|path| path.display().to_string()).collect();
            Err(wrong(format!(
                "others could read {}; every command takes that right away, this one, too",
                names.join(", ")
            )))
        }
        Err(error) => Err(error.into()),
    };
    report.add("profile", finding, &folder)?;
    match Manifest::load(&profile) {
        Ok(Some(manifest)) => {
            let source = manifest.store_key;
            report.add(
                "store key",
                Ok(format!("comes from {}", source.as_str())),
                &[("source", json!(source.word()))],
            )?;
        }
        Ok(None) => report.add("store key", Err(wrong("profile.json is missing; restore it from a backup")), &[])?,
        Err(error) => report.add("store key", Err(error.into()), &[])?,
    }
    Ok(true)
}

async fn look_at_engine(context: &Context, report: &mut Report) -> Outcome {
    let client = match context.open(None).await {
        Ok(client) => client,
        Err(failure) => return report.add("store", Err(failure), &[]),
    };
    let here = client.is_engine().await;
    let holder = Lock::holder(&context.global().profile()?);
    let looked = ask(&client).await;
    client.close().await;
    let place = match (here, holder) {
        (false, Some(pid)) => format!("opens; process {pid} runs the profile"),
        _ => "opens".to_owned(),
    };
    let (who, status) = match looked {
        Ok(found) => found,
        Err(failure) => return report.add("store", Err(failure), &[]),
    };
    let counts = format!("{place}; {} waiting to be sent, {} dropped", status.queued, status.dropped);
    report.add("store", Ok(counts), &[("queued", json!(status.queued)), ("dropped", json!(status.dropped))])?;
    let Some(who) = who else {
        return report.add("account", Ok("none yet; 'subrosa signup' or 'subrosa login' makes one".to_owned()), &[]);
    };
    let account = [("name", json!(who.name)), ("role", json!(who.role.as_str()))];
    report.add("account", Ok(format!("@{}, {}", who.name, who.role)), &account)?;
    look_at_server(report, &who.server).await
}

async fn ask(client: &Client) -> Outcome<(Option<WhoAmI>, Status)> {
    let status = match client.call(Command::Status).await? {
        Reply::Status(status) => status,
        _ => Status { enrolled: false, online: false, reason: String::new(), queued: 0, dropped: 0 },
    };
    let who = match client.call(Command::WhoAmI).await {
        Ok(Reply::WhoAmI(who)) => Some(who),
        Err(failure) if failure.code != FailureCode::Usage => return Err(failure),
        _ => None,
    };
    Ok((who, status))
}

async fn look_at_server(report: &mut Report, link: &str) -> Outcome {
    let more = [("link", json!(link))];
    let link: ServerLink = match link.parse() {
        Ok(link) => link,
        Err(error) => return report.add("server", Err(wrong(format!("the stored link is damaged: {error}"))), &more),
    };
    let began = Instant::now();
    let finding = match subrosa_net::connect(&link).await {
        Ok(_connection) => {
            let took: Duration = began.elapsed();
            Ok(format!("{}:{} answers with the right key, in {} ms", link.host, link.port, took.as_millis()))
        }
        Err(error) => Err(connect_failure(&error)),
    };
    report.add("server", finding, &more)
}
