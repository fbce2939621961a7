//! An interactor of one's own: a bot that says back, in capitals, what it hears. It waits on a free TCP port and prints its
//! ticket; dial it with `subrosa direct dial TICKET`.

use futures_util::future::{BoxFuture, FutureExt};
use subrosa::{Chat, Encryption, Event, Interactor, Invitation, Pairing, Unseen, Way, Wish, encryptor, tcp};
use tokio::sync::mpsc;

struct EchoBot {
    answers: (mpsc::Sender<Wish>, mpsc::Receiver<Wish>),
}

impl Interactor for EchoBot {
    fn next(&mut self) -> BoxFuture<'_, Option<Wish>> {
        self.answers.1.recv().boxed()
    }

    fn show(&mut self, event: Event) -> Result<(), Unseen> {
        if let Event::Message { text, .. } = event {
            // Who asks faster than we answer gets no answer.
            let _full = self.answers.0.try_send(Wish::Say(text.to_uppercase()));
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tcp::TcpListener::bind("127.0.0.1:0".parse()?).await?;
    let invitation = Invitation::generate();
    println!("{}", invitation.ticket(Encryption::Mls, Way::Tcp(listener.addresses())));
    let chat = Chat::new(listener, encryptor::mls(), EchoBot { answers: mpsc::channel(64) });
    Ok(chat.pairing(Pairing::inviting(&invitation).ticket_only()).run().await?)
}
