//! Dials the ticket of `quic_server` and chats: `quic_client TICKET`.

use subrosa::{Chat, Lines, Pairing, Ticket, encryptor, quic};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ticket: Ticket = std::env::args().nth(1).ok_or("quic_client TICKET")?.parse()?;
    let pairing = Pairing::invited(&ticket)?;
    let dialer = quic::dial(&pairing, &ticket).await?;
    let chat = Chat::new(dialer, encryptor::danger_any(ticket.encryption), Lines::stdio());
    Ok(chat.pairing(pairing).run().await?)
}
