//! Both sides of the socket, with a script in place of the engine.

#![expect(clippy::unwrap_used, reason = "a helper of a test that fails is a test that fails")]

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use subrosa_engine::api::{Command, Event, Failure, FailureCode, Reply, Status, Told};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{broadcast, mpsc, oneshot};

use super::*;
use crate::client::Notice;
use crate::drive::{Answer, Calls, Input};
use crate::profile::Profile;
use crate::rpc::LINE;

struct Served {
    _folder: tempfile::TempDir,
    profile: Profile,
    inputs: mpsc::Receiver<Input>,
    events: broadcast::Sender<Told>,
    listener: Listener,
}

fn serve() -> Served {
    let folder = tempfile::tempdir().unwrap();
    let profile = Profile::at(folder.path());
    let (calls, inputs) = Calls::channel();
    let (events, _) = broadcast::channel(4);
    let listener = Listener::bind(&profile, calls, events.clone()).unwrap();
    Served { _folder: folder, profile, inputs, events, listener }
}

async fn dial(profile: &Profile) -> Arc<Remote> {
    Arc::new(Remote::connect(&socket_path(profile).unwrap()).await.unwrap())
}

async fn ask(remote: &Remote, command: Command) -> Result<Answer, Gone> {
    remote.submit(&command).await?.answer().await
}

async fn next_call(inputs: &mut mpsc::Receiver<Input>) -> (Command, oneshot::Sender<Answer>) {
    match inputs.recv().await {
        Some(Input::Call { command, answer }) => (command, answer),
        other => panic!("no call but {other:?}"),
    }
}

const ONLINE: Told = Told { cursor: None, event: Event::Online };

const STATUS: Reply =
    Reply::Status(Status { enrolled: true, online: false, reason: String::new(), queued: 3, dropped: 0 });

#[tokio::test]
async fn answers_and_refusals_find_their_way_back_in_any_order() {
    let mut served = serve();
    let remote = dial(&served.profile).await;
    let (first, second) = (remote.clone(), remote.clone());
    let first = tokio::spawn(async move { ask(&first, Command::Status).await });
    let (Command::Status, to_first) = next_call(&mut served.inputs).await else { panic!() };
    let second = tokio::spawn(async move { ask(&second, Command::Chats).await });
    let (Command::Chats, to_second) = next_call(&mut served.inputs).await else { panic!() };
    let refusal = Failure::new(FailureCode::Policy, "not_allowed", "no");
    to_second.send(Err(refusal.clone())).unwrap();
    assert_eq!(second.await.unwrap(), Ok(Err(refusal)));
    to_first.send(Ok(STATUS)).unwrap();
    assert_eq!(first.await.unwrap(), Ok(Ok(STATUS)));
}

#[tokio::test]
async fn the_socket_is_the_owners_alone_and_a_dead_ones_file_is_no_obstacle() {
    let served = serve();
    let path = socket_path(&served.profile).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    served.listener.close().await;
    assert!(!path.exists());
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists() && Remote::connect(&path).await.is_err());
    let (calls, _inputs) = Calls::channel();
    let again = Listener::bind(&served.profile, calls, served.events).unwrap();
    dial(&served.profile).await;
    again.close().await;
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_its_command_along() {
    let mut served = serve();
    let remote = dial(&served.profile).await;
    let asking = tokio::spawn(async move { ask(&remote, Command::Status).await });
    let (_, mut answer) = next_call(&mut served.inputs).await;
    asking.abort();
    let _cancelled = asking.await;
    answer.closed().await;
}

#[tokio::test]
async fn what_is_under_way_is_answered_before_the_engine_leaves_and_the_rest_is_sent_elsewhere() {
    let mut served = serve();
    let remote = dial(&served.profile).await;
    let early = tokio::spawn({
        let remote = remote.clone();
        async move { ask(&remote, Command::Status).await }
    });
    let (_, answer) = next_call(&mut served.inputs).await;
    let closing = tokio::spawn(served.listener.close());
    // The file goes before anything else.
    let path = socket_path(&served.profile).unwrap();
    while path.exists() {
        tokio::task::yield_now().await;
    }
    loop {
        // Until the connection has heard of it, it may still take a command: refuse those by hand.
        let late = tokio::spawn({
            let remote = remote.clone();
            async move { ask(&remote, Command::Chats).await }
        });
        tokio::select! {
            result = late => {
                assert_eq!(result.unwrap(), Err(Gone::Leaving));
                break;
            }
            (_, answer) = next_call(&mut served.inputs) => answer.send(Ok(Reply::Done)).unwrap(),
        }
    }
    answer.send(Ok(STATUS)).unwrap();
    assert_eq!(early.await.unwrap(), Ok(Ok(STATUS)));
    closing.await.unwrap();
    while remote.is_alive() {
        tokio::task::yield_now().await;
    }
    assert_eq!(ask(&remote, Command::Status).await, Err(Gone::Leaving));
}

#[tokio::test]
async fn who_loses_the_engine_in_the_middle_is_told() {
    let mut served = serve();
    let remote = dial(&served.profile).await;
    let mut notices = remote.subscribe().await.unwrap();
    let asking = tokio::spawn({
        let remote = remote.clone();
        async move { ask(&remote, Command::Status).await }
    });
    let (_, answer) = next_call(&mut served.inputs).await;
    drop(answer);
    let Ok(Err(failure)) = asking.await.unwrap() else { panic!() };
    assert_eq!((failure.code, failure.kind.as_str()), (FailureCode::Environment, "engine_gone"));
    served.listener.close().await;
    assert_eq!(notices.recv().await, Err(broadcast::error::RecvError::Closed));
}

#[tokio::test]
async fn a_watcher_gets_events_and_is_told_when_it_missed_some() {
    let served = serve();
    let remote = dial(&served.profile).await;
    let mut notices = remote.subscribe().await.unwrap();
    served.events.send(ONLINE).unwrap();
    assert_eq!(notices.recv().await, Ok(Notice::Event(Box::new(ONLINE))));
    // More at once than the channel holds: on this one thread, nobody takes any out in between.
    for _ in 0..9 {
        served.events.send(ONLINE).unwrap();
    }
    assert_eq!(notices.recv().await, Ok(Notice::Missed));
}

#[tokio::test]
async fn nonsense_is_refused_and_an_endless_line_ends_the_connection() {
    let served = serve();
    let mut stream = BufReader::new(UnixStream::connect(socket_path(&served.profile).unwrap()).await.unwrap());
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    assert_eq!(line, "{\"jsonrpc\":\"2.0\",\"method\":\"welcome\",\"params\":{\"v\":1}}\n");
    stream.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"fly\"}\n").await.unwrap();
    line.clear();
    stream.read_line(&mut line).await.unwrap();
    assert!(line.contains("-32601") && line.contains("\"id\":\"x\""), "{line}");
    // The other side may hang up before it has read all of it.
    let _cut_off = stream.write_all(&vec![b'x'; LINE + 1]).await;
    let mut rest = Vec::new();
    let _reset = stream.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
    dial(&served.profile).await;
}
