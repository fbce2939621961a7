//! Waits behind whatever NAT there is, prints a ticket, and chats with whoever dials: over a hole-punched path if one can
//! be made, else through the relay. `quic_server mls|rsa|pseudo [RELAY-LINK]`; without a relay only within one network.

use subrosa::{Chat, Encryption, Invitation, Lines, Pairing, RelayLink, encryptor, quic};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let encryption: Encryption = std::env::args().nth(1).ok_or("quic_server mls [RELAY-LINK]")?.parse()?;
    let relay: Option<RelayLink> = std::env::args().nth(2).map(|link| link.parse()).transpose()?;
    let invitation = Invitation::generate();
    let (listener, way) = quic::listen(&invitation, relay).await?;
    println!("{}", invitation.ticket(encryption, way));
    let chat = Chat::new(listener, encryptor::danger_any(encryption), Lines::stdio());
    Ok(chat.pairing(Pairing::inviting(&invitation).ticket_only()).run().await?)
}
