//! Dials the ticket of `tcp_server` and chats: `tcp_client TICKET`.

use subrosa::{Chat, Lines, Pairing, Ticket, Way, encryptor, tcp};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ticket: Ticket = std::env::args().nth(1).ok_or("tcp_client TICKET")?.parse()?;
    let Way::Tcp(addresses) = &ticket.way else { return Err("this ticket is not for TCP".into()) };
    let chat = Chat::new(tcp::TcpDialer::to(addresses)?, encryptor::danger_any(ticket.encryption), Lines::stdio());
    Ok(chat.pairing(Pairing::invited(&ticket)?).run().await?)
}
