//! Who may ask: see the crate's documentation for the reasons.

use axum::http::{HeaderMap, HeaderName, header};

use crate::token::Token;

/// The subprotocol of the API.
pub const PROTOCOL: &str = "subrosa.v1";
/// In front of the token among the subprotocols.
const TOKEN: &str = "token.";

/// Whether a request was sent to this server by its own name.
pub fn is_ours(headers: &HeaderMap, port: u16) -> bool {
    one(headers, header::HOST)
        .is_some_and(|host| ["127.0.0.1", "localhost"].iter().any(|us| host == format!("{us}:{port}")))
}

/// Whether a request for the WebSocket comes from this server's page, or from no page at all.
pub fn is_from_us(headers: &HeaderMap, port: u16) -> bool {
    let own = |origin: &str| ["127.0.0.1", "localhost"].iter().any(|us| origin == format!("http://{us}:{port}"));
    !headers.contains_key(header::ORIGIN) || one(headers, header::ORIGIN).is_some_and(own)
}

/// Whether a request carries the token.
pub fn has_token(headers: &HeaderMap, token: &Token) -> bool {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut words = offered.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim);
    words.any(|word| word.strip_prefix(TOKEN).is_some_and(|given| token.is(given)))
}

/// The value of a header that is there once.
fn one(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn only_the_own_name_is_ours() {
        for (pairs, ours) in [
            (&[("host", "127.0.0.1:8000")][..], true),
            (&[("host", "localhost:8000")], true),
            (&[("host", "localhost:8001")], false),
            (&[("host", "localhost")], false),
            (&[("host", "evil.example:8000")], false),
            (&[("host", "127.0.0.1:8000.evil.example")], false),
            (&[("host", "127.0.0.1:8000"), ("host", "evil.example")], false),
            (&[], false),
        ] {
            assert_eq!(is_ours(&headers(pairs), 8000), ours, "{pairs:?}");
        }
    }

    #[test]
    fn a_foreign_origin_is_told_from_none() {
        for (pairs, ours) in [
            (&[][..], true),
            (&[("origin", "http://127.0.0.1:8000")], true),
            (&[("origin", "http://localhost:8000")], true),
            (&[("origin", "https://127.0.0.1:8000")], false),
            (&[("origin", "http://127.0.0.1:8001")], false),
            (&[("origin", "http://evil.example")], false),
            (&[("origin", "null")], false),
            (&[("origin", "")], false),
        ] {
            assert_eq!(is_from_us(&headers(pairs), 8000), ours, "{pairs:?}");
        }
    }

    #[test]
    fn the_token_is_found_among_the_subprotocols() {
        let token = Token::generate();
        let both = format!("subrosa.v1, token.{}", token.danger_text());
        assert!(has_token(&headers(&[("sec-websocket-protocol", &both)]), &token));
        for wrong in ["subrosa.v1", "token.", "token.abc", token.danger_text()] {
            assert!(!has_token(&headers(&[("sec-websocket-protocol", wrong)]), &token), "{wrong}");
        }
        assert!(!has_token(&headers(&[]), &token));
    }
}
