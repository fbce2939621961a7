//! Waits on a free TCP port of this machine, prints a ticket, and chats with whoever dials.
//! `tcp_server [mls|rsa|pseudo]`; plain lines are messages, `/help` lists commands.

use subrosa::{Chat, Encryption, Invitation, Lines, Pairing, Way, encryptor, tcp};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let encryption = std::env::args().nth(1).map_or(Ok(Encryption::Mls), |word| word.parse())?;
    let listener = tcp::TcpListener::bind("127.0.0.1:0".parse()?).await?;
    let invitation = Invitation::generate();
    println!("{}", invitation.ticket(encryption, Way::Tcp(listener.addresses())));
    let chat = Chat::new(listener, encryptor::danger_any(encryption), Lines::stdio());
    Ok(chat.pairing(Pairing::inviting(&invitation).ticket_only()).run().await?)
}
